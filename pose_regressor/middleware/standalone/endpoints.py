"""The `Endpoints` of a node on a participant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_regressor.middleware.kit.endpoints import Closing, Publisher, Subscription, Transforms, hear_transforms
from pose_regressor.middleware.kit.log import Log, Throttle
from pose_regressor.middleware.messages.images import image_message
from pose_regressor.middleware.standalone.names import full_name
from pose_regressor.middleware.standalone.participant import Participant
from pose_regressor.middleware.wire import idl


class ParticipantEndpoints:
    """What a node publishes and hears as a participant."""

    types = idl

    def __init__(self, participant: Participant, log: Log) -> None:
        self._participant, self._log = participant, log
        self.domain = participant.domain

    def full_name(self, topic: str) -> str:
        return full_name(topic, self._participant.node_name)

    def publisher(self, topic: str, message: type, depth: int) -> Publisher:
        return self._participant.publisher(topic, message, depth)

    def subscribe(self, subscriptions: Sequence[Subscription]) -> Closing:
        return self._participant.subscribe(subscriptions, self._log)

    def transforms(self, patience: float) -> Transforms:
        warn = Throttle(self._log.warning)
        return hear_transforms(self, patience, lambda error: warn("TF", f"TF ignored: {error}"))

    def image(self, pixels: NDArray[np.uint8], stamp: int, frame_id: str) -> Any:
        return image_message(idl, pixels, stamp, frame_id)

    def namesakes(self) -> int:
        return self._participant.namesakes()

    def trouble(self) -> str:
        return self._participant.trouble()
