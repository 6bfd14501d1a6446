"""Training: from meshes to a bundle, on one or several processes; an interrupted training can go on."""
