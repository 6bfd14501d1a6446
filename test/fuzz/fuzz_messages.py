"""Messages: broken ones through the node's own way of them, from the CDR bytes to the answer, and every one counted."""

import logging

import cv2
import numpy as np
from fuzz_mutations import double, mutate, text, whole

from pose_regressor.estimation.windows import crop_window, frame_window
from pose_regressor.middleware.messages.images import ENCODINGS
from pose_regressor.middleware.messages.poses import detections_message, tf_message
from pose_regressor.middleware.pose.core import NodeCore
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.middleware.wire import idl
from pose_regressor.types import InputError, ObjectModel, PoseEstimate

CORNERS = np.array([[-0.1, -0.1, -0.1], [0.1, 0.1, 0.1]])
CRATE = ObjectModel("crate", 1, 0.3, CORNERS, CORNERS, CORNERS)
POSE = np.eye(4) + np.eye(4, k=3) * 0.5
FOUND = [PoseEstimate(CRATE, POSE, np.eye(6), 0.9, "pnp", np.array([1.0, 1, 6, 4]))]
WIDTH, HEIGHT = 8, 6
K = [50.0, 0.0, 3.5, 0.0, 50.0, 2.5, 0.0, 0.0, 1.0]
BYTES = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono16": 2, "yuv422": 2, "uyvy": 2, "yuv422_yuy2": 2, "yuyv": 2}
INTERNAL = "internal error"


class Finds:
    """Stands in for the network, with all of the estimator that comes before it."""

    device = execution = "cpu"

    def wanted(self, objects):
        return tuple(objects)

    def tune(self, follow, objects, score_threshold, smooth): ...

    def reset(self): ...

    def update(self, frame):
        frame_window(frame.image, frame.camera, 64)
        crop_window(frame.image, frame.camera, FOUND[0].box, 1.4, 32)
        return FOUND


class Serialised:
    """Answers as they would go out."""

    def poses(self, frame, estimates):
        tf_message(idl, frame, estimates).serialize()
        detections_message(idl, frame, estimates).serialize()

    def overlay(self, frame, estimates): ...

    def overlay_wanted(self):
        return False

    def markers(self, frame, estimates): ...

    def markers_wanted(self):
        return False


def header(rng=None):
    if rng is None or rng.random() < 0.5:
        return idl.Header(idl.Time(12, 34), "camera")
    sec = rng.choice((0, 1, -1, 2**31 - 1, -(2**31)))
    return idl.Header(idl.Time(sec, whole(rng)), text(rng, "camera", "left/optical"))


def image(rng=None):
    encoding = "rgb8" if rng is None else text(rng, *ENCODINGS)
    step = WIDTH * BYTES.get(encoding, 1)
    fields = [HEIGHT, WIDTH, encoding, 0, step]
    if rng is not None and rng.random() < 0.7:
        place = rng.randrange(5)
        if place != 2:
            fields[place] = whole(rng) % 256 if place == 3 else whole(rng)
    size = step * HEIGHT if rng is None or rng.random() < 0.7 else rng.randrange(300)
    return idl.Image(header(rng), *fields, np.arange(size).astype(np.uint8))


def picture(suffix=".jpg", width=WIDTH, height=HEIGHT, channels=3):
    pixels = np.arange(width * height * channels).astype(np.uint8).reshape(height, width, channels)
    return cv2.imencode(suffix, pixels)[1].tobytes()


PICTURES = [picture(), picture(".png"), picture(".png", channels=1), picture(".jpg", 16, 12), picture(".png", 300, 1)]
FORMATS = (
    "bgr8; jpeg compressed bgr8",
    "rgb8; png compressed bgr8",
    "bayer_rggb8; jpeg compressed bayer_rggb8",
    "jpeg",
)


def compressed(rng=None):
    if rng is None:
        return idl.CompressedImage(header(), FORMATS[0], PICTURES[0])
    data = rng.choice(PICTURES)
    return idl.CompressedImage(header(rng), text(rng, *FORMATS), mutate(rng, data) if rng.random() < 0.8 else data)


def info(rng=None):
    zeros, roi = [0.0] * 9, idl.RegionOfInterest()
    fields = [HEIGHT, WIDTH, "plumb_bob", [0.0] * 5, list(K), zeros, [0.0] * 12, 0, 0, roi]
    if rng is None:
        return idl.CameraInfo(header(), *fields)
    for _ in range(rng.randint(1, 3)):
        place = rng.choice((0, 1, 2, 3, 3, 4, 4, 4, 7, 8, 9))
        if place == 2:
            fields[2] = text(rng, "plumb_bob", "rational_polynomial", "equidistant", "none")
        elif place == 3:
            fields[3] = [double(rng) for _ in range(rng.choice((0, 4, 5, 8, 3, 100)))]
        elif place == 4:
            fields[4][rng.randrange(9)] = double(rng)
        elif place == 9:
            fields[9] = idl.RegionOfInterest(*(whole(rng) for _ in range(4)), rng.random() < 0.5)
        else:
            fields[place] = whole(rng)
    return idl.CameraInfo(header(rng), *fields)


class Messages:
    """A core for each way in. `one` sends one broken message; what it returns is the reason it was dropped for, "" for
    one that was answered. AssertionError: it was not counted exactly once, or the fault is ours."""

    def __init__(self):
        log = logging.getLogger("fuzz")
        log.disabled = True
        make = {"image": image, "compressed": compressed, "info": info}
        self.makers = make
        self.cores = {
            kind: NodeCore(
                NodeConfig(image_transport="compressed" if kind == "compressed" else "raw"), Finds(), Serialised(), log
            )
            for kind in make
        }
        for core in self.cores.values():
            core.on_camera_info(info())
            core.start()
        self.whole = {kind: maker().serialize() for kind, maker in make.items()}
        self.total = dict.fromkeys(make, 0)

    def close(self):
        for core in self.cores.values():
            core.stop()

    def one(self, rng, kind):
        if rng.random() < 0.5:
            data = mutate(rng, self.whole[kind])
        else:
            data = self.makers[kind](rng).serialize()
            if rng.random() < 0.2:
                data = mutate(rng, data)
        return self.send(kind, data)

    def send(self, kind, data):
        core = self.cores[kind]
        before = core.counts
        type_of = {"image": idl.Image, "compressed": idl.CompressedImage, "info": idl.CameraInfo}[kind]
        try:
            message = type_of.deserialize(data)  # as the node's listener does
        except InputError as error:
            if kind == "info":
                return error.reason
            core.reject(error)
        else:
            if kind == "info":
                core.on_camera_info(message)
                core.on_image(image())  # what it is worth shows at the next image
            else:
                core.on_image(message)
        assert core.wait_idle(60), "an image took more than a minute"
        if kind == "compressed":
            assert core.wait_idle(60)  # from the decoder it goes to the next thread
        return self.account(before, core.counts)

    @staticmethod
    def account(before, after):
        assert after.received == before.received + 1
        processed = after.processed - before.processed
        new = after.dropped - before.dropped
        assert processed + new.total() == 1, f"{processed} answered, {new} dropped of one message"
        reason = next(iter(new), "")
        assert not reason.startswith(INTERNAL), reason
        assert processed or reason
        return reason
