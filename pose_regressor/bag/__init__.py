"""Recordings of ROS 2 topics (MCAP bags): adds the poses of the objects in their images and changes nothing else."""

from pose_regressor.types import InputError

try:
    import mcap  # noqa: F401
except ImportError as error:
    raise InputError(f'bag: mcap does not import ({error}); pip install "pose_regressor[bag]"') from error
