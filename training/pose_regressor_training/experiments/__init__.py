"""What the two sources claim, measured: `python -m pose_regressor_training.experiments.NAME --out DIR`."""
