"""The demo: the shipped clip played to the node, and how well the poses fit the true ones."""
