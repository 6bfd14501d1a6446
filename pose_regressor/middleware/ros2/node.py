"""The pose_regressor node over rclpy: a managed node."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from pose_regressor.middleware.core import IMAGE_DEPTH, NodeCore, publish_source
from pose_regressor.middleware.diagnostics import Health, Reporting, diagnostics_message
from pose_regressor.middleware.interrupts import end_without_threads, interruptible
from pose_regressor.middleware.managed import ManagedNode
from pose_regressor.middleware.parameters import NodeConfig
from pose_regressor.middleware.ros2 import interfaces
from pose_regressor.middleware.ros2.output import Output
from pose_regressor.middleware.ros2.parameters import declare_parameters, follow_changes
from pose_regressor.middleware.ros2.session import RosLog, ros, ros_node, spinning
from pose_regressor.middleware.tracking import OpenTracker, open_tracker
from pose_regressor.sources import Source
from pose_regressor.types import InputError

NODE_NAME = "pose_regressor"
INTERNAL_ERROR = 1


class RosEnds:
    """The node's ends on a ROS node."""

    def __init__(self, node: Node, config: NodeConfig, image_topic: str, camera_info_topic: str) -> None:
        self._node, self._config = node, config
        self._images, self._infos = image_topic, camera_info_topic
        self._output: Output | None = None
        self._subscriptions: list[Any] = []

    def advertise(self) -> Output:
        self._output = Output(self._node, self._config)
        return self._output

    def withdraw(self) -> None:
        if self._output:
            self._output.close()
        self._output = None

    def subscribe(self, core: NodeCore) -> str:
        config = self._config
        topic, message = self._node.resolve_topic_name(self._images), interfaces.Image
        if config.image_transport == "compressed":
            topic, message = f"{topic}/compressed", interfaces.CompressedImage
        self._subscribe(message, topic, core.on_image, config.image_reliability, IMAGE_DEPTH)
        camera = config.camera_file
        if core.wants_camera_info:
            camera = self._node.resolve_topic_name(self._infos)
            self._subscribe(interfaces.CameraInfo, camera, core.on_camera_info, config.camera_info_reliability, 1)
        return f"images from {topic}, camera from {camera}"

    def unsubscribe(self) -> None:
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()

    def namesakes(self) -> int:
        own = (self._node.get_name(), self._node.get_namespace())
        return max(0, self._node.get_node_names_and_namespaces().count(own) - 1)

    def _subscribe(self, message: type, topic: str, handle: Callable[[Any], object], how: str, depth: int) -> None:
        qos = QoSProfile(
            depth=depth,
            history=HistoryPolicy.KEEP_LAST,
            durability=DurabilityPolicy.VOLATILE,
            reliability=ReliabilityPolicy.RELIABLE if how == "reliable" else ReliabilityPolicy.BEST_EFFORT,
        )
        self._subscriptions.append(self._node.create_subscription(message, topic, handle, qos))


class PoseNode(LifecycleNode):
    """The managed node, unconfigured until a lifecycle manager or `start` says otherwise."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, automatically_declare_parameters_from_overrides=True, **options)
        self._answer_every_request()

    def manage(
        self, config: NodeConfig | None, image_topic: str, camera_info_topic: str, open_tracker: OpenTracker
    ) -> NodeConfig:
        """Declares the parameters and returns the values in use. InputError: they cannot be used."""
        values = declare_parameters(self, NodeConfig, config)
        ends = RosEnds(self, values, image_topic, camera_info_topic)
        self.managed = ManagedNode(values, ends, RosLog(self), open_tracker)
        self._starting = False
        follow_changes(self, self.managed.tune)
        self._health = Health(self.managed)
        self._diagnostics = self.create_publisher(interfaces.DiagnosticArray, "/diagnostics", 10)
        self._reporting = Reporting(self._report, RosLog(self))
        return values

    def start(self) -> None:
        """Configure and activate. InputError: that cannot be."""
        self._starting = True
        for trigger in (self.trigger_configure, self.trigger_activate):
            if trigger() != TransitionCallbackReturn.SUCCESS:
                raise InputError(self.managed.lifecycle.error)
        self._starting = False

    def close(self) -> None:
        self._reporting.stop()
        with contextlib.suppress(RuntimeError):  # it is shut down already, or busy with a transition that takes longer
            self.trigger_shutdown()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._change("configure")

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._change("activate")

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._change("deactivate")

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._change("cleanup")

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._change("shutdown")

    def _change(self, transition: str) -> TransitionCallbackReturn:
        if not (reason := self.managed.change(transition)):
            return TransitionCallbackReturn.SUCCESS
        if not self._starting:
            RosLog(self).error(reason)
        return TransitionCallbackReturn.FAILURE

    def _report(self) -> None:
        device, statuses = self.managed.device, self._health.look()
        stamp = self.get_clock().now().nanoseconds
        self._diagnostics.publish(diagnostics_message(interfaces, self.get_name(), device, statuses, stamp))

    def _answer_every_request(self) -> None:
        """rclpy lets a request for a transition that is not possible now end the executor; it is answered with no."""
        (service,) = (s for s in self.services if s.srv_name.endswith("/change_state"))
        change_state = service.callback

        def answer(request: Any, response: Any) -> Any:
            try:
                return change_state(request, response)
            except RuntimeError as error:  # what rclpy's own exceptions have in common
                RosLog(self).warning(f"lifecycle: {' '.join(str(error).split(', at ')[0].split())}")
                response.success = False
                return response

        service.callback = answer


def run(
    config: NodeConfig | None = None,
    image_topic: str = "image",
    camera_info_topic: str = "camera_info",
    open_tracker: OpenTracker = open_tracker,
    arguments: Sequence[str] = (),
) -> int:
    """Runs the node until SIGINT or SIGTERM; the exit code. In the main thread. InputError: it cannot start.

    config: None takes the parameters from `arguments` (``--ros-args -p name:=value --params-file FILE``);
    open_tracker: makes the tracker when the node is configured.
    """
    status = 0
    with interruptible() as stop, ros(arguments) as rest, ros_node(NODE_NAME, PoseNode) as node:
        _parser().parse_args(rest)
        values = node.manage(config, image_topic, camera_info_topic, open_tracker)
        try:
            if values.autostart:
                node.start()
            with spinning(node, stop) as failed:
                stop.wait()
            if failed.is_set():
                status = INTERNAL_ERROR
        finally:
            node.close()
    return end_without_threads(status)


def run_source(
    config: NodeConfig, source: Source, rate: float | None = None, open_tracker: OpenTracker = open_tracker
) -> int:
    """Publishes the poses in a source's frames, every frame in its time, until its end or a signal; the exit code.

    No image topic is involved, and no lifecycle.
    """
    with interruptible() as stop, ros(), ros_node(NODE_NAME) as node:
        declare_parameters(node, NodeConfig, config)
        output = Output(node, config)
        tracker = open_tracker(config)
        with spinning(node, stop):
            publish_source(source, rate, config, tracker, output, RosLog(node))
    return 0


def _parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog="pose_regressor_node",
        description="Publishes the poses of the objects in a camera's images as TF frames.",
        epilog="Parameters: --ros-args -p model:=[box] --params-file FILE (as config/pose_regressor.yaml). "
        "Topics: --ros-args -r image:=/camera/image_raw -r camera_info:=/camera/camera_info",
    )


def main(arguments: Sequence[str]) -> int:
    return run(arguments=arguments)
