"""The fusion node: the poses that several cameras see in, one pose of each object out."""
