"""The demo: a player of the shipped clip, the node, and a listener that at the end prints how well the poses fit.

ros2 launch pose_regressor demo.launch.py
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution, PythonExpression
from launch_ros.actions import Node

SHARE = Path(get_package_share_directory("pose_regressor"))
START_TIMEOUT = "120"  # seconds for the node to start: importing from a cold disk takes long
RATE = "images a second; auto: 30, or less on a machine that cannot keep up"


def generate_launch_description() -> LaunchDescription:
    out, rate, depth, rviz = (LaunchConfiguration(name) for name in ("out", "rate", "depth", "rviz"))

    def with_depth(value: str, otherwise: str) -> PythonExpression:
        return PythonExpression([f"{value!r} if '", depth, f"' == 'on' else {otherwise!r}"])

    player = Node(
        package="pose_regressor",
        executable="pose_regressor_player",
        arguments=[
            *(str(SHARE / "demo" / "box.mp4"), "--camera", str(SHARE / "demo" / "camera.json")),
            *("--rate", rate, "--timeout", START_TIMEOUT, "--record", PathJoinSubstitution([out, "stamps.json"])),
            *("--depth", with_depth(str(SHARE / "demo" / "depth"), "off"), "--depth-topic", "depth"),
        ],
        output="screen",
    )
    listener = Node(
        package="pose_regressor",
        executable="pose_regressor_demo_listener",
        arguments=["--middleware", "ros2", "--out", out, "--rate", rate, "--depth", depth],
        output="screen",
        on_exit=Shutdown(reason="the demo is over"),
    )
    return LaunchDescription(
        [
            DeclareLaunchArgument("out", default_value="out/demo", description="folder to write to"),
            DeclareLaunchArgument("rate", default_value="auto", description=RATE),
            DeclareLaunchArgument(
                "depth", default_value="off", description="play the clip's depth, too", choices=["on", "off"]
            ),
            DeclareLaunchArgument(
                "rviz", default_value="false", description="start RViz too", choices=["true", "false"]
            ),
            listener,
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(str(SHARE / "launch" / "pose_regressor.launch.py")),
                launch_arguments={"model": "box", "rviz": rviz, "depth_topic": with_depth("depth", "")}.items(),
            ),
            player,
        ]
    )
