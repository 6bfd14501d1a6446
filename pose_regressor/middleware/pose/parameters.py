"""The node's parameters: one table, from which come the ROS 2 parameter descriptors, the command line's options and
config/pose_regressor.yaml. Only docs/node.md and the launch file describe parameters in words of their own."""

from __future__ import annotations

from dataclasses import dataclass

from pose_regressor.settings import (
    MOST_THREADS,
    SCORE_THRESHOLD,
    Config,
    Parameter,
    choice,
    count,
    frame,
    number,
    switch,
    text,
    texts,
)
from pose_regressor.types import InputError


@dataclass(frozen=True)
class NodeConfig(Config):
    """Every parameter of the node."""

    node_name = "pose_regressor"

    model: tuple[str, ...] = texts(("box",), "bundles to load: files, or the names of shipped ones, such as box")
    objects: tuple[str, ...] = texts(
        (), "names of the objects to look for; empty: all that the bundles know", live=True
    )
    device: str = text(
        "auto",
        "where the network runs; auto takes CUDA if there is one",
        pattern=r"auto|cpu|cuda(:\d+)?",
        form="auto, cpu, cuda or cuda:N",
    )
    backend: str = choice(
        "auto",
        ("auto", "openvino", "onnxruntime", "torch"),
        "what runs the network; auto takes torch on a GPU, and on a CPU the fastest that is installed",
    )
    precision: str = choice(
        "auto",
        ("auto", "fp32", "bf16", "int8"),
        "arithmetic of the network; with openvino, auto takes bf16 if the CPU has it, else int8 if CPU and bundle have "
        "it, else fp32",
    )
    threads: int = count(
        0,
        "threads of the CPU that each network gets; 0: two for openvino and onnxruntime, or one if there are too few "
        "cores for several bundles at the same time; for torch as many as it takes",
        0,
        MOST_THREADS,
    )
    score_threshold: float = number(
        SCORE_THRESHOLD, "least score of a pose that is published", 0.0, 1.0, unit="probability", live=True
    )
    follow: bool = switch(
        True,
        "look only around the expected pose of an object that was found (faster); false: search every image as a whole",
        live=True,
    )
    smooth: bool = switch(
        True, "filter each object's motion, so that its pose trembles less; false: poses as measured", live=True
    )
    support_plane: bool = switch(
        False,
        "objects stand on one plane, such as a table: it is found in each image that shows several of them, and tells "
        "how far away they are; what stands elsewhere keeps its pose",
    )
    support_frame: str = frame(
        "",
        "TF frame whose x-y plane objects stand on, with z up; if TF does not know it, a plane is found; empty: none",
    )
    max_rate: float = number(
        0.0,
        "most images per second that are worked on; the others are dropped; 0: as many as the network manages",
        0.0,
        1000.0,
        unit="Hz",
        live=True,
    )
    camera_file: str = text(
        "",
        "camera file that replaces the camera_info topic: BOP camera.json, ROS calibration YAML, or a CameraInfo "
        "message as YAML; empty: none",
    )
    rectified: bool = switch(
        False,
        "images are rectified, as on image_rect, and seen through the P of their camera info; false: images are raw, "
        "and seen through its K and D",
    )
    frame_id: str = frame(
        "",
        "TF frame of the camera; empty: the frame_id of the image",
    )
    frame_prefix: str = frame(
        "",
        "begins the names of the objects' TF frames, <prefix><object>_<instance>",
        form="the start of a TF frame name, without spaces",
    )
    image_transport: str = choice(
        "raw",
        ("raw", "compressed"),
        "how images come: raw (sensor_msgs/Image) or compressed (CompressedImage on <image>/compressed, JPEG or PNG)",
    )
    image_reliability: str = choice(
        "best_effort",
        ("best_effort", "reliable"),
        "QoS requested from image publishers; best_effort accepts both kinds, and drops frames rather than delay them",
    )
    camera_info_reliability: str = choice(
        "best_effort",
        ("best_effort", "reliable"),
        "QoS requested from camera_info publishers; best_effort accepts both kinds",
    )
    depth_topic: str = text(
        "",
        "topic of depth: Image in 16UC1 millimetres or 32FC1 metres; CompressedImage if the name ends with "
        "/compressedDepth or /compressed; empty: no depth",
    )
    depth_info_topic: str = text(
        "",
        "camera info of the depth camera; with it the node registers depth to the image, by the transform from TF; "
        "empty: depth is aligned to the image",
    )
    depth_rectified: bool = switch(
        False,
        "with depth_info_topic: depth is rectified, and seen through the P of its camera info, not its K and D",
    )
    depth_tolerance: float = number(
        0.02, "most time between the stamps of an image and of its depth", 0.0, 1.0, unit="s", live=True
    )
    depth_patience: float = number(
        0.05,
        "longest time that an image waits for depth which comes later; then it is answered without",
        0.0,
        1.0,
        unit="s",
        live=True,
    )
    depth_reliability: str = choice(
        "best_effort",
        ("best_effort", "reliable"),
        "QoS requested from publishers of depth and of its camera info; best_effort accepts both kinds",
    )
    overlay: bool = switch(
        True, "publish the image with the poses drawn on it; costs nothing without a subscriber", live=True
    )
    meshes: tuple[str, ...] = texts(
        (),
        "what RViz shows for an object, as object=URI of its mesh; others are shown as the coarse mesh in the bundle, "
        "or as their box",
        pattern=r"[A-Za-z_]\w*=(package|file|https?)://\S+",
        form="OBJECT=URI with a URI that begins with package://, file:// or http(s)://",
    )
    mesh_scale: float = number(1.0, "length of one unit of those meshes: 0.001 for millimetres", 1e-6, 1000.0, unit="m")
    autostart: bool = switch(
        True, "configure and activate at once; false: wait for a lifecycle manager (ros2 lifecycle set)"
    )

    @property
    def runs(self) -> tuple[str, str, int]:
        """What runs the network: backend, precision, threads."""
        return self.backend, self.precision, self.threads

    @property
    def on_plane(self) -> bool:
        """Whether objects stand on a plane, found or known."""
        return self.support_plane or bool(self.support_frame)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.model:
            raise InputError("model: expected at least one bundle, got none")
        if self.rectified and self.camera_file:
            raise InputError("rectified: applies to the camera_info topic, expected no camera_file with it")
        if self.depth_info_topic and not self.depth_topic:
            raise InputError("depth_info_topic: applies to depth, expected depth_topic with it")
        if self.depth_rectified and not self.depth_info_topic:
            raise InputError(
                "depth_rectified: applies to depth_info_topic, expected one; aligned depth is seen as the image"
            )


PARAMETERS: tuple[Parameter, ...] = NodeConfig.table()
