"""The nodes over rclpy. Nothing outside this folder imports ROS."""

from pose_regressor.types import InputError

try:
    import rclpy  # noqa: F401
except ImportError as error:
    raise InputError(
        f"ROS 2: rclpy does not import ({error}); source ROS 2 first (source /opt/ros/<distro>/setup.bash) "
        'and use the Python it was built for, or pip install "pose_regressor[ros]"'
    ) from error
