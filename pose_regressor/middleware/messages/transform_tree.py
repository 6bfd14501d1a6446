"""The tree of TF frames over time: does what tf2's buffer does, for nodes without ROS 2."""

from __future__ import annotations

import threading
from bisect import bisect
from typing import Any

import numpy as np

from pose_regressor.geometry.rigid import difference, moved
from pose_regressor.middleware.messages.images import stamp_from_message
from pose_regressor.middleware.messages.poses import rigid
from pose_regressor.types import NANOSECONDS, FloatArray, InputError

#: The reason if nobody says where a frame is.
UNKNOWN_FRAME = "TF: a frame is not known in the other"
#: Seconds of the past that are kept for each frame, as in tf2.
KEPT = 10.0
#: Bounds of the memory, whatever is sent: transforms kept for each frame, and frames.
MOST_KEPT, MOST_FRAMES = 2000, 10_000


def pose_of(transform: Any) -> FloatArray:
    """geometry_msgs/Transform -> (4, 4). InputError: it is no pose."""
    return rigid(transform.translation, transform.rotation)


class _Edge:
    """A frame's place in its parent over time. A static one has one place for all times."""

    def __init__(self, parent: str, static: bool) -> None:
        self.parent, self.static = parent, static
        self.stamps: list[int] = []
        self.poses: list[FloatArray] = []

    def add(self, stamp: int, pose: FloatArray) -> None:
        if self.static:
            self.stamps, self.poses = [stamp], [pose]
            return
        if self.stamps and stamp < self.stamps[-1] - KEPT * NANOSECONDS:
            # The clock was set back, as when a recording is played again: forget what came after.
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
            raise InputError("TF: no transform for that time", f"of {child} in {self.parent}; the time is {late}")
        low, high = self.stamps[after - 1], self.stamps[after]
        step = difference(self.poses[after], self.poses[after - 1])
        return moved(self.poses[after - 1], step * ((stamp - low) / (high - low)))


class TransformTree:
    """Takes every tf2_msgs/TFMessage of /tf in `on_tf` and of /tf_static in `on_tf_static`, from any thread."""

    def __init__(self, patience: float = 0.0) -> None:
        """patience: seconds for which a frame that is no longer heard of is taken to stay where it was."""
        self._patience = round(patience * NANOSECONDS)
        self._edges: dict[str, _Edge] = {}
        self._lock = threading.Lock()

    def on_tf(self, msg: Any) -> None:
        self._take(msg, static=False)

    def on_tf_static(self, msg: Any) -> None:
        self._take(msg, static=True)

    def lookup(self, target: str, source: str, stamp: int) -> FloatArray:
        """(4, 4) target_from_source at a time in ns. InputError: no transforms connect the two at that time."""
        with self._lock:
            from_source = self._upwards(source, stamp)
            from_target = self._upwards(target, stamp)
        for frame, frame_from_target in from_target.items():
            if frame in from_source:
                return np.asarray(np.linalg.inv(frame_from_target) @ from_source[frame])
        expected = "expected transforms between them on /tf or /tf_static"
        raise InputError(UNKNOWN_FRAME, f"{source} is not known in {target}, {expected}")

    def _upwards(self, frame: str, stamp: int) -> dict[str, FloatArray]:
        """(4, 4) ancestor_from_frame, for the frame itself and for every frame above it."""
        pose = np.eye(4)
        result = {frame: pose}
        while (edge := self._edges.get(frame)) and edge.parent not in result:
            pose = edge.at(stamp, frame, self._patience) @ pose
            frame = edge.parent
            result[frame] = pose
        return result

    def _take(self, msg: Any, static: bool) -> None:
        for t in msg.transforms:
            try:
                pose = pose_of(t.transform)
            except InputError:
                continue  # tf2 ignores such a transform, too
            child, parent = t.child_frame_id.lstrip("/"), t.header.frame_id.lstrip("/")
            with self._lock:
                edge = self._edges.get(child)
                if edge is None and len(self._edges) >= MOST_FRAMES:
                    continue
                if edge is None or (edge.parent, edge.static) != (parent, static):
                    edge = self._edges[child] = _Edge(parent, static)
                edge.add(stamp_from_message(t.header.stamp), pose)
