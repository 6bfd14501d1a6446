"""Meshes: read from files, given one texture, searched for symmetries."""
