"""Training of pose_regressor networks on synthetic images. The runtime never imports this."""
