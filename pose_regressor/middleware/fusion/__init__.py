"""The fusion node: the poses of several cameras in, one pose of each object out."""
