"""The parameters of the fusion node."""

from __future__ import annotations

from dataclasses import dataclass

from pose_regressor.settings import Config, parameter
from pose_regressor.types import InputError


@dataclass(frozen=True)
class FusionConfig(Config):
    """Every parameter of the fusion node."""

    node_name = "pose_regressor_fusion"

    fixed_frame: str = parameter(
        "string",
        "world",
        "TF frame that the cameras' places are known in, and in which the fused poses are published",
        pattern=r"[^\s/][^\s]*",
        form="a TF frame name without spaces and not starting with '/'",
    )
    detections: tuple[str, ...] = parameter(
        "string_array",
        ("/pose_regressor/detections",),
        "topics of the cameras' poses (vision_msgs/Detection3DArray); several cameras may share one, they are told "
        "apart by the frame_id of their messages",
    )
    model: tuple[str, ...] = parameter(
        "string_array",
        (),
        "bundles of the objects: files, or the names of shipped ones; needed for objects that have symmetries",
    )
    window: float = parameter(
        "float",
        0.05,
        "images of different cameras that are at most so far apart in time are taken for one moment",
        unit="s",
        low=0.0,
        high=10.0,
    )
    smooth: bool = parameter(
        "bool", True, "publish poses from a filter of each object's motion, which tremble less", live=True
    )
    frame_prefix: str = parameter(
        "string",
        "",
        "put before the names of the objects' TF frames, <prefix><object>_<instance>",
        pattern=r"([^\s/][^\s]*)?",
        form="the start of a TF frame name, without spaces and not starting with '/'",
    )
    autostart: bool = parameter(
        "bool", True, "configure and activate at once; false: wait for a lifecycle manager (ros2 lifecycle set)"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.detections:
            raise InputError("detections: expected at least one topic, got none")
