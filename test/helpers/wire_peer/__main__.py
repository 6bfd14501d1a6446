"""A listener to everything: it prints "listening" once the node is there, and ends when it is killed."""

import sys
import threading

from .peer import Peer, until

listener = Peer(int(sys.argv[1]))
overlays = listener.overlay_reader()
until(lambda: listener.tf.matched_pub and overlays.matched_pub, "the node")
print("listening", flush=True)
threading.Event().wait()
