"""ROS 2's message types, their CDR encoding and their hashes, for every middleware and for bags."""
