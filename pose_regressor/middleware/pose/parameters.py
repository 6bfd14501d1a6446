"""The node's parameters: one table, from which come the ROS 2 parameter descriptors, the command line's options and
config/pose_regressor.yaml. Nothing about a parameter is written down anywhere else."""

from __future__ import annotations

from dataclasses import dataclass

from pose_regressor.settings import Config, Parameter, parameter
from pose_regressor.types import InputError


@dataclass(frozen=True)
class NodeConfig(Config):
    """Every parameter of the node."""

    node_name = "pose_regressor"

    model: tuple[str, ...] = parameter(
        "string_array", ("box",), "bundles to load: files, or the names of shipped ones, such as box"
    )
    objects: tuple[str, ...] = parameter(
        "string_array", (), "names of the objects to look for; empty: all that the bundles know", live=True
    )
    device: str = parameter(
        "string",
        "auto",
        "where the network runs; auto takes CUDA where there is one",
        pattern=r"auto|cpu|cuda(:\d+)?",
        form="auto, cpu, cuda or cuda:N",
    )
    backend: str = parameter(
        "string",
        "auto",
        "what runs the network; auto takes the faster one: onnxruntime on a CPU where it is installed, else torch",
        choices=("auto", "torch", "onnxruntime"),
    )
    score_threshold: float = parameter(
        "float", 0.15, "least score a pose must have to be published", unit="probability", low=0.0, high=1.0, live=True
    )
    follow: bool = parameter(
        "bool",
        True,
        "look only around the last pose while an object is followed (faster); false: always at the whole image",
        live=True,
    )
    smooth: bool = parameter(
        "bool",
        True,
        "publish poses from a filter of each object's motion, which tremble less; false: as they were measured",
        live=True,
    )
    max_rate: float = parameter(
        "float",
        0.0,
        "most images a second that are worked on; what comes between is dropped; 0: as many as the network manages",
        unit="Hz",
        low=0.0,
        high=1000.0,
        live=True,
    )
    camera_file: str = parameter(
        "string", "", "camera file (ROS calibration YAML or BOP camera.json) used in place of the camera_info topic"
    )
    rectified: bool = parameter(
        "bool",
        False,
        "images are rectified already, as those of image_rect, and seen through the P of their camera info; "
        "false: they are raw, and seen through its K and D",
    )
    frame_id: str = parameter(
        "string",
        "",
        "TF frame of the camera; empty: the frame_id of the image",
        pattern=r"([^\s/][^\s]*)?",
        form="a TF frame name without spaces and not starting with '/'",
    )
    frame_prefix: str = parameter(
        "string",
        "",
        "put before the names of the objects' TF frames, <prefix><object>_<instance>",
        pattern=r"([^\s/][^\s]*)?",
        form="the start of a TF frame name, without spaces and not starting with '/'",
    )
    image_transport: str = parameter(
        "string",
        "raw",
        "how images come: raw (sensor_msgs/Image) or compressed (CompressedImage on <image>/compressed, JPEG or PNG)",
        choices=("raw", "compressed"),
    )
    image_reliability: str = parameter(
        "string",
        "best_effort",
        "QoS asked of image publishers; best_effort takes both kinds and loses frames rather than time",
        choices=("best_effort", "reliable"),
    )
    camera_info_reliability: str = parameter(
        "string",
        "best_effort",
        "QoS asked of camera_info publishers; best_effort takes both kinds",
        choices=("best_effort", "reliable"),
    )
    overlay: bool = parameter(
        "bool", True, "publish the image with the poses drawn on it; costs nothing unless read", live=True
    )
    meshes: tuple[str, ...] = parameter(
        "string_array",
        (),
        "what RViz shows for an object: object=URI of its mesh; without one, the coarse mesh in the bundle, or its box",
        pattern=r"[A-Za-z_]\w*=(package|file|https?)://\S+",
        form="OBJECT=URI with a URI that begins with package://, file:// or http(s)://",
    )
    mesh_scale: float = parameter(
        "float", 1.0, "length of one unit of those meshes: 0.001 for millimetres", unit="m", low=1e-6, high=1000.0
    )
    autostart: bool = parameter(
        "bool", True, "configure and activate at once; false: wait for a lifecycle manager (ros2 lifecycle set)"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.model:
            raise InputError("model: expected at least one bundle, got none")
        if self.rectified and self.camera_file:
            raise InputError("rectified: is about the camera_info topic, expected no camera_file with it")


PARAMETERS: tuple[Parameter, ...] = NodeConfig.table()
