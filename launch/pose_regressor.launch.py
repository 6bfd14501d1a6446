"""The pose node, and RViz with rviz:=true.

ros2 launch pose_regressor pose_regressor.launch.py model:=box image:=/camera/image_raw camera_info:=/camera/camera_info

The node is a managed node. It starts by itself; with autostart:=false it waits for a lifecycle manager.
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node

SHARE = Path(get_package_share_directory("pose_regressor"))
#: Arguments that set parameters of the node. An empty one leaves its parameter as in the parameter file.
PARAMETERS = {
    "model": "bundles to load, separated by commas: files, or the names of shipped ones, such as box",
    "device": "auto, cpu, cuda or cuda:N",
    "camera_file": "camera file that replaces the camera_info topic",
    "frame_prefix": "begins the names of the objects' TF frames",
    "image_transport": "raw, or compressed (then images come from <image>/compressed)",
    "depth_topic": "topic of depth; one that ends with /compressedDepth is compressed",
    "depth_info_topic": "camera info of the depth camera, if depth is not aligned to the image",
    "support_plane": "true: objects stand on one plane, such as a table, which is found in each image",
    "support_frame": "TF frame whose x-y plane objects stand on, with z up",
    "autostart": "true, or false: wait for a lifecycle manager to configure and activate the node",
}
ARGUMENTS = (
    *(DeclareLaunchArgument(name, default_value="", description=text) for name, text in PARAMETERS.items()),
    DeclareLaunchArgument(
        "params_file",
        default_value=str(SHARE / "config" / "pose_regressor.yaml"),
        description="parameter file; the arguments above override it",
    ),
    DeclareLaunchArgument("image", default_value="image", description="topic of the images"),
    DeclareLaunchArgument("camera_info", default_value="camera_info", description="topic of the camera info"),
    DeclareLaunchArgument("namespace", default_value="", description="namespace of the node"),
    DeclareLaunchArgument("rviz", default_value="false", choices=["true", "false"], description="start RViz too"),
)


def start(context: LaunchContext) -> list[Node]:
    value = {a.name: LaunchConfiguration(a.name).perform(context) for a in ARGUMENTS}
    parameters = {name: value[name] for name in PARAMETERS if value[name]}
    if "model" in parameters:
        parameters["model"] = [model.strip() for model in parameters["model"].split(",")]
    topics = [("image", value["image"]), ("camera_info", value["camera_info"])]
    for name in {"autostart", "support_plane"} & set(parameters):
        parameters[name] = parameters[name].lower() == "true"
    node = LifecycleNode(
        package="pose_regressor",
        executable="pose_regressor_node",
        name="pose_regressor",
        namespace=value["namespace"],
        parameters=[value["params_file"], parameters] if parameters else [value["params_file"]],
        remappings=topics,
        output="screen",
    )
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        namespace=value["namespace"],
        arguments=["-d", str(SHARE / "config" / "pose_regressor.rviz")],
        remappings=topics,
    )
    return [node, rviz] if value["rviz"] == "true" else [node]


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=start)])
