"""Depth for node_latency.py: made for the clip's frames, sent beside the images, and what it costs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from headlines import Headline
from numpy.typing import NDArray

from pose_regressor.middleware.dds.participant import Participant
from pose_regressor.middleware.messages.depth import depth_message
from pose_regressor.middleware.messages.images import camera_info_message, header
from pose_regressor.middleware.pose.managed import open_tracker
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.middleware.wire import idl
from pose_regressor.types import Camera, Frame, InputError, PoseEstimate

#: What the node is told of depth, by mode. The registered one is in a frame of its own, which has the image's place.
MODES: dict[str, dict[str, Any]] = {
    "off": {},
    "aligned": {"depth_topic": "depth", "depth_reliability": "reliable"},
    "registered": {"depth_topic": "depth", "depth_info_topic": "depth_info", "depth_reliability": "reliable"},
}
WALL = 1.5  # metres from the camera
NOISE = 0.002  # metres
LEAST_USED = 0.9  # share of the images that must have had depth


class DepthCamera:
    """Sends the depth of frames before their images."""

    def __init__(self, participant: Participant, mode: str) -> None:
        self._frame_id = "depth_camera" if mode == "registered" else "camera"
        self._depths = self._infos = None
        if mode == "off":
            return
        self._depths = participant.writer("depth", idl.Image, reliable=True, depth=1)
        writers = [self._depths]
        if mode == "registered":
            self._infos = participant.writer("depth_info", idl.CameraInfo, reliable=True, depth=1)
            self._tf = participant.writer("/tf", idl.TFMessage, reliable=True, depth=1)
            writers += [self._infos, self._tf]
        while not all(writer.matched_sub for writer in writers):
            time.sleep(0.01)

    def message(self, frame: Frame) -> Any:
        """The frame's depth as a message without its time; None without depth."""
        return None if self._depths is None else depth_message(idl, frame.depth, 0, self._frame_id)

    def send(self, message: Any, camera: Camera, stamp: int) -> None:
        """Sends what `message` made, as measured at `stamp` (ns); camera: of the frame."""
        if self._depths is None:
            return
        if self._infos is not None:
            self._infos.write(camera_info_message(idl, camera, stamp, self._frame_id))
            still = idl.Transform(idl.Vector3(0.0, 0.0, 0.0), idl.Quaternion(0.0, 0.0, 0.0, 1.0))
            # A little older than the image, so that nobody takes it for the image's answer.
            stamped = header(idl, stamp - 1000, "camera")
            self._tf.write(idl.TFMessage([idl.TransformStamped(stamped, self._frame_id, still)]))
        message.header.stamp = idl.Time(*divmod(stamp, 1_000_000_000))
        self._depths.write(message)


def with_depth(frames: Sequence[Frame], model: str) -> list[Frame]:
    """The frames with depth of the box around each object that is found in them, before a wall."""
    tracker, rng = open_tracker(NodeConfig(model=(model,))), np.random.default_rng(0)
    return [replace(frame, depth=_drawn(frame.camera, tracker.update(frame), rng)) for frame in frames]


def _drawn(camera: Camera, poses: Sequence[PoseEstimate], rng: np.random.Generator) -> NDArray[np.float32]:
    """(H, W) metres."""
    x, y = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ np.linalg.inv(camera.matrix).T
    depth = np.full(x.shape, WALL)
    for pose in poses:
        start, ways = -pose.rotation.T @ pose.translation, rays @ pose.rotation
        with np.errstate(divide="ignore", invalid="ignore"):
            sides = (pose.model.bounds[:, None, None] - start) / ways
        into, out = np.nanmin(sides, axis=0).max(-1), np.nanmax(sides, axis=0).min(-1)
        depth = np.where((into < out) & (into > 0), np.minimum(into, depth), depth)
    return (depth + rng.normal(0, NOISE, depth.shape)).astype(np.float32)


def check_depth_used(core: Any) -> None:
    """InputError if the node used the depth of too few images: then the times say nothing."""
    if core.depth and core.depth.counts.processed < LEAST_USED * core.depth.counts.received:
        raise InputError(f"too few images had depth: {core.depth.counts}")


class Timed(Protocol):
    """A run of the node: its mode, and the median time from message to transform in ms."""

    mode: str
    total: float


def depth_headlines(rows: Sequence[Timed]) -> list[Headline]:
    """What depth costs a followed frame: the median of the runs of each mode."""
    times = {
        mode: statistics.median(row.total for row in rows if row.mode == f"follow{rest}")
        for mode, rest in (("off", ""), ("aligned", ", aligned"), ("registered", ", registered"))
    }
    off = times["off"]
    return [
        Headline(f"followed VGA frame with {mode} depth", times[mode], "ms", "without", off, times[mode] / off, ".2f")
        for mode in ("aligned", "registered")
    ]
