"""Meshes: read from files, made one picture of colour, searched for symmetries."""
