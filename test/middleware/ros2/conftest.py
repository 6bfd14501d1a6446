"""rclpy in this process as the node's peer; nodes as processes of their own."""

import contextlib
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest
from base_peer import AGAIN, PATIENCE

try:
    import rclpy  # noqa: F401
    import tf2_msgs  # noqa: F401
    import vision_msgs  # noqa: F401
except ImportError as error:  # no ROS 2, one built for another Python, or pip's without the messages that it lacks
    collect_ignore_glob = ["test_*.py"]
    if "rclpy" in sys.modules or not isinstance(error, ModuleNotFoundError):
        reason = str(error).strip().splitlines()[0]
        warnings.warn(f"the tests of the rclpy node are left out: {reason}", stacklevel=1)

STANDIN = Path(__file__).with_name("standin_node.py")


@pytest.fixture
def start(launch):
    """Starts the node with the stand-in tracker: start("-p", "frame_id:=head")."""
    return lambda *arguments: launch(STANDIN, "--ros-args", *arguments)


class Inbox:
    def __init__(self, until):
        self._until, self._messages = until, []

    def __call__(self, message):
        self._messages.append(message)

    def __len__(self):
        return len(self._messages)

    def take(self, what="a message"):
        """All that came, at least one."""
        self._until(lambda: self._messages, what)
        taken, self._messages[:] = list(self._messages), []
        return taken


class Peer:
    """Another node: publishes images and camera infos, hears what comes of them.

    name: of the pose node, whose services it calls.
    """

    def __init__(self, node, until, name="/pose_regressor"):
        from sensor_msgs.msg import CameraInfo, Image
        from tf2_msgs.msg import TFMessage
        from vision_msgs.msg import Detection3DArray

        self.node, self._until, self.name, self._client = node, until, name, None
        self.images = node.create_publisher(Image, "image", 10)
        self.infos = node.create_publisher(CameraInfo, "camera_info", 10)
        self.tf, self.detections, self.overlays = Inbox(until), Inbox(until), Inbox(until)
        self._subscriptions = [
            node.create_subscription(TFMessage, "/tf", self.tf, 100),
            node.create_subscription(Detection3DArray, f"{name}/detections", self.detections, 10),
        ]

    def hear_overlay(self):
        from sensor_msgs.msg import Image

        self._subscriptions.append(self.node.create_subscription(Image, f"{self.name}/overlay", self.overlays, 10))

    def find(self, camera_info=True):
        """Waits until this side knows of the node's topics."""

        def found():
            return (
                self.images.get_subscription_count()
                and (self.infos.get_subscription_count() or not camera_info)
                and self.node.count_publishers("/tf")
            )

        self._until(found, "the node's topics")

    def match(self, camera_info=True):
        """Waits until the node knows of the topics here, too."""
        from lifecycle_msgs.srv import GetState

        self.find(camera_info)
        # Endpoints are announced in order: once the node answers this client, it knows of those that were made before.
        self._client = self.node.create_client(GetState, f"{self.name}/get_state")
        self._until(self._client.service_is_ready, "the node's service")
        self.state()

    def state(self):
        """Asks the node for its state. It answers after it has got what was sent before."""
        request, answers, due = self._client.srv_type.Request(), [], 0.0
        while not any(answer.done() for answer in answers):
            if time.monotonic() > due:  # a question that comes before the node knows of the client is lost
                answers.append(self._client.call_async(request))
                due = time.monotonic() + AGAIN
                assert len(answers) * AGAIN < PATIENCE, "the node does not answer"
            time.sleep(0.002)

    def send_info(self, width=8, height=6, k=(50.0, 0.0, 3.5, 0.0, 50.0, 2.5, 0.0, 0.0, 1.0), model="plumb_bob", d=()):
        from sensor_msgs.msg import CameraInfo

        info = CameraInfo(width=width, height=height, distortion_model=model, k=list(k), d=list(d))
        info.header.frame_id = "optical"
        self.infos.publish(info)
        if self._client:  # another topic: there is no order between the two
            self.state()

    def send_image(self, brightness, stamp, width=8, height=6, data=None, **changes):
        from sensor_msgs.msg import Image

        values = {"encoding": "rgb8", "step": 3 * width, **changes}
        image = Image(width=width, height=height, **values)
        image.header.stamp.sec, image.header.stamp.nanosec = stamp, 5
        image.header.frame_id = "optical"
        image.data.frombytes(bytes([brightness]) * (3 * width * height) if data is None else data)
        self.images.publish(image)

    def take_tf(self):
        return [t for message in self.tf.take("a transform") for t in message.transforms]


@pytest.fixture
def peer_node(domain):
    """A node of this process, which is spun."""
    rclpy = pytest.importorskip("rclpy")
    from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("peer", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)

    def spin():
        with contextlib.suppress(ExternalShutdownException):
            executor.spin()

    thread = threading.Thread(target=spin)
    thread.start()
    yield node
    executor.shutdown()
    thread.join(5)
    node.destroy_node()
    rclpy.try_shutdown(context=context)
    context.destroy()


@pytest.fixture
def peer(peer_node, until):
    return Peer(peer_node, until)
