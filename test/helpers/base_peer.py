"""What a peer of a node does, over whatever it speaks: a camera, a listener and an operator in one. It waits for
answers, never for a time to pass."""

import itertools
import time

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


class BasePeer:
    """For the node of this name.

    words: a module with the classes of the messages, whose fields can be given by position. A subclass has `reader`,
    `writer` and `client`; calls `open` once it can make them; and says with `is_message` what counts of what it reads.
    """

    words = None

    def open(self, image_qos, compressed, node):
        words, self.node_name, self._known = self.words, node, False
        topic, kind = ("rt/image/compressed", words.CompressedImage) if compressed else ("rt/image", words.Image)
        self.images = self.writer(topic, kind, image_qos)
        self.infos = self.writer("rt/camera_info", words.CameraInfo)
        self.tf = self.reader("rt/tf", words.TFMessage, words.TF_QOS)
        self.detections = self.reader(f"rt/{node}/detections", words.Detection3DArray)
        self._change_state = self.client("change_state")
        self._set_parameters = self.client("set_parameters")

    def close(self):
        pass

    def is_message(self, sample):
        return True

    def overlay_reader(self):
        return self.reader(f"rt/{NODE}/overlay", self.words.Image)

    def diagnostics_reader(self):
        return self.reader("rt/diagnostics", self.words.DiagnosticArray)

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
        client = self.client("get_state")
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
        words = self.words
        roi = words.RegionOfInterest(0, 0, 0, 0, False)
        header = words.Header(words.Time(0, 0), "optical")
        p = [0.0] * 12
        self.infos.write(words.CameraInfo(header, height, width, model, list(d), list(k), [0.0] * 9, p, 0, 0, roi))
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
        words = self.words
        header = words.Header(words.Time(stamp, nanosec), "optical")
        data = [brightness] * (width * height * 3)
        values = {"encoding": "rgb8", "is_bigendian": 0, "step": width * 3, "data": data, **changes}
        self.images.write(words.Image(header, height, width, **values))

    def send_compressed(self, data, stamp, text="bgr8; jpeg compressed bgr8"):
        words = self.words
        self.images.write(words.CompressedImage(words.Header(words.Time(stamp, 5), "optical"), text, list(data)))

    def take(self, reader, what="a message"):
        return until(lambda: [s for s in reader.take(100) if self.is_message(s)], what)

    def take_tf(self):
        return [t for message in self.take(self.tf, "a transform") for t in message.transforms]

    def pose_at(self, stamp, depth):
        """Waits for the transform of the image of this stamp: the crate, so many metres away."""
        transform = self.transform_at(stamp)
        assert transform.transform.translation.z == depth
        return transform

    def transform_at(self, stamp):
        """Waits for the transform of the image of this stamp, which is the crate's."""
        seen = []

        def found():
            seen.extend(t for m in self.tf.take(100) for t in getattr(m, "transforms", ()))
            return [t for t in seen if t.header.stamp.sec == stamp]

        (transform,) = until(found, f"the transform of image {stamp}")
        assert transform.child_frame_id == "crate_0"
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
        return self.ask(self._change_state, self.words.LifecycleTransition(number, label)).success

    def state(self):
        if not self._known or not self._get_state.matched():
            self.introduce()
        return self._get_state(0).current_state.label

    def set_parameter(self, name, **value):
        """``set_parameter("follow", type=1, bool_value=False)``: '' or why not."""
        parameter = self.words.Parameter(name, self.words.ParameterValue(**value))
        (result,) = self.ask(self._set_parameters, [parameter]).results
        assert result.successful == (not result.reason)
        return result.reason


def listen(peer):
    """What ``python -m`` of either peer does: prints "listening" once the node is there; ends when it is killed."""
    overlays = peer.overlay_reader()
    until(lambda: peer.tf.matched_pub and overlays.matched_pub, "the node")
    print("listening", flush=True)
    while True:
        time.sleep(3600)
