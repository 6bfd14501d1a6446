import numpy as np
import pytest

from pose_regressor.middleware.messages import poses
from pose_regressor.types import Frame

pytest.importorskip("rclpy")
from pose_regressor.middleware.ros2.output import transform

from pose_regressor.middleware.ros2 import interfaces

pytestmark = pytest.mark.ros2


def test_both_nodes_send_the_same_transforms(standin, camera):
    frame = Frame(np.zeros((2, 4, 3), np.uint8), camera, 7_000_000_008, "optical")
    rng = np.random.default_rng(0)
    for _ in range(20):
        estimate = standin.estimate(1.5, 3)
        rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        estimate.cam_from_obj[:3, :3] = rotation * np.sign(np.linalg.det(rotation))
        ours = transform(frame, estimate, "seen/")
        (theirs,) = poses.tf_message(interfaces, frame, [estimate], "seen/").transforms
        assert (ours.header, ours.child_frame_id) == (theirs.header, theirs.child_frame_id)
        assert ours.transform.translation == theirs.transform.translation
        a, b = ours.transform.rotation, theirs.transform.rotation
        q, p = np.array((a.x, a.y, a.z, a.w)), np.array((b.x, b.y, b.z, b.w))
        np.testing.assert_allclose(q, p * np.sign(q @ p), atol=1e-6)
