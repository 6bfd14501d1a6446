"""The pose that most correspondences of one crop agree on, in NumPy: what `ops.pnp.ransac_pnp` is for torch."""
