"""The peer itself: a camera, a listener and an operator in one. It waits for answers, never for a time to pass."""

import itertools
import time

from cyclonedds.domain import DomainParticipant
from cyclonedds.internal import InvalidSample
from cyclonedds.pub import DataWriter
from cyclonedds.qos import Policy, Qos
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration

from .interfaces import (
    ChangeStateRequest,
    ChangeStateResponse,
    DiagnosticArray,
    GetStateRequest,
    GetStateResponse,
    LifecycleTransition,
    Parameter,
    ParameterValue,
    SetParametersRequest,
    SetParametersResponse,
)
from .messages import (
    CameraInfo,
    CompressedImage,
    Detection3DArray,
    Header,
    Image,
    RegionOfInterest,
    TFMessage,
    Time,
)

RELIABLE = Policy.Reliability.Reliable(duration(seconds=1))
#: QoS as ROS 2's own subscribers and publishers have it.
TF_QOS = Qos(RELIABLE, Policy.Durability.Volatile, Policy.History.KeepLast(100))
SENSOR_QOS = Qos(Policy.Reliability.BestEffort, Policy.Durability.Volatile, Policy.History.KeepLast(5))
RELIABLE_QOS = Qos(RELIABLE, Policy.Durability.Volatile, Policy.History.KeepLast(10))
DISCOVERY_QOS = Qos(RELIABLE, Policy.Durability.TransientLocal, Policy.History.KeepLast(1))
NODE = "pose_regressor"
VGA = {"width": 640, "height": 480, "k": (500.0, 0, 319.5, 0, 500, 239.5, 0, 0, 1)}


#: Seconds. Far longer than a busy machine takes; the test's own limit comes after it.
PATIENCE = 90.0
#: Seconds until a question that may have come too early is asked again.
AGAIN = 0.2


def until(condition, what, seconds=PATIENCE):
    """Waits for `condition()` to be true and returns it; AssertionError after so many seconds."""
    end = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.005)
    return result


class Client:
    """Of a service of a node."""

    _guids = itertools.count(42)

    def __init__(self, dds, node, service, request, response):
        self.service, self.guid = service, next(self._guids)
        self.requests = DataWriter(dds, Topic(dds, f"rq/{node}/{service}Request", request), qos=RELIABLE_QOS)
        self.replies = DataReader(dds, Topic(dds, f"rr/{node}/{service}Reply", response), qos=RELIABLE_QOS)
        self.request, self.count = request, 0

    def matched(self):
        return self.requests.matched_sub and self.replies.matched_pub

    def ask(self, *fields):
        self.count += 1
        self.requests.write(self.request(self.guid, self.count, *fields))

    def answers(self):
        """Those to this client that came since; others have their own readers of the same topic."""
        samples = self.replies.take(100)
        return [s for s in samples if not isinstance(s, InvalidSample) and s.guid == self.guid]

    def __call__(self, *fields):
        self.ask(*fields)
        return until(
            lambda: next((s for s in self.answers() if s.sequence_number == self.count), None),
            f"the answer of {self.service}",
        )


