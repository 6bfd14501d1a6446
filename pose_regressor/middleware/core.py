"""What both nodes do, in neither's words: raw messages in, poses out, one frame at a time in a thread of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from pose_regressor.assets import find_model
from pose_regressor.files import load_camera
from pose_regressor.middleware.messages import camera_from_info, frame_from_image
from pose_regressor.middleware.pacing import paced
from pose_regressor.middleware.parameters import NodeConfig
from pose_regressor.middleware.worker import Counts, Log, Worker
from pose_regressor.sources import Source
from pose_regressor.types import Camera, Frame, InputError, PoseEstimate

#: Seconds until subscribers have heard of new publishers: what is published before is lost to them.
SETTLE = 0.3

Publish = Callable[[Frame, list[PoseEstimate]], object]


class Tracking(Protocol):
    """What the nodes ask of a tracker."""

    def update(self, frame: Frame) -> list[PoseEstimate]: ...
    def reset(self) -> None: ...


def open_tracker(config: NodeConfig) -> Tracking:
    """Loads the bundles onto the device and warms the network up. InputError: a bundle that cannot be used, an object
    that no bundle knows, a device that is not there."""
    # Imported late: torch takes seconds, and a wrong parameter should be said before.
    from pose_regressor.estimator import PoseEstimator
    from pose_regressor.tracker import Tracker

    estimator = PoseEstimator([find_model(m) for m in config.model], config.device, config.score_threshold)
    tracker = Tracker(estimator, config.follow, config.objects)
    camera = load_camera(config.camera_file) if config.camera_file else None
    estimator.warm_up(*((camera.width, camera.height) if camera else (640, 480)))
    return tracker


def publish_source(
    source: Source, rate: float | None, config: NodeConfig, tracker: Tracking, publish: Publish, log: Log
) -> None:
    """The poses in a source's frames, every frame in its time; says at the end, also at an early one, what came of it.

    The frames are in `config.frame_id` (empty: camera) and stamped with the time now.
    """
    frames = poses = 0
    time.sleep(SETTLE)
    log.info(f"ready: images from {source.name}, poses on /tf")
    try:
        for frame in paced(source, rate, config.frame_id or "camera"):
            estimates = tracker.update(frame)
            publish(frame, estimates)
            frames, poses = frames + 1, poses + len(estimates)
    finally:
        log.info(f"{source.name}: {poses} poses in {frames} frames")


def _same(a: Camera, b: Camera) -> bool:
    return (
        (a.width, a.height, a.distortion_model) == (b.width, b.height, b.distortion_model)
        and np.array_equal(a.matrix, b.matrix)
        and np.array_equal(a.distortion, b.distortion)
    )


class NodeCore:
    """Image and CameraInfo messages in, ``publish(frame, estimates)`` out; the newest image only.

    The newest camera info counts, whenever it came; with `camera_file` none is needed. Every processed frame is
    published, also with no estimates. `publish` is called in the worker's thread. `on_image` and `on_camera_info` may
    be called from any thread and return at once.
    """

    def __init__(self, config: NodeConfig, tracker: Tracking, publish: Publish, log: Log) -> None:
        self.config = config
        self._tracker, self._publish, self._log = tracker, publish, log
        self._fixed_camera = load_camera(config.camera_file) if config.camera_file else None
        # A camera, or why there is none; replaced as a whole, so that the worker's thread sees the one or the other.
        self._camera: Camera | InputError = self._fixed_camera or InputError(
            "no camera info yet, expected one on the camera_info topic (or the parameter camera_file)"
        )
        self._index = 0
        self._worker: Worker[Any] = Worker(self._process, log)

    @property
    def wants_camera_info(self) -> bool:
        return self._fixed_camera is None

    @property
    def counts(self) -> Counts:
        return self._worker.counts

    def on_camera_info(self, msg: Any) -> None:
        if not self.wants_camera_info:
            return
        try:
            camera = camera_from_info(msg)
        except InputError as error:
            self._camera = error
            return
        if not (isinstance(self._camera, Camera) and _same(camera, self._camera)):
            self._camera = camera  # else the old one stays: what was worked out for it need not be anew

    def on_image(self, msg: Any) -> None:
        self._worker.submit(msg)

    def reject(self, reason: str) -> None:
        """An image that arrived and could not be read as a message."""
        self._worker.reject(reason)

    def stop(self) -> None:
        """Ends within two seconds and says what came of all frames."""
        if not self._worker.stop():
            self._log.warning("stopped with a frame still in work")
        self._log.info(f"images: {self.counts}")

    def _process(self, msg: Any) -> None:
        camera = self._camera
        if isinstance(camera, InputError):
            raise InputError(str(camera))
        frame = frame_from_image(msg, camera, self.config.frame_id, self._index)
        self._index += 1
        try:
            estimates = self._tracker.update(frame)
        except Exception:
            self._tracker.reset()  # what it remembers may be what it fails on: the next frame starts afresh
            raise
        self._publish(frame, estimates)
