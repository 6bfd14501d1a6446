"""The nodes over Cyclone DDS: they speak ROS 2's wire and need no ROS 2."""

from pose_regressor.types import InputError

try:
    import cyclonedds  # noqa: F401
except ImportError as error:
    remedy = 'pip install "pose_regressor[dds]" (Python 3.10 to 3.13)'
    raise InputError(f"DDS: cyclonedds does not import ({error}); {remedy}") from error
