"""Collects the transforms that arrive on /tf, for listeners over any middleware."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pose_regressor.middleware.messages.images import stamp_from_message
from pose_regressor.types import FloatArray


@dataclass(frozen=True, eq=False)
class StampedTransform:
    """One transform as it came.

    stamp: ns since the epoch, of the image that it was seen in.
    received: ns since the epoch, when it arrived.
    frame_id, child: the parent's and the child's TF frame.
    translation: (3,) in metres.
    quaternion: (4,) xyzw.
    """

    stamp: int
    received: int
    frame_id: str
    child: str
    translation: FloatArray
    quaternion: FloatArray


class TransformCollector:
    """Takes every tf2_msgs/TFMessage in `on_tf`, from any thread."""

    def __init__(self) -> None:
        self._transforms: list[StampedTransform] = []
        self._changed = threading.Condition()

    @property
    def transforms(self) -> list[StampedTransform]:
        """All that arrived so far, oldest first."""
        with self._changed:
            return list(self._transforms)

    def wait(self, until: Callable[[list[StampedTransform]], bool], timeout: float) -> bool:
        """Waits until ``until(transforms)`` is true. False: that took longer than `timeout` seconds."""
        with self._changed:
            return bool(self._changed.wait_for(lambda: until(self._transforms), timeout))

    def on_tf(self, msg: Any) -> None:
        now = time.time_ns()
        with self._changed:
            for t in msg.transforms:
                p, q = t.transform.translation, t.transform.rotation
                self._transforms.append(
                    StampedTransform(
                        stamp_from_message(t.header.stamp),
                        now,
                        t.header.frame_id,
                        t.child_frame_id,
                        np.array((p.x, p.y, p.z)),
                        np.array((q.x, q.y, q.z, q.w)),
                    )
                )
            self._changed.notify_all()
