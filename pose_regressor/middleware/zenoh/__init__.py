"""Participants over Zenoh: they speak as ROS 2's rmw_zenoh_cpp does, and need no ROS 2."""

from pose_regressor.types import InputError

try:
    import zenoh  # noqa: F401
except ImportError as error:
    remedy = 'pip install "pose_regressor[zenoh]"'
    raise InputError(f"Zenoh: zenoh does not import ({error}); {remedy}") from error
