"""Where each TF frame is in each other, at a time: what tf2's buffer is to ROS 2, for the node that has none."""

from __future__ import annotations

import threading
from bisect import bisect
from collections.abc import Sequence
from typing import Any

import numpy as np

from pose_regressor.geometry.rigid import difference, moved
from pose_regressor.geometry.so3 import from_quaternion
from pose_regressor.middleware.messages.images import NANOSECONDS, stamp_from_message
from pose_regressor.types import FloatArray, InputError

#: Seconds of the past that are kept of each frame, as tf2 does.
KEPT = 10.0
#: And no more transforms and frames than these, whoever sends them.
MOST_KEPT, MOST_FRAMES = 2000, 10_000


def pose_of(transform: Any) -> FloatArray | None:
    """geometry_msgs/Transform -> (4, 4), None if it is not one."""
    p, q = transform.translation, transform.rotation
    return rigid((p.x, p.y, p.z), (q.x, q.y, q.z, q.w))


def rigid(translation: Sequence[float], quaternion: Sequence[float]) -> FloatArray | None:
    """(3,) and (4,) xyzw -> (4, 4), None if there is no such pose."""
    pose, turn = np.eye(4), np.array(quaternion, dtype=np.float64)
    pose[:3, 3] = translation
    if not np.isfinite(pose).all() or not 1e-3 < np.linalg.norm(turn) < 1e3:
        return None
    pose[:3, :3] = from_quaternion(turn)
    return pose


class _Edge:
    """A frame's place in its parent, over time; static: always the same."""

    def __init__(self, parent: str, static: bool) -> None:
        self.parent, self.static = parent, static
        self.stamps: list[int] = []
        self.poses: list[FloatArray] = []

    def add(self, stamp: int, pose: FloatArray) -> None:
        if self.static:
            self.stamps, self.poses = [stamp], [pose]
            return
        if self.stamps and stamp < self.stamps[-1] - KEPT * NANOSECONDS:
            # The clock went back, as at the start of a recording that is played again: what was after is no more.
            self.stamps.clear()
            self.poses.clear()
        place = bisect(self.stamps, stamp)
        self.stamps.insert(place, stamp)
        self.poses.insert(place, pose)
        old = max(bisect(self.stamps, self.stamps[-1] - KEPT * NANOSECONDS), len(self.stamps) - MOST_KEPT)
        del self.stamps[:old], self.poses[:old]

    def at(self, stamp: int, child: str, patience: int) -> FloatArray:
        if self.static:
            return self.poses[0]
        after = bisect(self.stamps, stamp)
        if after == len(self.stamps) and stamp - self.stamps[-1] <= patience:
            return self.poses[-1]
        if after in (0, len(self.stamps)):
            newest = self.stamps[-1]
            late = f"{(stamp - newest) / NANOSECONDS:.3f} s after the newest" if after else "before the oldest"
            raise InputError(f"TF: no place of {child} in {self.parent} for that time, which is {late}")
        low, high = self.stamps[after - 1], self.stamps[after]
        step = difference(self.poses[after], self.poses[after - 1])
        return moved(self.poses[after - 1], step * ((stamp - low) / (high - low)))


class TransformTree:
    """Give every tf2_msgs/TFMessage of /tf and /tf_static to `on_tf` and `on_tf_static`, from any thread.

    patience: seconds for which a frame that is not heard of is taken to stay where it was.
    """

    def __init__(self, patience: float = 0.0) -> None:
        self._patience = round(patience * NANOSECONDS)
        self._edges: dict[str, _Edge] = {}
        self._lock = threading.Lock()

    def on_tf(self, msg: Any) -> None:
        self._take(msg, static=False)

    def on_tf_static(self, msg: Any) -> None:
        self._take(msg, static=True)

    def lookup(self, target: str, source: str, stamp: int) -> FloatArray:
        """(4, 4) target_from_source at a time in ns. InputError: nobody has said where they are in each other."""
        with self._lock:
            from_source = self._upwards(source, stamp)
            from_target = self._upwards(target, stamp)
        for frame, frame_from_target in from_target.items():
            if frame in from_source:
                return np.asarray(np.linalg.inv(frame_from_target) @ from_source[frame])
        raise InputError(
            f"TF: {source} is not known in {target}, expected transforms between them on /tf or /tf_static"
        )

    def _upwards(self, frame: str, stamp: int) -> dict[str, FloatArray]:
        """Of the frame and all above it: their own from the frame."""
        pose = np.eye(4)
        result = {frame: pose}
        while (edge := self._edges.get(frame)) and edge.parent not in result:
            pose = edge.at(stamp, frame, self._patience) @ pose
            frame = edge.parent
            result[frame] = pose
        return result

    def _take(self, msg: Any, static: bool) -> None:
        for t in msg.transforms:
            pose = pose_of(t.transform)
            if pose is None:
                continue  # as tf2 does with what is no transform
            child, parent = t.child_frame_id.lstrip("/"), t.header.frame_id.lstrip("/")
            with self._lock:
                edge = self._edges.get(child)
                if edge is None and len(self._edges) >= MOST_FRAMES:
                    continue
                if edge is None or (edge.parent, edge.static) != (parent, static):
                    edge = self._edges[child] = _Edge(parent, static)
                edge.add(stamp_from_message(t.header.stamp), pose)
