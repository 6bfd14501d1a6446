"""Processes that work for this one, signals that end them, and torchrun's ranks."""
