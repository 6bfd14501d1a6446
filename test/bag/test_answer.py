"""Why the images of a bag are dropped."""

import numpy as np
import pytest

pytest.importorskip("mcap")

from mcap.records import Message

from pose_regressor.bag.answer import BagCamera
from pose_regressor.bag.reading import Recorded
from pose_regressor.bag.topics import CameraTopics
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.middleware.wire import idl
from pose_regressor.types import Camera

CAMERA = Camera(4, 2, np.array([[100.0, 0, 1.5], [0, 110.0, 0.5], [0, 0, 1]]))


def recorded(data):
    return Recorded(None, None, Message(0, 0, data, 0, 0))


def test_images_that_differ_in_values_are_counted_under_one_reason():
    camera = BagCamera(CameraTopics("/image", "", False), CAMERA, NodeConfig(), None)
    header = idl.Header(frame_id="optical")
    for size in (8, 16, 32):
        assert (
            camera.answer(recorded(idl.Image(header, size, size, "rgb8", 0, 3 * size, [0] * 3 * size**2).serialize()))
            == []
        )
        assert camera.answer(recorded(bytes(size))) == []
    reasons = ("image: size differs from its camera info", "image: expected a sensor_msgs/Image in CDR")
    assert camera.dropped == dict.fromkeys(reasons, 3)
    assert "got 8x8, expected 4x2" in str(camera.examples[reasons[0]])
