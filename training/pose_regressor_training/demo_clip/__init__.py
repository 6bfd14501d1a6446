"""The demo's film: its story, and how Blender renders it. Run it with `python -m pose_regressor_training.demo_clip`."""
