"""From a frame to poses: where to look, what the network says there, and poses refined on it."""
