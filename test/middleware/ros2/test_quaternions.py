"""Our quaternions, in messages of rclpy, against those of tf_transformations, or of SciPy if that is not installed."""

import numpy as np
import pytest

from pose_regressor.middleware.messages import poses
from pose_regressor.types import Frame

pytest.importorskip("rclpy")
try:
    from tf_transformations import quaternion_from_matrix
except ImportError:
    from scipy.spatial.transform import Rotation

    def quaternion_from_matrix(pose):
        return Rotation.from_matrix(pose[:3, :3]).as_quat()


from pose_regressor.middleware.ros2 import interfaces

pytestmark = pytest.mark.ros2


def test_they_are_the_same(standin, camera):
    frame = Frame(np.zeros((2, 4, 3), np.uint8), camera, 7_000_000_008, "optical")
    rng = np.random.default_rng(0)
    for _ in range(20):
        estimate = standin.estimate(1.5, 3)
        rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        estimate.cam_from_obj[:3, :3] = rotation * np.sign(np.linalg.det(rotation))
        (ours,) = poses.tf_message(interfaces, frame, [estimate], "seen/").transforms
        assert (ours.header.stamp.sec, ours.child_frame_id) == (7, "seen/crate_3")
        turn = ours.transform.rotation
        q, p = np.array((turn.x, turn.y, turn.z, turn.w)), np.asarray(quaternion_from_matrix(estimate.cam_from_obj))
        np.testing.assert_allclose(q, p * np.sign(q @ p), atol=1e-6)
