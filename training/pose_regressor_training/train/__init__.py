"""The training: from meshes to a bundle, on one or many processes, interrupted or not."""
