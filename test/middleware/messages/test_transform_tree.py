"""Places of frames in each other: against products of matrices by SciPy."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from pose_regressor.middleware.messages.transform_tree import TransformTree
from pose_regressor.types import InputError

SECOND = 1_000_000_000


def message(parent, child, pose, stamp=0):
    """tf2_msgs/TFMessage of one transform, (4, 4) parent_from_child."""
    x, y, z = pose[:3, 3]
    qx, qy, qz, qw = Rotation.from_matrix(pose[:3, :3]).as_quat()
    seconds, nanoseconds = divmod(stamp, SECOND)
    transform = SimpleNamespace(
        header=SimpleNamespace(stamp=SimpleNamespace(sec=seconds, nanosec=nanoseconds), frame_id=parent),
        child_frame_id=child,
        transform=SimpleNamespace(
            translation=SimpleNamespace(x=x, y=y, z=z), rotation=SimpleNamespace(x=qx, y=qy, z=qz, w=qw)
        ),
    )
    return SimpleNamespace(transforms=[transform])


def transform(seed):
    result = np.eye(4)
    result[:3, :3] = Rotation.random(random_state=seed).as_matrix()
    result[:3, 3] = np.random.default_rng(seed).normal(size=3)
    return result


def test_up_and_down_the_branches():
    tree = TransformTree()
    base, left, right = transform(0), transform(1), transform(2)
    tree.on_tf_static(message("world", "base", base))
    tree.on_tf_static(message("base", "left", left))
    tree.on_tf_static(message("/base", "/right", right))  # as ROS 1 wrote them
    np.testing.assert_allclose(tree.lookup("world", "left", 5), base @ left, atol=1e-12)
    np.testing.assert_allclose(tree.lookup("right", "left", 5), np.linalg.inv(right) @ left, atol=1e-12)
    np.testing.assert_allclose(tree.lookup("left", "left", 5), np.eye(4))


def test_between_two_times():
    tree = TransformTree(patience=0.05)
    poses = [transform(0), transform(1)]
    for stamp, pose in ((3 * SECOND, poses[1]), (2 * SECOND, poses[0])):  # the older one comes late
        tree.on_tf(message("world", "camera", pose, stamp))
    found = tree.lookup("world", "camera", 2 * SECOND + SECOND // 4)
    np.testing.assert_allclose(found[:3, 3], 0.75 * poses[0][:3, 3] + 0.25 * poses[1][:3, 3])
    turns = Slerp([2, 3], Rotation.from_matrix([pose[:3, :3] for pose in poses]))
    np.testing.assert_allclose(found[:3, :3], turns(2.25).as_matrix(), atol=1e-9)
    np.testing.assert_allclose(tree.lookup("world", "camera", 3 * SECOND + SECOND // 25), poses[1], atol=1e-12)
    for stamp, words in ((SECOND, "before the oldest"), (4 * SECOND, r"1\.000 s after the newest")):
        with pytest.raises(InputError, match=f"no transform for that time, of camera in world; the time is {words}"):
            tree.lookup("world", "camera", stamp)


def test_unknown_frames_and_rings_end():
    tree = TransformTree()
    with pytest.raises(InputError, match="camera is not known in world"):
        tree.lookup("world", "camera", 0)
    tree.on_tf_static(message("b", "a", transform(0)))
    tree.on_tf_static(message("a", "b", transform(0)))
    with pytest.raises(InputError, match="a is not known in world"):
        tree.lookup("world", "a", 0)


def test_what_is_no_transform_is_passed_over():
    tree = TransformTree()
    bad = message("world", "camera", np.eye(4))
    bad.transforms[0].transform.rotation = SimpleNamespace(x=0.0, y=0.0, z=0.0, w=0.0)
    tree.on_tf(bad)
    bad.transforms[0].transform.translation = SimpleNamespace(x=float("nan"), y=0.0, z=0.0)
    tree.on_tf(bad)
    with pytest.raises(InputError, match="not known"):
        tree.lookup("world", "camera", 0)


def test_the_past_is_forgotten():
    tree = TransformTree()
    for k in range(500):
        tree.on_tf(message("world", "camera", np.eye(4), k * SECOND // 10))
    tree.lookup("world", "camera", 45 * SECOND)
    with pytest.raises(InputError, match="before the oldest"):
        tree.lookup("world", "camera", 30 * SECOND)


def test_a_clock_that_went_back():
    """A recording of a minute that is played again: what was told the first time is in the future now."""
    tree = TransformTree()
    for place in (1.0, 2.0):
        for k in range(600):
            pose = np.eye(4)
            pose[0, 3] = place
            tree.on_tf(message("world", "camera", pose, k * SECOND // 10))
            assert tree.lookup("world", "camera", k * SECOND // 10)[0, 3] == place
