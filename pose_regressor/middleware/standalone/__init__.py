"""The nodes, the player and the listener without ROS 2: the same on every `Participant`, whatever it speaks."""
