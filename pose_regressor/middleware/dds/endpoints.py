"""The `Endpoints` of a node over DDS."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_regressor.middleware.dds.participant import Listening, Participant, dds_topic
from pose_regressor.middleware.kit.endpoints import Closing, Subscription, Transforms, hear_transforms
from pose_regressor.middleware.kit.log import Log, Throttle
from pose_regressor.middleware.messages.images import image_message
from pose_regressor.middleware.wire import idl


class DdsPublisher:
    """A `Publisher` on a participant."""

    def __init__(self, participant: Participant, topic: str, message: type, depth: int) -> None:
        self._participant = participant
        self._writer = participant.writer(topic, message, reliable=True, depth=depth)

    def publish(self, message: Any, /) -> None:
        self._writer.write(message)

    def subscribers(self) -> int:
        return len(self._writer.matched_sub)

    def close(self) -> None:
        self._participant.remove(self._writer)


class DdsEndpoints:
    """What a node publishes and hears as a participant."""

    types = idl

    def __init__(self, participant: Participant, log: Log) -> None:
        self._participant, self._log = participant, log
        self.domain = participant.domain

    def full_name(self, topic: str) -> str:
        return dds_topic(topic, self._participant.node_name).removeprefix("rt")

    def publisher(self, topic: str, message: type, depth: int) -> DdsPublisher:
        return DdsPublisher(self._participant, topic, message, depth)

    def subscribe(self, subscriptions: Sequence[Subscription]) -> Closing:
        heard: dict[Any, Subscription] = {}
        with ExitStack() as stack:
            for s in subscriptions:
                reader = self._participant.reader(
                    s.topic, s.message, reliable=s.reliable, depth=s.depth, transient_local=s.transient_local
                )
                stack.callback(self._participant.remove, reader)
                heard[reader] = s
            handlers = {reader: s.handle for reader, s in heard.items()}
            listening = Listening(
                self._participant, handlers, self._log, lambda reader, error: heard[reader].reject(error)
            )
            stack.callback(listening.stop)
            return stack.pop_all()

    def transforms(self, patience: float) -> Transforms:
        warn = Throttle(self._log.warning)
        return hear_transforms(self, patience, lambda error: warn("TF", f"TF ignored: {error}"))

    def image(self, pixels: NDArray[np.uint8], stamp: int, frame_id: str) -> Any:
        return image_message(idl, pixels, stamp, frame_id)

    def namesakes(self) -> int:
        return self._participant.namesakes()
