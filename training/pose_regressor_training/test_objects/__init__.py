"""Test objects of our own. Scripts make their meshes and textures."""

from pose_regressor_training.test_objects.bottle import make_symmetric
from pose_regressor_training.test_objects.box import make_box
from pose_regressor_training.test_objects.knob import make_knob
from pose_regressor_training.test_objects.toy import make_toy

__all__ = ["make_box", "make_knob", "make_symmetric", "make_toy"]
