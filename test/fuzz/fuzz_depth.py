"""Depth messages: broken ones beside a good image, which must be answered whatever depth is like."""

import logging
import struct

import cv2
import numpy as np
from fuzz_messages import HEIGHT, INTERNAL, WIDTH, Finds, Serialised, header, image, info
from fuzz_mutations import double, mutate, text, whole

from pose_regressor.geometry.so3 import exp
from pose_regressor.middleware.messages.depth import ENCODINGS
from pose_regressor.middleware.pose.core import NodeCore
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.middleware.wire import idl
from pose_regressor.types import InputError

METRES = np.linspace(0.4, 3.0, WIDTH * HEIGHT, dtype=np.float32).reshape(HEIGHT, WIDTH)
STEPS = (1000 * METRES).astype(np.uint16)
FORMATS = (
    "16UC1; compressedDepth",
    "32FC1; compressedDepth png",
    "16UC1; compressedDepth rvl",
    "32FC1; compressedDepth rvl",
    "16UC1; png compressed ",
)


def depth(rng=None):
    """A sensor_msgs/Image."""
    encoding = "32FC1" if rng is None else text(rng, *ENCODINGS)
    pixels = METRES if encoding == "32FC1" else STEPS
    if rng is not None and rng.random() < 0.3:
        pixels = np.array([double(rng) for _ in range(WIDTH * HEIGHT)]).astype(np.float32).reshape(HEIGHT, WIDTH)
    fields = [HEIGHT, WIDTH, encoding, 0, pixels.strides[0]]
    if rng is not None and rng.random() < 0.5:
        place = rng.choice((0, 1, 3, 4))
        fields[place] = whole(rng) % 256 if place == 3 else whole(rng)
    data = pixels.tobytes()
    data = data if rng is None or rng.random() < 0.8 else data[: rng.randrange(len(data))]
    return idl.Image(header(rng), *fields, np.frombuffer(data, np.uint8))


def rvl():
    """STEPS, as runs of zeros and differences."""
    digits, before = [], 0
    for number in (0, STEPS.size, *STEPS.ravel().tolist()):
        value = number if len(digits) < 3 else 2 * (number - before) if number >= before else 2 * (before - number) - 1
        before = before if len(digits) < 3 else number
        while value > 7:
            digits.append(value & 7 | 8)
            value >>= 3
        digits.append(value)
    digits += [0] * (-len(digits) % 8)
    words = [sum(digit << 28 - 4 * i for i, digit in enumerate(digits[j : j + 8])) for j in range(0, len(digits), 8)]
    return struct.pack(f"<II{len(words)}I", WIDTH, HEIGHT, *words)


PNG = cv2.imencode(".png", STEPS)[1].tobytes()
FILES = (PNG, cv2.imencode(".png", STEPS[:2])[1].tobytes(), cv2.imencode(".png", STEPS.astype(np.uint8))[1].tobytes())


def compressed(rng=None):
    """A sensor_msgs/CompressedImage."""
    if rng is None:
        return idl.CompressedImage(header(), FORMATS[0], bytes(12) + PNG)
    form = text(rng, *FORMATS)
    numbers = struct.pack("<iff", 0, *(np.float32(double(rng)) if rng.random() < 0.2 else 100.0 for _ in range(2)))
    data = (b"" if form == FORMATS[-1] else numbers) + (rvl() if "rvl" in form else rng.choice(FILES))
    return idl.CompressedImage(header(rng), form, mutate(rng, data) if rng.random() < 0.7 else data)


class DepthMessages:
    """A core for each way in. `one` sends one broken message and a good image; what it returns is the reason why the
    image had no depth, or "". AssertionError: the image was not answered, or the fault is ours."""

    def __init__(self):
        log = logging.getLogger("fuzz")
        log.disabled = True
        topics = {
            "depth": {"depth_topic": "depth"},
            "depth registered": {"depth_topic": "depth", "depth_info_topic": "depth_info"},
            "depth compressed": {"depth_topic": "depth/compressedDepth"},
        }
        self.cores = {
            kind: NodeCore(NodeConfig(depth_patience=0.0, **given), Finds(), Serialised(), log)
            for kind, given in topics.items()
        }
        place = np.eye(4)
        place[:3, :3], place[:3, 3] = exp(np.array([0.0, 0.1, 0.0])), (0.05, 0.0, 0.0)
        for core in self.cores.values():
            core.on_camera_info(info())
            core.depth.on_info(info())
            core.depth.lookup = lambda target, source, stamp: place

    def close(self):
        for core in self.cores.values():
            core.stop()

    def one(self, rng, kind):
        make = compressed if kind == "depth compressed" else depth
        data = make(rng).serialize() if rng.random() < 0.6 else mutate(rng, make().serialize())
        return self.send(kind, data)

    def send(self, kind, data):
        core = self.cores[kind]
        core.start()
        before, depths = core.counts, core.depth.counts
        type_of = idl.CompressedImage if kind == "depth compressed" else idl.Image
        try:
            core.on_depth(type_of.deserialize(data))
        except InputError as error:
            core.depth.count_message(error)
        core.on_image(image())
        assert core.wait_idle(60), "an image took more than a minute"
        core.pause()  # forgets this depth
        after = core.counts
        assert (after.received, after.processed) == (before.received + 1, before.processed + 1), "the image was dropped"
        new = core.depth.counts.since(depths)
        assert new.received == new.processed + new.dropped.total() == 1
        reason = next(iter(new.dropped), "")
        assert not reason.startswith(INTERNAL), reason
        return reason
