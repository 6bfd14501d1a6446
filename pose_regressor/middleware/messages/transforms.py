"""Collects the transforms that arrive on /tf. What both middlewares' listeners share."""

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
    """One transform as it came. stamp: ns, of the image it was seen in; received: ns since the epoch, when it arrived;
    translation: (3,) m; quaternion: (4,) xyzw."""

    stamp: int
    received: int
    frame_id: str
    child: str
    translation: FloatArray
    quaternion: FloatArray


class TransformCollector:
    """Give `on_tf` every tf2_msgs/TFMessage that comes, from any thread."""

    def __init__(self) -> None:
        self._transforms: list[StampedTransform] = []
        self._changed = threading.Condition()

    @property
    def transforms(self) -> list[StampedTransform]:
        with self._changed:
            return list(self._transforms)

    def wait(self, until: Callable[[list[StampedTransform]], bool], timeout: float) -> bool:
        """Waits until ``until(transforms)`` holds; False: it did not within `timeout` seconds."""
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
