"""Collects the transforms on /tf and, if wanted, a node's answers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from pose_regressor.middleware.dds.participant import Listening, Participant
from pose_regressor.middleware.kit.log import Log
from pose_regressor.middleware.kit.pacing import Answers
from pose_regressor.middleware.messages.transforms import StampedTransform, TransformCollector
from pose_regressor.middleware.wire import idl


class TfListener(TransformCollector):
    """Collects from when it is made until `close`; a context manager.

    detections: a node's topic of detections, which tell which images it answered; "" listens to transforms only
    diagnostics: called with each diagnostic_msgs/DiagnosticArray on /diagnostics; None: nobody asks
    answers: to those images, empty without `detections`
    """

    def __init__(
        self,
        topic: str = "/tf",
        log: Log | None = None,
        detections: str = "",
        diagnostics: Callable[[Any], object] | None = None,
    ) -> None:
        super().__init__()
        self.answers = Answers()
        self._participant = Participant("pose_regressor_listener")
        self._reader = self._participant.reader(topic, idl.TFMessage, reliable=True, depth=100)
        handlers: dict[Any, Callable[[Any], object]] = {self._reader: self.on_tf}
        if detections:
            reader = self._participant.reader(detections, idl.Detection3DArray, reliable=True, depth=100)
            handlers[reader] = self.answers.on_detections
        if diagnostics:
            reader = self._participant.reader("/diagnostics", idl.DiagnosticArray, reliable=True, depth=10)
            handlers[reader] = diagnostics
        self._listening = Listening(self._participant, handlers, log or logging.getLogger("pose_regressor"))

    @property
    def writers(self) -> int:
        """How many publishers of the transforms are there."""
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