class Peer:
    """A camera, a listener and an operator in one, for the node of this name."""

    def __init__(self, domain, image_qos=RELIABLE_QOS, compressed=False, node=NODE):
        self.dds, self.node_name, self._known = DomainParticipant(domain), node, False
        topic, kind = ("rt/image/compressed", CompressedImage) if compressed else ("rt/image", Image)
        self.images = self.writer(topic, kind, image_qos)
        self.infos = self.writer("rt/camera_info", CameraInfo, RELIABLE_QOS)
        self.tf = self.reader("rt/tf", TFMessage, TF_QOS)
        self.detections = self.reader(f"rt/{node}/detections", Detection3DArray, RELIABLE_QOS)
        self._change_state = Client(self.dds, node, "change_state", ChangeStateRequest, ChangeStateResponse)
        self._set_parameters = Client(self.dds, node, "set_parameters", SetParametersRequest, SetParametersResponse)

    def reader(self, topic, kind, qos=RELIABLE_QOS):
        return DataReader(self.dds, Topic(self.dds, topic, kind), qos=qos)

    def writer(self, topic, kind, qos=RELIABLE_QOS):
        return DataWriter(self.dds, Topic(self.dds, topic, kind), qos=qos)

    def overlay_reader(self):
        return self.reader(f"rt/{NODE}/overlay", Image)

    def diagnostics_reader(self):
        return self.reader("rt/diagnostics", DiagnosticArray)

    def match(self):
        """Waits until the node's topics and this side know of each other."""
        ends = (self.images, self.infos)
        until(lambda: all(w.matched_sub for w in ends) and self.tf.matched_pub, "the node's endpoints")
        self.introduce()

    def introduce(self):
        """Waits until the node knows of every endpoint that was made here before.

        DDS tells of endpoints in order. So once the node has answered by a pair of them that was made last, it has
        heard of the others. A volatile reader misses what is sent before, so the question is asked until it is heard.
        """
        client = Client(self.dds, self.node_name, "get_state", GetStateRequest, GetStateResponse)
        until(client.matched, f"{self.node_name}'s services")
        end, due = time.monotonic() + PATIENCE, 0.0
        while not client.answers():
            now = time.monotonic()
            assert now < end, f"waited {PATIENCE} s for an answer of {self.node_name}"
            if now > due:
                client.ask(0)
                due = now + AGAIN
            time.sleep(0.002)
        self._get_state, self._known = client, True

    def ask(self, client, *fields):
        """The answer of one of the node's services."""
        if not self._known or not client.matched():
            until(client.matched, f"the service {client.service}")
            self.introduce()
        return client(*fields)

    def send_info(self, width=8, height=6, k=(50.0, 0, 3.5, 0, 50, 2.5, 0, 0, 1), model="plumb_bob", d=(0.0,) * 5):
        """And waits until it is there: DDS promises no order between topics."""
        roi = RegionOfInterest(0, 0, 0, 0, False)
        header = Header(Time(0, 0), "optical")
        p = [0.0] * 12
        self.infos.write(CameraInfo(header, height, width, model, list(d), list(k), [0.0] * 9, p, 0, 0, roi))
        self.state()  # a question that is answered after what was sent before it

    def calibrate(self, width=8, height=6, focal=50.0):
        """As a camera does: camera infos and images of stamp 0, until the newest is answered through that camera. So
        no other answer is still on its way."""
        expected, end = -0.2 * focal / 50, time.monotonic() + PATIENCE
        for number in itertools.count(10):
            self.send_info(width, height, (focal, 0, width / 2, 0, focal, height / 2, 0, 0, 1))
            self.send_image(1, 0, width, height, nanosec=number)
            due = time.monotonic() + AGAIN
            while time.monotonic() < due:
                transforms = [t for m in self.tf.take(100) for t in getattr(m, "transforms", ())]
                answers = [t for t in transforms if (t.header.stamp.sec, t.header.stamp.nanosec) == (0, number)]
                if any(t.transform.translation.y == expected for t in answers):
                    return
                time.sleep(0.002)
            assert due < end, f"no answer through the camera {width}x{height} of focal length {focal}"

    def send_image(self, brightness, stamp, width=8, height=6, nanosec=5, **changes):
        header = Header(Time(stamp, nanosec), "optical")
        data = [brightness] * (width * height * 3)
        values = {"encoding": "rgb8", "is_bigendian": 0, "step": width * 3, "data": data, **changes}
        self.images.write(Image(header, height, width, **values))

    def send_compressed(self, data, stamp, text="bgr8; jpeg compressed bgr8"):
        self.images.write(CompressedImage(Header(Time(stamp, 5), "optical"), text, list(data)))

    def take(self, reader, what="a message"):
        return until(lambda: [s for s in reader.take(100) if not isinstance(s, InvalidSample)], what)

    def take_tf(self):
        return [t for message in self.take(self.tf, "a transform") for t in message.transforms]

    def pose_at(self, stamp, depth):
        """Waits for the transform of the image of this stamp: the crate, so many metres away."""
        seen = []

        def found():
            seen.extend(t for m in self.tf.take(100) for t in getattr(m, "transforms", ()))
            return [t for t in seen if t.header.stamp.sec == stamp]

        (transform,) = until(found, f"the transform of image {stamp}")
        assert transform.child_frame_id == "crate_0"
        assert transform.transform.translation.z == depth
        return transform

    def diagnostics(self, reader, good, what):
        """Waits for a report in which ``good(level and message by name)`` holds; its values by name."""

        def found():
            for report in reader.take(100):
                statuses = getattr(report, "status", ())
                if statuses and good({s.name.partition(": ")[2]: (s.level, s.message) for s in statuses}):
                    return {s.name: {v.key: v.value for v in s.values} for s in statuses}
            return None

        return until(found, what)

    def change_state(self, transition):
        """By label or number; whether it was made."""
        number, label = (transition, "") if isinstance(transition, int) else (0, transition)
        return self.ask(self._change_state, LifecycleTransition(number, label)).success

    def state(self):
        if not self._known or not self._get_state.matched():
            self.introduce()
        return self._get_state(0).current_state.label

    def set_parameter(self, name, **value):
        """``set_parameter("follow", type=1, bool_value=False)``: '' or why not."""
        (result,) = self.ask(self._set_parameters, [Parameter(name, ParameterValue(**value))]).results
        assert result.successful == (not result.reason)
        return result.reason
