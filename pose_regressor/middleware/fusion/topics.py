"""The topics of the fusion node: what it publishes, and what it subscribes to. The same over any middleware."""

from __future__ import annotations

from contextlib import ExitStack

from pose_regressor.middleware.fusion.core import FusionCore, Moment, Publish
from pose_regressor.middleware.fusion.parameters import FusionConfig
from pose_regressor.middleware.kit.endpoints import Closing, Endpoints, Lookup, Subscription
from pose_regressor.middleware.messages.poses import detections_message, tf_message
from pose_regressor.types import PoseEstimate

DEPTH = 10


class FusionTopics:
    """The topics of a managed fusion node: advertised when it is configured, subscribed to when it is activated."""

    def __init__(self, endpoints: Endpoints, config: FusionConfig) -> None:
        self._endpoints, self._config = endpoints, config
        for topic in config.detections:
            endpoints.full_name(topic)  # so that a bad name is an error at once
        self._advertised = ExitStack()
        self._subscribed: Closing = ExitStack()

    def advertise(self) -> tuple[Lookup, Publish]:
        endpoints, types, prefix = self._endpoints, self._endpoints.types, self._config.frame_prefix
        tf = endpoints.publisher("/tf", types.TFMessage, depth=100)
        self._advertised.callback(tf.close)
        detections = endpoints.publisher("~/detections", types.Detection3DArray, depth=DEPTH)
        self._advertised.callback(detections.close)
        transforms = endpoints.transforms(self._config.window)
        self._advertised.callback(transforms.close)

        def publish(moment: Moment, poses: list[PoseEstimate]) -> None:
            if poses:
                tf.publish(tf_message(types, moment, poses, prefix))
            detections.publish(detections_message(types, moment, poses))

        return transforms.lookup, publish

    def withdraw(self) -> None:
        self._advertised.close()

    def subscribe(self, core: FusionCore) -> None:
        message = self._endpoints.types.Detection3DArray
        self._subscribed = self._endpoints.subscribe(
            [
                Subscription(topic, message, core.on_detections, reliable=True, depth=DEPTH, reject=core.reject)
                for topic in self._config.detections
            ]
        )

    def unsubscribe(self) -> None:
        self._subscribed.close()
        self._subscribed = ExitStack()

    def namesakes(self) -> int:
        return self._endpoints.namesakes()

    def trouble(self) -> str:
        return self._endpoints.trouble()
