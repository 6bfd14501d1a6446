"""Options that several commands share, described once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pose_regressor.middleware.fusion.parameters import FusionConfig
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.settings import MOST_THREADS

#: Command lines name each node's own parameter file.
NODE_FILE, FUSION_FILE = "config/pose_regressor.yaml", "config/fusion.yaml"
_BUNDLE = "a file, or the name of a shipped one"
_DEVICE = "Where the network runs: auto (CUDA if there is one), cpu, cuda or cuda:N."
_SOURCE = "video, image, folder of images, BOP scene, webcam:N or /dev/videoN"

SourceArgument = Annotated[str, typer.Argument(metavar="SOURCE", help=f"Images: {_SOURCE}.")]
SourceOption = Annotated[
    str | None,
    typer.Option("--source", metavar="SOURCE", help=f"Images in place of the image topic: {_SOURCE}. Default: none."),
]
BundleArgument = Annotated[str, typer.Argument(metavar="BUNDLE", help=f"Bundle: {_BUNDLE}.")]
ModelOption = Annotated[
    list[str],
    typer.Option("--model", "-m", metavar="BUNDLE", help=f"Bundle: {_BUNDLE}, such as box. Repeat it for more."),
]
CameraOption = Annotated[
    Path | None,
    typer.Option(
        "--camera",
        metavar="FILE",
        help="Camera file of BOP, ROS, OpenCV or Kalibr, or a CameraInfo message as YAML. Default: none.",
    ),
]
DepthImagesOption = Annotated[
    str,
    typer.Option(
        "--depth",
        metavar="auto|off|FOLDER",
        help="Depth images with the images' names, or named by frame numbers of a video: 16-bit millimetres or 32-bit "
        "metres. auto: a BOP scene's own.",
    ),
]
DeviceOption = Annotated[str, typer.Option("--device", metavar="DEVICE", help=_DEVICE)]
PrecisionOption = Annotated[
    str,
    typer.Option(
        "--precision",
        metavar="auto|fp32|bf16|int8",
        help="Arithmetic of the network. With openvino, auto takes bf16 if the CPU has it, else int8 if CPU and bundle "
        "have it, else fp32.",
    ),
]
ThreadsOption = Annotated[
    int,
    typer.Option(
        "--threads",
        min=0,
        max=MOST_THREADS,
        metavar="N",
        help="Threads that each network gets. 0: two, or one if there are too few cores for several bundles at the "
        "same time; for torch as many as it takes.",
    ),
]
SupportPlaneOption = Annotated[
    bool,
    typer.Option(
        "--support-plane/--no-support-plane",
        help="Objects stand on one plane, such as a table: find it in each frame, and put them on it.",
    ),
]
BackendOption = Annotated[
    str,
    typer.Option(
        "--backend",
        metavar="auto|openvino|onnxruntime|torch",
        help="What runs the network. auto: torch on a GPU, on a CPU the fastest that is installed.",
    ),
]
MiddlewareOption = Annotated[
    str,
    typer.Option(
        "--middleware",
        metavar="auto|ros2|dds|zenoh",
        help="ros2 (rclpy), dds or zenoh (need no ROS 2), or auto: ros2 if rclpy can be imported, else what "
        "RMW_IMPLEMENTATION names, else dds, else zenoh.",
    ),
]
NetworkOption = Annotated[
    str,
    typer.Option(
        "--middleware",
        metavar="auto|dds|zenoh",
        help="dds, zenoh, or auto: what RMW_IMPLEMENTATION names, else dds if it is installed, else zenoh.",
    ),
]
ImageTopicOption = Annotated[str, typer.Option("--image-topic", metavar="TOPIC", help="Topic of the images.")]
CameraInfoTopicOption = Annotated[
    str,
    typer.Option("--camera-info-topic", metavar="TOPIC", help="Topic of the camera info; --camera replaces it."),
]

# Parameters of a node. An option that is not given leaves them as the parameter file or their table has them.
NodeModelOption = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        "-m",
        metavar="BUNDLE",
        help=f"Bundle: {_BUNDLE}. Repeat it for more. Default: {', '.join(NodeConfig.model)}.",
    ),
]
NodeDeviceOption = Annotated[
    str | None, typer.Option("--device", metavar="DEVICE", help=f"{_DEVICE} Default: {NodeConfig.device}.")
]
DepthTopicOption = Annotated[
    str | None,
    typer.Option("--depth-topic", metavar="TOPIC", help="Topic of depth that is aligned to the image. Default: none."),
]
DepthInfoTopicOption = Annotated[
    str | None,
    typer.Option(
        "--depth-info-topic",
        metavar="TOPIC",
        help="Camera info of a depth camera whose depth is not aligned: the node registers it. Default: none.",
    ),
]
ParametersOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help=f"ROS 2 parameter file, such as {NODE_FILE}. Default: none."),
]
SettingsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help=f"Set a parameter of the node, as in --set score_threshold=0.7. Repeat it for more; see {NODE_FILE}.",
    ),
]

# Parameters of the fusion node.
FixedFrameOption = Annotated[
    str | None,
    typer.Option(
        "--fixed-frame",
        metavar="FRAME",
        help=f"TF frame in which the cameras' places are known. Default: {FusionConfig.fixed_frame}.",
    ),
]
DetectionsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--detections",
        metavar="TOPIC",
        help="Topic with the poses of one or several cameras. Repeat it for more. "
        f"Default: {', '.join(FusionConfig.detections)}.",
    ),
]
FusionModelOption = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        "-m",
        metavar="BUNDLE",
        help=f"Bundle of the objects, for their symmetries: {_BUNDLE}. Repeat it for more. Default: none.",
    ),
]
FusionParametersOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help=f"ROS 2 parameter file, such as {FUSION_FILE}. Default: none."),
]
FusionSettingsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help=f"Set a parameter of the node, as in --set window=0.02. Repeat it for more; see {FUSION_FILE}.",
    ),
]
