"""ROS 2's message types, their CDR encoding and their hashes."""
