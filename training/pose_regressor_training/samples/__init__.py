"""Synthetic images with everything that is known of them, and the batches a network learns from."""
