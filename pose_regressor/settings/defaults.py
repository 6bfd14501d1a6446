"""Defaults that more than one room needs."""

#: Least score of a pose that counts: the probability that it is right.
SCORE_THRESHOLD = 0.15
#: Topics that a node reads, relative to its namespace.
IMAGE_TOPIC, CAMERA_INFO_TOPIC = "image", "camera_info"
#: Namespace of a recorded camera's topics.
CAMERA_NAMESPACE = "/camera"
#: Most threads that a network may be given.
MOST_THREADS = 1024
