"""Measurements of what the two sources claim: `python -m pose_regressor_training.experiments.NAME --out DIR`."""
