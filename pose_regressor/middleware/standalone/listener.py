"""Collects the transforms on /tf and, if wanted, a node's answers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from pose_regressor.middleware.kit.endpoints import Subscription
from pose_regressor.middleware.kit.log import Log
from pose_regressor.middleware.kit.pacing import Answers
from pose_regressor.middleware.messages.transforms import StampedTransform, TransformCollector
from pose_regressor.middleware.standalone.participant import OpenParticipant
from pose_regressor.middleware.wire import idl

DEPTH = 100


class TfListener(TransformCollector):
    """Collects from when it is made until `close`; a context manager.

    detections: a node's topic of detections, which tell which images it answered; "" listens to transforms only
    diagnostics: called with each diagnostic_msgs/DiagnosticArray on /diagnostics; None: nobody asks
    answers: to those images, empty without `detections`
    """

    def __init__(
        self,
        open_participant: OpenParticipant,
        topic: str = "/tf",
        log: Log | None = None,
        detections: str = "",
        diagnostics: Callable[[Any], object] | None = None,
    ) -> None:
        super().__init__()
        self.answers, self._topic = Answers(), topic
        heard = [Subscription(topic, idl.TFMessage, self.on_tf, True, DEPTH)]
        if detections:
            heard.append(Subscription(detections, idl.Detection3DArray, self.answers.on_detections, True, DEPTH))
        if diagnostics:
            heard.append(Subscription("/diagnostics", idl.DiagnosticArray, diagnostics, True, 10))
        with ExitStack() as stack:
            self._participant = stack.enter_context(open_participant("pose_regressor_listener"))
            listening = self._participant.subscribe(heard, log or logging.getLogger("pose_regressor"))
            stack.callback(listening.close)
            self._stack = stack.pop_all()

    @property
    def writers(self) -> int:
        """How many publishers of the transforms are there."""
        return self._participant.publishers(self._topic)

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> TfListener:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def collect(
    open_participant: OpenParticipant,
    until: Callable[[list[StampedTransform]], bool] = lambda _: False,
    timeout: float = 10.0,
) -> list[StampedTransform]:
    """All transforms that arrive until ``until(transforms)`` is true or `timeout` seconds have passed."""
    with TfListener(open_participant) as listener:
        listener.wait(until, timeout)
        return listener.transforms
