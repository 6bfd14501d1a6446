"""The work of the pose node: image messages in, poses out, one frame at a time in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from pose_regressor.files.cameras import load_camera
from pose_regressor.geometry.camera_info import camera_from_info
from pose_regressor.middleware.kit.counts import INACTIVE, LATENCIES, RATE_LIMITED, Counts, Latency
from pose_regressor.middleware.kit.log import Log
from pose_regressor.middleware.kit.memory import free_device_memory
from pose_regressor.middleware.kit.worker import RateLimit, Worker
from pose_regressor.middleware.messages.compressed import frame_from_compressed
from pose_regressor.middleware.messages.images import frame_from_image
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.types import Camera, Frame, InputError, PoseEstimate

NO_CAMERA_INFO = "no camera info yet"


class Tracking(Protocol):
    """A tracker, as far as the node needs one. Only `wanted` may be called by several threads at a time."""

    @property
    def device(self) -> str:
        """Where the network runs, as torch names it."""

    def wanted(self, objects: Sequence[str]) -> tuple[str, ...]:
        """`objects`, or all known ones if none are given. InputError: one is not known."""

    def tune(self, follow: bool, objects: Sequence[str], score_threshold: float, smooth: bool) -> None: ...
    def update(self, frame: Frame) -> list[PoseEstimate]: ...
    def reset(self) -> None: ...


class Publishing(Protocol):
    """Where answers go. `overlay` and `markers` may be slow: the poses do not wait for them."""

    def poses(self, frame: Frame, estimates: list[PoseEstimate]) -> None: ...
    def overlay(self, frame: Frame, estimates: list[PoseEstimate]) -> None: ...
    def overlay_wanted(self) -> bool:
        """Whether anybody reads it."""

    def markers(self, frame: Frame, estimates: list[PoseEstimate]) -> None: ...
    def markers_wanted(self) -> bool:
        """Whether anybody reads them."""


class NodeCore:
    """Turns Image and CameraInfo messages into poses for `output`. Always works on the newest image.

    It takes images from `start` on. The newest camera info counts, whenever it came; with the parameter `camera_file`
    none is needed. Every image that is processed is published, even if nothing is found in it. `output` is called in
    the core's own threads. All methods are thread-safe; `on_image` and `on_camera_info` return at once.
    """

    def __init__(self, config: NodeConfig, tracker: Tracking, output: Publishing, log: Log) -> None:
        self._config = self._tuned = config
        self._tracker, self._output, self._log = tracker, output, log
        self._fixed_camera = load_camera(config.camera_file) if config.camera_file else None
        # The camera, or why there is none. Replaced as a whole, so that the worker's thread sees one or the other.
        self._camera: Camera | InputError = self._fixed_camera or InputError(
            NO_CAMERA_INFO, "expected one on the camera_info topic (or set the parameter camera_file)"
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
        """What became of the images so far."""
        last = self._worker.counts
        if self._decoder is None:
            return last
        first = self._decoder.counts
        return Counts(first.received, last.processed, first.dropped + last.dropped)

    @property
    def latencies(self) -> list[Latency]:
        """Of the last answers, oldest first."""
        return list(self._latencies.copy())

    def start(self) -> None:
        self._afresh = True  # what was seen before a pause does not say where to look now
        self._active = True

    def pause(self) -> None:
        """Once it returns, nothing is published any more. The tracker stays as it is."""
        with self._publishing:
            self._active = False
        for worker in self._stages:
            worker.clear(INACTIVE)

    def wait_idle(self, timeout: float) -> bool:
        """To be called after `pause`: waits for the frame in work. False: it takes longer than `timeout` seconds."""
        return all(worker.wait_idle(timeout) for worker in self._stages)

    def stop(self, timeout: float = 1.0) -> bool:
        """Ends the threads and logs what became of all images. False: a frame is still in work."""
        self.pause()
        ended = all(worker.stop(timeout) for worker in self._stages)
        self._overlay.stop(timeout)  # whether it ends in time does not matter: an overlay in work holds no model
        self._log.info(f"images: {self.counts}")
        return ended

    def tune(self, config: NodeConfig) -> None:
        """Changes the parameters from the next frame on. InputError: no bundle knows an object; nothing changes."""
        self._tracker.wanted(config.objects)
        self._limit.rate = config.max_rate
        self._config = config

    def on_camera_info(self, msg: Any) -> None:
        """Takes a sensor_msgs/CameraInfo. If it cannot be used, images are dropped until a good one comes."""
        if not self.wants_camera_info:
            return
        try:
            camera = camera_from_info(msg, self._config.rectified)
        except InputError as error:
            self._camera = error
            return
        if not (isinstance(self._camera, Camera) and _same(camera, self._camera)):
            self._camera = camera  # an equal one is not replaced: what was computed for it stays valid

    def on_image(self, msg: Any) -> None:
        """Takes a sensor_msgs/Image; if `image_transport` is compressed, a sensor_msgs/CompressedImage."""
        now = time.monotonic()
        if not self._active:
            self._stages[0].skip(INACTIVE)
        elif not self._limit.passes(now):
            self._stages[0].skip(RATE_LIMITED)
        else:
            self._stages[0].submit((now, msg))

    def reject(self, error: InputError) -> None:
        """Counts an image that arrived but could not be read as a message."""
        self._stages[0].reject(error)

    @property
    def _stages(self) -> list[Worker[tuple[float, Any]]]:
        return [self._worker] if self._decoder is None else [self._decoder, self._worker]

    def _frame(self, msg: Any, convert: Callable[[Any, Camera, str, int], Frame]) -> Frame:
        camera = self._camera
        if isinstance(camera, InputError):
            raise InputError(camera.reason, camera.detail)  # a new one: a traceback would grow with every raise
        frame = convert(msg, camera, self._config.frame_id, self._index)
        self._index += 1
        return frame

    def _decode(self, item: tuple[float, Any]) -> None:
        arrived, msg = item
        self._worker.submit((arrived, self._frame(msg, frame_from_compressed)))

    def _work(self, item: tuple[float, Any]) -> str | None:
        arrived, msg = item
        frame = msg if self._decoder else self._frame(msg, frame_from_image)
        config = self._config  # taken before the answer, which may lead somebody to change it
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
            self._tracker.reset()  # it may have failed on what it remembers: the next frame starts afresh
            free_device_memory()  # or it may have run out of memory
            raise

    def _draw(self, item: tuple[NodeConfig, Frame, list[PoseEstimate]]) -> None:
        config, frame, estimates = item
        show(config, self._output, frame, estimates)


def show(config: NodeConfig, output: Publishing, frame: Frame, estimates: list[PoseEstimate]) -> None:
    """Publishes markers and overlay, which are for people, if anybody reads them."""
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
