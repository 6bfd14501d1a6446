"""Objects followed from frame to frame: motion filter, association, birth and death of tracks. NumPy."""
