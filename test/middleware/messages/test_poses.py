"""Poses into messages and back, as plain objects with the messages' field names."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from pose_regressor.middleware.messages import poses
from pose_regressor.types import Frame, InputError


def test_tf_message(types, standin, camera):
    frame = Frame(np.zeros((2, 4, 3), np.uint8), camera, 7_000_000_008, "optical")
    message = poses.tf_message(types, frame, [standin.estimate(1.5), standin.estimate(2.5, 3)], "seen/")
    first, second = message.transforms
    assert (first.header.stamp.sec, first.header.stamp.nanosec, first.header.frame_id) == (7, 8, "optical")
    assert (first.child_frame_id, second.child_frame_id) == ("seen/crate_0", "seen/crate_3")
    t, q = second.transform.translation, second.transform.rotation
    assert (t.x, t.y, t.z) == (0.1, -0.2, 2.5)
    np.testing.assert_allclose((q.x, q.y, q.z, q.w), (0, 0, np.sqrt(0.5), np.sqrt(0.5)), atol=1e-12)
    assert all(type(value) is float for value in (t.x, t.y, t.z, q.x, q.y, q.z, q.w)), "rclpy takes floats only"
    assert poses.tf_message(types, frame, []).transforms == []


def test_quaternions_agree_with_opencv(types, standin, camera):
    frame = Frame(np.zeros((2, 4, 3), np.uint8), camera)
    for vector in np.random.default_rng(0).normal(size=(20, 3)):
        pose = standin.estimate(1.0)
        pose.cam_from_obj[:3, :3] = cv2.Rodrigues(vector)[0]
        q = poses.tf_message(types, frame, [pose]).transforms[0].transform.rotation
        angle = np.linalg.norm(vector)
        expected = np.append(np.sin(angle / 2) * vector / angle, np.cos(angle / 2))
        np.testing.assert_allclose((q.x, q.y, q.z, q.w), expected * np.sign(expected[3]), atol=1e-9)


def test_detections_message(types, standin, camera):
    frame = Frame(np.zeros((2, 4, 3), np.uint8), camera, 7_000_000_008, "optical")
    message = poses.detections_message(types, frame, [standin.estimate(1.5)])
    (detection,) = message.detections
    (result,) = detection.results
    assert message.header.frame_id == detection.header.frame_id == "optical"
    assert (result.hypothesis.class_id, result.hypothesis.score, detection.id) == ("crate", 0.75, "crate_0")
    assert result.pose.covariance == np.diag([1.0, 2, 3, 4, 5, 6]).reshape(36).tolist()
    position = result.pose.pose.position
    assert (position.x, position.y, position.z) == (0.1, -0.2, 1.5)
    # The box reaches from z = 0 to 0.2 in the object's frame: its centre is 0.1 from the origin along z.
    centre = detection.bbox.center.position
    np.testing.assert_allclose((centre.x, centre.y, centre.z), (0.1, -0.2, 1.6))
    size = detection.bbox.size
    np.testing.assert_allclose((size.x, size.y, size.z), (0.2, 0.1, 0.2))
    assert poses.detections_message(types, frame, []).detections == []


def test_detections_there_and_back(types, standin, camera):
    frame, sent = Frame(np.zeros((2, 4, 3), np.uint8), camera), standin.estimate(1.5)
    (detection,) = poses.detections_message(types, frame, [sent]).detections
    known = {"crate": standin.CRATE}
    for models in (known, {}):
        got = poses.estimate_from_detection(detection, models)
        assert got.model is models["crate"] and got.score == sent.score
        np.testing.assert_allclose(got.cam_from_obj, sent.cam_from_obj, atol=1e-12)
        np.testing.assert_array_equal(got.covariance, sent.covariance)
        np.testing.assert_allclose(got.model.bounds, standin.CRATE.bounds, atol=1e-12)
        assert got.method is None and got.box is None, "a detection does not tell"


@pytest.mark.parametrize(
    ("position", "orientation"),
    [
        ((np.nan, 0, 0), (0, 0, 0, 1)),
        ((0, 0, 0), (0, 0, 0, 0)),
        ((0, 0, np.inf), (1, 2, 3, 4)),
        ((0, 0, 0), (1e9, 0, 0, 0)),
    ],
)
def test_what_is_no_pose_has_one_reason(position, orientation):
    position = SimpleNamespace(**dict(zip("xyz", position, strict=True)))
    orientation = SimpleNamespace(**dict(zip("xyzw", orientation, strict=True)))
    with pytest.raises(InputError) as caught:
        poses.rigid(position, orientation)
    assert caught.value.reason == "pose: expected finite numbers and a quaternion"
