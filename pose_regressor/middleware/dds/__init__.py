"""The node over Cyclone DDS, on ROS 2's wire and without ROS 2."""

from pose_regressor.types import InputError

try:
    import cyclonedds  # noqa: F401
except ImportError as error:
    raise InputError(f'DDS: cyclonedds does not import ({error}); pip install "pose_regressor[dds]"') from error
