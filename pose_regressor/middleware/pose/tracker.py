"""What the nodes ask of a tracker, how one is made from their parameters, and how its memory is given back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from pose_regressor.assets import find_model
from pose_regressor.files.cameras import load_camera
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.types import Frame, PoseEstimate


class Tracking(Protocol):
    """All but `wanted` is called by one thread at a time. device: where the network runs, as torch names it."""

    @property
    def device(self) -> str: ...
    def wanted(self, objects: Sequence[str]) -> tuple[str, ...]:
        """`objects`, or all that are known if none are given. InputError: one that is not known."""

    def tune(self, follow: bool, objects: Sequence[str], score_threshold: float, smooth: bool) -> None: ...
    def update(self, frame: Frame) -> list[PoseEstimate]: ...
    def reset(self) -> None: ...


OpenTracker = Callable[[NodeConfig], Tracking]


def open_tracker(config: NodeConfig) -> Tracking:
    """Loads the bundles onto the device and warms the network up. InputError: a bundle that cannot be used, an object
    that no bundle knows, a device that is not there."""
    # Imported late: torch takes seconds, and a wrong parameter should be said before.
    from pose_regressor.estimation.estimator import PoseEstimator
    from pose_regressor.tracking.tracker import Tracker

    estimator = PoseEstimator(
        [find_model(m) for m in config.model], config.device, config.score_threshold, config.backend
    )
    tracker = Tracker(estimator, config.follow, config.objects, config.smooth)
    camera = load_camera(config.camera_file) if config.camera_file else None
    estimator.warm_up(*((camera.width, camera.height) if camera else (640, 480)))
    return tracker
