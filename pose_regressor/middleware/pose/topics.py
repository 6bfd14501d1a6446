"""The topics of the pose node: what it publishes, and what it subscribes to. The same over any middleware."""

from __future__ import annotations

from contextlib import ExitStack

from pose_regressor.draw import draw_poses
from pose_regressor.middleware.kit.endpoints import Closing, Endpoints, Subscription
from pose_regressor.middleware.kit.log import Log, Throttle
from pose_regressor.middleware.messages.depth import is_compressed
from pose_regressor.middleware.messages.poses import detections_message, tf_message
from pose_regressor.middleware.pose.core import NodeCore
from pose_regressor.middleware.pose.depth import DepthInput
from pose_regressor.middleware.pose.markers import Shapes
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.types import Frame, InputError, PoseEstimate

#: The receiving thread only passes images on, so its queue is empty except for hiccups. In a shorter queue images
#: would be overwritten without being counted.
IMAGE_DEPTH = 5
#: Seconds for which a frame of TF that is no longer heard of is taken to stay where it was.
TF_PATIENCE = 0.1


class Output:
    """The node's publishers, until `close`."""

    def __init__(self, endpoints: Endpoints, config: NodeConfig) -> None:
        self._endpoints, self._types, self._prefix = endpoints, endpoints.types, config.frame_prefix
        types = self._types
        self._tf = endpoints.publisher("/tf", types.TFMessage, depth=100)
        self._detections = endpoints.publisher("~/detections", types.Detection3DArray, depth=10)
        self._overlay = endpoints.publisher("~/overlay", types.Image, depth=1)
        self._markers = endpoints.publisher("~/markers", types.MarkerArray, depth=1)
        self._shapes = Shapes(types, config)

    def poses(self, frame: Frame, estimates: list[PoseEstimate]) -> None:
        """Publishes the transforms first, since others wait for them, then the detections, even if there are none."""
        if estimates:
            self._tf.publish(tf_message(self._types, frame, estimates, self._prefix))
        self._detections.publish(detections_message(self._types, frame, estimates))

    def overlay_wanted(self) -> bool:
        return bool(self._overlay.subscribers())

    def overlay(self, frame: Frame, estimates: list[PoseEstimate]) -> None:
        drawn = draw_poses(frame.image, frame.camera, estimates)
        self._overlay.publish(self._endpoints.image(drawn, frame.stamp, frame.frame_id))

    def markers_wanted(self) -> bool:
        return bool(self._markers.subscribers())

    def markers(self, frame: Frame, estimates: list[PoseEstimate]) -> None:
        self._markers.publish(self._shapes.message(frame, estimates))

    def close(self) -> None:
        for publisher in (self._tf, self._detections, self._overlay, self._markers):
            publisher.close()


class PoseTopics:
    """The topics of a managed pose node: advertised when it is configured, subscribed to when it is activated."""

    def __init__(
        self, endpoints: Endpoints, config: NodeConfig, image_topic: str, camera_info_topic: str, log: Log
    ) -> None:
        self._endpoints, self._config = endpoints, config
        self._images, self._infos = image_topic, camera_info_topic
        for topic in filter(None, (image_topic, camera_info_topic, config.depth_topic, config.depth_info_topic)):
            endpoints.full_name(topic)  # so that a bad name is an error at once
        self._warn = Throttle(log.warning)
        self._output: Output | None = None
        self._subscribed: Closing = ExitStack()

    def advertise(self) -> Output:
        self._output = Output(self._endpoints, self._config)
        return self._output

    def withdraw(self) -> None:
        if self._output:
            self._output.close()
        self._output = None

    def subscribe(self, core: NodeCore) -> str:
        config, types = self._config, self._endpoints.types
        compressed = config.image_transport == "compressed"
        topic = self._endpoints.full_name(self._images) + ("/compressed" if compressed else "")
        subscriptions, camera = [], config.camera_file
        if core.wants_camera_info:
            camera = self._endpoints.full_name(self._infos)
            reliable = config.camera_info_reliability == "reliable"
            # Before the images, so that a camera info and its image that wait together are handled in this order.
            subscriptions.append(
                Subscription(camera, types.CameraInfo, core.on_camera_info, reliable, 1, self._ignore_info)
            )
        message = types.CompressedImage if compressed else types.Image
        reliable = config.image_reliability == "reliable"
        subscriptions.append(Subscription(topic, message, core.on_image, reliable, IMAGE_DEPTH, core.reject))
        where = f"images from {topic}, camera from {camera}"
        with ExitStack() as stack:
            if core.depth:
                subscriptions += self._depth_subscriptions(core, core.depth)
                where += f", depth from {self._endpoints.full_name(config.depth_topic)}"
            if config.depth_info_topic or config.support_frame:
                transforms = self._endpoints.transforms(TF_PATIENCE)
                stack.callback(transforms.close)
                if core.depth:
                    core.depth.lookup = transforms.lookup
            if core.plane:
                core.plane.lookup = transforms.lookup
                where += f", plane of {config.support_frame}"
            stack.callback(self._endpoints.subscribe(subscriptions).close)
            self._subscribed = stack.pop_all()
        return f"{where}, domain {self._endpoints.domain}"

    def _depth_subscriptions(self, core: NodeCore, depth: DepthInput) -> list[Subscription]:
        config, types = self._config, self._endpoints.types
        reliable = config.depth_reliability == "reliable"
        topic = self._endpoints.full_name(config.depth_topic)
        message = types.CompressedImage if is_compressed(topic) else types.Image
        found = [Subscription(topic, message, core.on_depth, reliable, IMAGE_DEPTH, depth.count_message)]
        if config.depth_info_topic:
            info = self._endpoints.full_name(config.depth_info_topic)
            found.append(Subscription(info, types.CameraInfo, depth.on_info, reliable, 1, self._ignore_info))
        return found

    def unsubscribe(self) -> None:
        self._subscribed.close()
        self._subscribed = ExitStack()

    def namesakes(self) -> int:
        return self._endpoints.namesakes()

    def trouble(self) -> str:
        return self._endpoints.trouble()

    def _ignore_info(self, error: InputError) -> None:
        self._warn("camera info", f"camera info ignored: {error}")
