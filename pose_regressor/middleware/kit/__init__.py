"""What any node needs, whatever it is for and whatever carries its messages."""
