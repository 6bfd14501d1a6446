"""Collects the transforms on /tf."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pose_regressor.middleware.dds import idl
from pose_regressor.middleware.dds.participant import Listening, Participant
from pose_regressor.middleware.messages import stamp_from_message
from pose_regressor.middleware.worker import Log
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


class TfListener:
    """Collects from when it is made to `close`; a context manager."""

    def __init__(self, topic: str = "/tf", log: Log | None = None) -> None:
        self._participant = Participant("pose_regressor_listener")
        self._transforms: list[StampedTransform] = []
        self._changed = threading.Condition()
        self._reader = self._participant.reader(topic, idl.TFMessage, reliable=True, depth=100)
        self._listening = Listening(
            self._participant, {self._reader: self._on_tf}, log or logging.getLogger("pose_regressor")
        )

    @property
    def transforms(self) -> list[StampedTransform]:
        with self._changed:
            return list(self._transforms)

    @property
    def writers(self) -> int:
        """How many publishers of the topic are there."""
        return len(self._reader.matched_pub)

    def wait(self, until: Callable[[list[StampedTransform]], bool], timeout: float) -> bool:
        """Waits until ``until(transforms)`` holds; False: it did not within `timeout` seconds."""
        with self._changed:
            return bool(self._changed.wait_for(lambda: until(self._transforms), timeout))

    def _on_tf(self, msg: Any) -> None:
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

    def close(self) -> None:
        self._listening.stop()
        self._participant.close()

    def __enter__(self) -> TfListener:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def collect(
    until: Callable[[list[StampedTransform]], bool] = lambda _: False, timeout: float = 10.0
) -> list[StampedTransform]:
    """All transforms until ``until(transforms)`` holds or `timeout` seconds have passed."""
    with TfListener() as listener:
        listener.wait(until, timeout)
        return listener.transforms
