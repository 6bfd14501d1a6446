"""Conversions between ROS 2's messages and the package's own types."""
