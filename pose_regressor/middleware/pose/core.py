"""What both nodes do with images, in neither's words: messages in, poses out, one frame at a time in its own thread."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from pose_regressor.files.cameras import load_camera
from pose_regressor.middleware.kit.counts import INACTIVE, LATENCIES, RATE_LIMITED, Counts, Latency
from pose_regressor.middleware.kit.memory import free_device_memory
from pose_regressor.middleware.kit.pacing import paced
from pose_regressor.middleware.kit.worker import Log, RateLimit, Worker
from pose_regressor.middleware.messages.compressed import frame_from_compressed
from pose_regressor.middleware.messages.images import camera_from_info, frame_from_image
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.middleware.pose.tracker import Tracking
from pose_regressor.sources import Source
from pose_regressor.types import Camera, Frame, InputError, PoseEstimate

#: Seconds until subscribers have heard of new publishers: what is published before is lost to them.
SETTLE = 0.3
#: The receiver only takes and hands on, so its queue is empty but for hiccups. In a shorter one images would be
#: overwritten uncounted.
IMAGE_DEPTH = 5


class Publishing(Protocol):
    """Where answers go. `overlay` and `markers` may take their time, the poses do not wait for them."""

    def poses(self, frame: Frame, estimates: list[PoseEstimate]) -> None: ...
    def overlay(self, frame: Frame, estimates: list[PoseEstimate]) -> None: ...
    def overlay_wanted(self) -> bool:
        """Whether anybody reads it."""

    def markers(self, frame: Frame, estimates: list[PoseEstimate]) -> None: ...
    def markers_wanted(self) -> bool: ...


def publish_source(
    source: Source, rate: float | None, config: NodeConfig, tracker: Tracking, output: Publishing, log: Log
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
            output.poses(frame, estimates)
            _show(config, output, frame, estimates)
            frames, poses = frames + 1, poses + len(estimates)
    finally:
        log.info(f"{source.name}: {poses} poses in {frames} frames")


class NodeCore:
    """Image and CameraInfo messages in, poses to `output`; the newest image only. Inactive until `start`.

    The newest camera info counts, whenever it came; with `camera_file` none is needed. Every processed frame is
    published, also with no estimates. `output` is called in the core's own threads. All methods may be called from any
    thread; `on_image` and `on_camera_info` return at once.
    """

    def __init__(self, config: NodeConfig, tracker: Tracking, output: Publishing, log: Log) -> None:
        self._config = self._tuned = config
        self._tracker, self._output, self._log = tracker, output, log
        self._fixed_camera = load_camera(config.camera_file) if config.camera_file else None
        # A camera, or why there is none; replaced as a whole, so that the worker's thread sees the one or the other.
        self._camera: Camera | InputError = self._fixed_camera or InputError(
            "no camera info yet, expected one on the camera_info topic (or the parameter camera_file)"
        )
        self._index = 0
        self._limit = RateLimit(config.max_rate)
        self._active = self._afresh = False
        self._publishing = threading.Lock()
        self._latencies: deque[Latency] = deque(maxlen=LATENCIES)
        self._worker: Worker[tuple[float, Any]] = Worker(self._work, log)
        compressed = config.image_transport == "compressed"
        self._decoder: Worker[tuple[float, Any]] | None = Worker(self._decode, log) if compressed else None
        self._overlay: Worker[tuple[NodeConfig, Frame, list[PoseEstimate]]] = Worker(self._draw, log, what="overlay")

    @property
    def wants_camera_info(self) -> bool:
        return self._fixed_camera is None

    @property
    def counts(self) -> Counts:
        last = self._worker.counts
        if self._decoder is None:
            return last
        first = self._decoder.counts
        return Counts(first.received, last.processed, first.dropped + last.dropped)

    @property
    def latencies(self) -> list[Latency]:
        """Of the last images answered, oldest first."""
        return list(self._latencies.copy())

    def start(self) -> None:
        self._afresh = True  # what was seen before the pause is no place to look
        self._active = True

    def pause(self) -> None:
        """From its return on nothing is published; the tracker stays as it is."""
        with self._publishing:
            self._active = False
        for worker in self._stages:
            worker.clear(INACTIVE)

    def wait_idle(self, timeout: float) -> bool:
        """Once paused: waits for the frame in work. False: it takes longer than `timeout` seconds."""
        return all(worker.wait_idle(timeout) for worker in self._stages)

    def stop(self, timeout: float = 1.0) -> bool:
        """Ends the threads and says what came of all frames. False: a frame is still in work."""
        self.pause()
        ended = all(worker.stop(timeout) for worker in self._stages)
        self._overlay.stop(timeout)  # one that nobody takes holds nothing
        self._log.info(f"images: {self.counts}")
        return ended

    def tune(self, config: NodeConfig) -> None:
        """From the next frame on. InputError, and nothing changes: an object that no bundle knows."""
        self._tracker.wanted(config.objects)
        self._limit.rate = config.max_rate
        self._config = config

    def on_camera_info(self, msg: Any) -> None:
        if not self.wants_camera_info:
            return
        try:
            camera = camera_from_info(msg, self._config.rectified)
        except InputError as error:
            self._camera = error
            return
        if not (isinstance(self._camera, Camera) and _same(camera, self._camera)):
            self._camera = camera  # else the old one stays: what was worked out for it need not be anew

    def on_image(self, msg: Any) -> None:
        """A sensor_msgs/Image, or with `image_transport` compressed a sensor_msgs/CompressedImage."""
        now = time.monotonic()
        if not self._active:
            self._stages[0].skip(INACTIVE)
        elif not self._limit.passes(now):
            self._stages[0].skip(RATE_LIMITED)
        else:
            self._stages[0].submit((now, msg))

    def reject(self, reason: str) -> None:
        """An image that arrived and could not be read as a message."""
        self._stages[0].reject(reason)

    @property
    def _stages(self) -> list[Worker[tuple[float, Any]]]:
        return [self._worker] if self._decoder is None else [self._decoder, self._worker]

    def _frame(self, msg: Any, convert: Callable[[Any, Camera, str, int], Frame]) -> Frame:
        camera = self._camera
        if isinstance(camera, InputError):
            raise InputError(str(camera))
        frame = convert(msg, camera, self._config.frame_id, self._index)
        self._index += 1
        return frame

    def _decode(self, item: tuple[float, Any]) -> None:
        arrived, msg = item
        self._worker.submit((arrived, self._frame(msg, frame_from_compressed)))

    def _work(self, item: tuple[float, Any]) -> str | None:
        arrived, msg = item
        frame = msg if self._decoder else self._frame(msg, frame_from_image)
        config = self._config  # not that of after the answer, which may be why it is changed
        estimates = self._track(frame)
        with self._publishing:
            if not self._active:
                return INACTIVE
            self._output.poses(frame, estimates)
        now = time.monotonic()
        self._latencies.append(Latency(now, now - arrived))
        if (config.overlay and self._output.overlay_wanted()) or self._output.markers_wanted():
            self._overlay.submit((config, frame, estimates))
        return None

    def _track(self, frame: Frame) -> list[PoseEstimate]:
        config = self._config
        if config is not self._tuned:
            self._tracker.tune(config.follow, config.objects, config.score_threshold, config.smooth)
            self._tuned = config
        if self._afresh:
            self._afresh = False
            self._tracker.reset()
        try:
            return self._tracker.update(frame)
        except Exception:
            self._tracker.reset()  # what it remembers may be what it fails on: the next frame starts afresh
            free_device_memory()  # and so may be what it ran out of
            raise

    def _draw(self, item: tuple[NodeConfig, Frame, list[PoseEstimate]]) -> None:
        config, frame, estimates = item
        _show(config, self._output, frame, estimates)


def _show(config: NodeConfig, output: Publishing, frame: Frame, estimates: list[PoseEstimate]) -> None:
    """Publishes what is for people, as far as anybody reads it."""
    if output.markers_wanted():
        output.markers(frame, estimates)
    if config.overlay and output.overlay_wanted():
        output.overlay(frame, estimates)


def _same(a: Camera, b: Camera) -> bool:
    return (
        (a.width, a.height, a.distortion_model) == (b.width, b.height, b.distortion_model)
        and np.array_equal(a.matrix, b.matrix)
        and np.array_equal(a.distortion, b.distortion)
    )
