"""The parameters of the fusion node."""

from __future__ import annotations

from dataclasses import dataclass

from pose_regressor.settings import Config, frame, number, switch, texts
from pose_regressor.types import InputError


@dataclass(frozen=True)
class FusionConfig(Config):
    """Every parameter of the fusion node."""

    node_name = "pose_regressor_fusion"

    fixed_frame: str = frame(
        "world",
        "TF frame in which the cameras' places are known and the fused poses are published",
    )
    detections: tuple[str, ...] = texts(
        ("/pose_regressor/detections",),
        "topics of the cameras' poses (vision_msgs/Detection3DArray); several cameras may share one, since the "
        "frame_id of their messages tells them apart",
    )
    model: tuple[str, ...] = texts(
        (), "bundles of the objects: files, or the names of shipped ones; needed for objects that have symmetries"
    )
    window: float = number(
        0.05,
        "images of several cameras belong together if their times differ by no more than this",
        0.0,
        10.0,
        unit="s",
    )
    smooth: bool = switch(
        True, "filter each object's motion, so that its pose trembles less; false: poses as measured", live=True
    )
    frame_prefix: str = frame(
        "",
        "begins the names of the objects' TF frames, <prefix><object>_<instance>",
        form="the start of a TF frame name, without spaces",
    )
    autostart: bool = switch(
        True, "configure and activate at once; false: wait for a lifecycle manager (ros2 lifecycle set)"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.detections:
            raise InputError("detections: expected at least one topic, got none")
