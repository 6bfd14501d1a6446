"""What any node needs, whatever it does and whatever middleware carries its messages."""
