"""A family of objects without end, made by scripts: what the start network learns from."""

from pose_regressor_training.family.draw import KINDS, Member, draw_member

__all__ = ["KINDS", "Member", "draw_member"]
