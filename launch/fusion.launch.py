"""The fusion node: one pose of each object from the poses of several cameras.

ros2 launch pose_regressor fusion.launch.py fixed_frame:=world model:=box detections:=/left/pose_regressor/detections,/right/pose_regressor/detections

The node is a managed node. It starts by itself; with autostart:=false it waits for a lifecycle manager.
"""  # noqa: E501

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode

SHARE = Path(get_package_share_directory("pose_regressor"))
#: Arguments that set parameters of the node. An empty one leaves its parameter as in the parameter file.
LISTS = {
    "detections": "topics of the cameras' poses, separated by commas",
    "model": "bundles of the objects, for their symmetries, separated by commas",
}
STRINGS = {
    "fixed_frame": "TF frame in which the cameras' places are known",
    "frame_prefix": "begins the names of the objects' TF frames",
}
AUTOSTART = "true, or false: wait for a lifecycle manager to configure and activate the node"
ARGUMENTS = (
    *(DeclareLaunchArgument(k, default_value="", description=v) for k, v in (LISTS | STRINGS).items()),
    DeclareLaunchArgument("autostart", default_value="", description=AUTOSTART),
    DeclareLaunchArgument(
        "params_file",
        default_value=str(SHARE / "config" / "fusion.yaml"),
        description="parameter file; the arguments above override it",
    ),
    DeclareLaunchArgument("namespace", default_value="", description="namespace of the node"),
)


def start(context: LaunchContext) -> list[LifecycleNode]:
    value = {a.name: LaunchConfiguration(a.name).perform(context) for a in ARGUMENTS}
    parameters = {name: value[name] for name in STRINGS if value[name]}
    parameters |= {name: [item.strip() for item in value[name].split(",")] for name in LISTS if value[name]}
    if value["autostart"]:
        parameters["autostart"] = value["autostart"].lower() == "true"
    return [
        LifecycleNode(
            package="pose_regressor",
            executable="pose_regressor_fusion",
            name="pose_regressor_fusion",
            namespace=value["namespace"],
            parameters=[value["params_file"], parameters] if parameters else [value["params_file"]],
            output="screen",
        )
    ]


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=start)])
