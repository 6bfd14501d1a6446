"""The same peer as `wire_peer`, as a node of rclpy: for ROS 2 over anything but Cyclone DDS, which `wire_peer` speaks.

What it reads is turned into plain values, so that both peers give the same. ``python -m ros_peer DOMAIN`` runs one as a
process that listens to everything.
"""

import contextlib
import itertools
import sys
import threading
from array import array
from collections import deque
from types import SimpleNamespace

import numpy as np
import rclpy
from base_peer import *  # noqa: F403
from base_peer import NODE, BasePeer, listen, until
from builtin_interfaces import msg as builtin_interfaces
from diagnostic_msgs import msg as diagnostic_msgs
from geometry_msgs import msg as geometry_msgs
from lifecycle_msgs import msg as lifecycle_msgs
from lifecycle_msgs import srv as lifecycle_services
from rcl_interfaces import msg as rcl_interfaces
from rcl_interfaces import srv as rcl_services
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs import msg as sensor_msgs
from std_msgs import msg as std_msgs
from tf2_msgs import msg as tf2_msgs
from vision_msgs import msg as vision_msgs
from visualization_msgs import msg as visualization_msgs

TF_QOS = QoSProfile(depth=100)
STATIC_QOS = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
SENSOR_QOS = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
RELIABLE_QOS = QoSProfile(depth=10)
SERVICES = {
    "change_state": lifecycle_services.ChangeState,
    "get_state": lifecycle_services.GetState,
    "set_parameters": rcl_services.SetParameters,
}
#: What starts a player beside the peer.
PLAYER = ["-c", "import sys; from pose_regressor.middleware.executables import player; sys.exit(player())"]


class Word:
    """A message class whose fields can be given by position, and as any numbers."""

    def __init__(self, message):
        self.message = message

    def __call__(self, *values, **named):
        types = self.message.get_fields_and_field_types()
        fields = {**dict(zip(types, values, strict=False)), **named}
        return self.message(**{name: _fitting(value, types[name]) for name, value in fields.items()})


def _fitting(value, kind):
    if kind == "sequence<uint8>":
        return array("B", value)
    if kind.startswith(("double[", "sequence<double")):
        return [float(v) for v in value]
    return float(value) if kind == "double" else value


def plain(value):
    """A message as plain values: lists, numbers and text; a byte is a number."""
    if hasattr(value, "get_fields_and_field_types"):
        return SimpleNamespace(**{name: plain(getattr(value, name)) for name in value.get_fields_and_field_types()})
    if isinstance(value, np.ndarray | array):
        return value.tolist()
    if isinstance(value, bytes):
        return int.from_bytes(value, "little")
    return [plain(v) for v in value] if isinstance(value, list | tuple) else value


Time = Word(builtin_interfaces.Time)
Header = Word(std_msgs.Header)
Image, CompressedImage = Word(sensor_msgs.Image), Word(sensor_msgs.CompressedImage)
CameraInfo, RegionOfInterest = Word(sensor_msgs.CameraInfo), Word(sensor_msgs.RegionOfInterest)
Triple, Place, Quaternion = Word(geometry_msgs.Vector3), Word(geometry_msgs.Point), Word(geometry_msgs.Quaternion)
Transform, TransformStamped = Word(geometry_msgs.Transform), Word(geometry_msgs.TransformStamped)
Pose, PoseWithCovariance = Word(geometry_msgs.Pose), Word(geometry_msgs.PoseWithCovariance)
TFMessage = Word(tf2_msgs.TFMessage)
Hypothesis, HypothesisWithPose = Word(vision_msgs.ObjectHypothesis), Word(vision_msgs.ObjectHypothesisWithPose)
BoundingBox3D = Word(vision_msgs.BoundingBox3D)
Detection3D, Detection3DArray = Word(vision_msgs.Detection3D), Word(vision_msgs.Detection3DArray)
MarkerArray = Word(visualization_msgs.MarkerArray)
DiagnosticArray = Word(diagnostic_msgs.DiagnosticArray)
LifecycleTransition = Word(lifecycle_msgs.Transition)
Parameter, ParameterValue = Word(rcl_interfaces.Parameter), Word(rcl_interfaces.ParameterValue)


class Reader:
    """matched_pub: how many publishers it hears."""

    def __init__(self, node, topic, word, qos):
        self._node, self._waiting = node, deque(maxlen=qos.depth)
        self._subscription = node.create_subscription(word.message, topic, self._keep, qos)

    def _keep(self, message):  # rclpy asks for a signature, which a deque's own method lacks
        self._waiting.append(message)

    @property
    def matched_pub(self):
        return self._subscription.get_publisher_count()

    def take(self, most):
        taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        return [plain(message) for message in taken]

    def __del__(self):
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            self._node.destroy_subscription(subscription)


class Writer:
    """matched_sub: how many subscriptions hear it."""

    def __init__(self, node, topic, word, qos):
        self._publisher = node.create_publisher(word.message, topic, qos)

    @property
    def matched_sub(self):
        return self._publisher.get_subscription_count()

    def write(self, message):
        self._publisher.publish(message)

    def wait_for_acks(self, nanoseconds):
        return self._publisher.wait_for_all_acked(Duration(nanoseconds=nanoseconds))


class Client:
    """Of a service of a node."""

    def __init__(self, node, name, service):
        self.service, self._kind, self._pending = service, SERVICES[service], []
        self._client = node.create_client(self._kind, f"{name}/{service}")

    def matched(self):
        return self._client.service_is_ready()

    def ask(self, *fields):
        self._pending.append(self._client.call_async(Word(self._kind.Request)(*fields)))
        return self._pending[-1]

    def answers(self):
        return [answer.result() for answer in self._pending if answer.done()]

    def __call__(self, *fields):
        answer = self.ask(*fields)
        until(answer.done, f"the answer of {self.service}")
        return answer.result()


class Peer(BasePeer):
    """A node with a context of its own, which is spun until `close`."""

    _numbers = itertools.count()

    def __init__(self, domain, image_qos=RELIABLE_QOS, compressed=False, node=NODE):
        self.words, self._context = sys.modules[__name__], rclpy.Context()
        self._context.init(domain_id=domain)
        self._node = rclpy.create_node(f"peer_{next(self._numbers)}", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()
        self.open(image_qos, compressed, node)

    def _spin(self):
        with contextlib.suppress(ExternalShutdownException):
            self._executor.spin()

    def close(self):
        self._executor.shutdown()
        self._thread.join(5)
        self._node.destroy_node()
        self._context.try_shutdown()
        self._context.destroy()

    def reader(self, topic, kind, qos=RELIABLE_QOS):
        return Reader(self._node, topic.removeprefix("rt"), kind, qos)

    def writer(self, topic, kind, qos=RELIABLE_QOS):
        return Writer(self._node, topic.removeprefix("rt"), kind, qos)

    def client(self, service):
        return Client(self._node, self.node_name, service)


if __name__ == "__main__":
    listen(Peer(int(sys.argv[1])))
