"""Collects the transforms on /tf, over DDS."""

from __future__ import annotations

import logging
from collections.abc import Callable

from pose_regressor.middleware.dds.participant import Listening, Participant
from pose_regressor.middleware.kit.log import Log
from pose_regressor.middleware.messages.transforms import StampedTransform, TransformCollector
from pose_regressor.middleware.wire import idl


class TfListener(TransformCollector):
    """Collects transforms from now on until `close`. As a context manager it closes at the end."""

    def __init__(self, topic: str = "/tf", log: Log | None = None) -> None:
        super().__init__()
        self._participant = Participant("pose_regressor_listener")
        self._reader = self._participant.reader(topic, idl.TFMessage, reliable=True, depth=100)
        self._listening = Listening(
            self._participant, {self._reader: self.on_tf}, log or logging.getLogger("pose_regressor")
        )

    @property
    def writers(self) -> int:
        """How many publishers the topic has now."""
        return len(self._reader.matched_pub)

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
    """All transforms that arrive until ``until(transforms)`` is true or `timeout` seconds have passed."""
    with TfListener() as listener:
        listener.wait(until, timeout)
        return listener.transforms
