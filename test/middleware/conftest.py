import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pose_regressor.types import Camera

STANDIN = Path(__file__).with_name("standin_node.py")


@pytest.fixture(scope="session")
def standin():
    """The words of standin_node.py: estimate, StandIn, CRATE, ROTATION."""
    return SimpleNamespace(**runpy.run_path(str(STANDIN)))


class Recorder:
    """A logger that keeps what is said to it."""

    def __init__(self):
        self.said = []

    def __getattr__(self, level):
        return lambda message: self.said.append((level, message))

    def of(self, level):
        return [message for said, message in self.said if said == level]


@pytest.fixture
def log():
    return Recorder()


@pytest.fixture
def camera():
    return Camera(4, 2, np.array([[100.0, 0, 1.5], [0, 110.0, 0.5], [0, 0, 1]]))


def header(frame_id="optical", sec=12, nanosec=34):
    return SimpleNamespace(stamp=SimpleNamespace(sec=sec, nanosec=nanosec), frame_id=frame_id)


@pytest.fixture
def image():
    """Makes image messages: 4x2 rgb8 unless told; `step` and `data` follow from the rest unless given."""

    def make(encoding="rgb8", width=4, height=2, channels=3, **rest):
        values = {
            "header": header(),
            "width": width,
            "height": height,
            "encoding": encoding,
            "is_bigendian": 0,
            "step": width * channels,
        }
        values |= rest
        if "data" not in values:
            values["data"] = bytes(1 + i % 250 for i in range(values["step"] * height))
        return SimpleNamespace(**values)

    return make


@pytest.fixture
def info():
    """Makes camera info messages for the images of `image`."""

    def make(**rest):
        values = {
            "header": header(),
            "width": 4,
            "height": 2,
            "distortion_model": "plumb_bob",
            "d": [0.1, 0.0, 0.0, 0.0, 0.0],
            "k": [100.0, 0.0, 1.5, 0.0, 110.0, 0.5, 0.0, 0.0, 1.0],
            "binning_x": 0,
            "binning_y": 0,
            "roi": SimpleNamespace(x_offset=0, y_offset=0, width=0, height=0, do_rectify=False),
        }
        return SimpleNamespace(**{**values, **rest})

    return make
