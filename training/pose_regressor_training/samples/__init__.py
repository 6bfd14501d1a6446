"""Synthetic images with everything that is known of them, and the batches that a network learns from."""
