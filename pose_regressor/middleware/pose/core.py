"""The work of the pose node: image messages in, poses out, one frame at a time in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pose_regressor.files.cameras import load_camera
from pose_regressor.geometry.camera_info import camera_from_info
from pose_regressor.middleware.kit.counts import INACTIVE, LATENCIES, RATE_LIMITED, Counts, Latency
from pose_regressor.middleware.kit.log import Log
from pose_regressor.middleware.kit.memory import free_device_memory
from pose_regressor.middleware.kit.worker import RateLimit, Worker
from pose_regressor.middleware.messages.compressed import frame_from_compressed
from pose_regressor.middleware.messages.images import frame_from_image, image_stamp
from pose_regressor.middleware.pose.depth import DepthInput
from pose_regressor.middleware.pose.pairing import DepthMessage, Pairing
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.middleware.pose.plane import PlaneInput
from pose_regressor.types import Camera, Frame, InputError, PoseEstimate

NO_CAMERA_INFO = "no camera info yet"


class Tracking(Protocol):
    """A tracker, as far as the node needs one. Only `wanted` may be called by several threads at a time."""

    @property
    def device(self) -> str:
        """Where the network runs: cpu, cuda or cuda:N."""

    @property
    def execution(self) -> str:
        """What runs the network, in words, for the log."""

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


@dataclass(frozen=True, eq=False)
class _Job:
    """An image on its way to its answer.

    arrived: when its message came (time.monotonic).
    image: the message; once it is decompressed, the Frame.
    depth: the depth message of its time, or why there is none; None while that is not decided, or without depth.
    """

    arrived: float
    image: Any
    depth: DepthMessage | InputError | None = None


class NodeCore:
    """Turns Image and CameraInfo messages into poses for `output`. Always works on the newest image.

    It takes images from `start` on. The newest camera info counts, whenever it came; with the parameter `camera_file`
    none is needed. Every image that is processed is published, even if nothing is found in it. `output` is called in
    the core's own threads. All methods are thread-safe; those that take messages return at once.

    depth: what adds depth to the images; None: they have none. `on_depth` takes its messages.
    plane: what adds the plane that objects stand on; None: it is not on TF.
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
        self._worker: Worker[_Job] = Worker(self._work, log)
        self.depth = DepthInput(config, log) if config.depth_topic else None
        self.plane = PlaneInput(config.support_frame, log) if config.support_frame else None
        self._pairing: Pairing[_Job] | None = None
        if self.depth:
            self._pairing = Pairing(self._paired, config.depth_tolerance, config.depth_patience, log)
        compressed = config.image_transport == "compressed"
        self._decoder: Worker[_Job] | None = Worker(self._decode, log) if compressed else None
        # Where images come by, in this order.
        stages = (self._decoder, self._pairing, self._worker)
        self._stages: list[Worker[_Job] | Pairing[_Job]] = [stage for stage in stages if stage]
        self._overlay: Worker[tuple[NodeConfig, Frame, list[PoseEstimate]]] = Worker(self._draw, log, what="overlay")

    @property
    def wants_camera_info(self) -> bool:
        return self._fixed_camera is None

    @property
    def counts(self) -> Counts:
        """What became of the images so far."""
        # The last stage is read first, so that an image that moves on in the meantime is not counted twice.
        counts = [stage.counts for stage in reversed(self._stages)]
        dropped = sum((stage.dropped for stage in counts), Counter())
        return Counts(counts[-1].received, counts[0].processed, dropped)

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
        if self._pairing:
            self._pairing.tune(config.depth_tolerance, config.depth_patience)
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
        if not (isinstance(self._camera, Camera) and camera.same_as(self._camera)):
            self._camera = camera  # an equal one is not replaced: what was computed for it stays valid

    def on_image(self, msg: Any) -> None:
        """Takes a sensor_msgs/Image; if `image_transport` is compressed, a sensor_msgs/CompressedImage."""
        now = time.monotonic()
        if not self._active:
            self._stages[0].skip(INACTIVE)
        elif not self._limit.passes(now):
            self._stages[0].skip(RATE_LIMITED)
        else:
            job = _Job(now, msg)
            self._decoder.submit(job) if self._decoder else self._pair(job)

    def reject(self, error: InputError) -> None:
        """Counts an image that arrived but could not be read as a message."""
        self._stages[0].reject(error)

    def on_depth(self, msg: Any) -> None:
        """Takes a sensor_msgs/Image, or CompressedImage, from the parameter `depth_topic`."""
        if not (self._active and self.depth and self._pairing):
            return
        try:
            stamp = image_stamp(msg)
        except InputError as error:
            self.depth.count_message(error.of("depth"))
            return
        self.depth.count_message()
        self._pairing.on_depth(msg, stamp)

    def _pair(self, job: _Job) -> None:
        """Lets the image wait for its depth, if depth is wanted."""
        if self._pairing is None:
            self._worker.submit(job)
            return
        try:
            stamp = job.image.stamp if isinstance(job.image, Frame) else image_stamp(job.image)
        except InputError as error:
            self._pairing.reject(error)
            return
        self._pairing.submit(job, stamp)

    def _paired(self, job: _Job, depth: DepthMessage | InputError) -> None:
        self._worker.submit(replace(job, depth=depth))

    def _frame(self, msg: Any, convert: Callable[[Any, Camera, str, int], Frame]) -> Frame:
        camera = self._camera
        if isinstance(camera, InputError):
            raise InputError(camera.reason, camera.detail)  # a new one: a traceback would grow with every raise
        frame = convert(msg, camera, self._config.frame_id, self._index)
        self._index += 1
        return frame

    def _decode(self, job: _Job) -> None:
        self._pair(replace(job, image=self._frame(job.image, frame_from_compressed)))

    def _work(self, job: _Job) -> str | None:
        frame = job.image if self._decoder else self._frame(job.image, frame_from_image)
        if self.depth and job.depth:
            frame = self.depth.added_to(frame, job.depth)
        if self.plane:
            frame = self.plane.added_to(frame)
        config = self._config  # taken before the answer, which may lead somebody to change it
        estimates = self._track(frame)
        with self._publishing:
            if not self._active:
                return INACTIVE
            self._output.poses(frame, estimates)
        now = time.monotonic()
        self._latencies.append(Latency(now, now - job.arrived))
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
