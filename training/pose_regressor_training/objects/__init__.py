"""Test objects of our own, mesh and texture made by script."""

from pose_regressor_training.objects.box import make_box

__all__ = ["make_box"]
