"""A recording with a table on TF: the box is put on it, and images that are answered without it are counted."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mcap")

from pose_regressor.assets import demo_folder
from pose_regressor.cli import main
from pose_regressor.files.bop import read_scene_gt
from pose_regressor.geometry.rigid import rigid
from pose_regressor.geometry.so3 import to_quaternion
from pose_regressor.middleware.wire import idl
from pose_regressor.middleware.wire.definitions import ros2msg

spec = importlib.util.spec_from_file_location("contents", Path(__file__).with_name("contents.py"))
contents = importlib.util.module_from_spec(spec)
spec.loader.exec_module(contents)

DETECTIONS = "/pose_regressor/detections"


def table_in_camera():
    """(4, 4) the side of the box that the camera cannot see, in the clip's first image; z points into the box."""
    true = read_scene_gt(demo_folder() / "scene_gt.json")[0][0].cam_from_obj
    half = np.array([0.08, 0.055, 0.03])  # of the box: 160 x 110 x 60 mm
    away = true[:3, :3].T @ true[:3, 3] / half
    axis = int(np.argmax(np.abs(away)))
    side = np.zeros(3)
    side[axis] = np.sign(away[axis])
    up = -true[:3, :3] @ side
    origin = true[:3, 3] - half[axis] * up
    across = np.linalg.svd(up[None])[2][1]
    return rigid(np.stack([across, np.cross(up, across), up], 1), origin)


def with_table(source, target, pose):
    """A copy of a bag that begins with a transform."""
    shift, turn = pose[:3, 3], to_quaternion(pose[:3, :3])
    transform = idl.Transform(idl.Vector3(*shift), idl.Quaternion(*turn))
    placed = idl.TransformStamped(idl.Header(frame_id="camera_optical_frame"), "table", transform)
    types = {kind.ros_type: kind for kind in (idl.Image, idl.CameraInfo, idl.TFMessage)}
    items = [
        (t, s[0], ros2msg(types[s[0]]), {}, time, data) for t, _, _, s, time, *_, data in contents.messages(source)
    ]
    first = (
        "/tf_static",
        idl.TFMessage.ros_type,
        ros2msg(idl.TFMessage),
        {},
        items[0][4],
        idl.TFMessage([placed]).serialize(),
    )
    contents.write(target, [first, *items])
    return target


def poses(path):
    """(N, 3) positions and (N,) variances along z of all detections."""
    found = [
        idl.Detection3DArray.deserialize(data) for topic, *_, data in contents.messages(path) if topic == DETECTIONS
    ]
    each = [message.detections[0].results[0].pose for message in found]
    places = np.array([[p.pose.position.x, p.pose.position.y, p.pose.position.z] for p in each])
    return places, np.array([p.covariance[14] for p in each])


def test_the_box_is_put_on_the_table(recorded, tmp_path, capsys):
    table = table_in_camera()
    table[:3, 3] += 0.02 * table[:3, 2]  # 2 cm too high, so that it shows
    path = with_table(recorded / "raw.mcap", tmp_path / "in.mcap", table)
    for name, frame in (("on", "table"), ("off", ""), ("unknown", "desk")):
        assert main(["bag", str(path), str(tmp_path / f"{name}.mcap"), "--set", f"support_frame={frame}"]) == 0
        said = capsys.readouterr().err
        assert ("images that were without support plane: 12 support_frame: TF" in said) == (name == "unknown")
    (on, surer), (off, less_sure), (unknown, _) = (
        poses(tmp_path / f"{name}.mcap") for name in ("on", "off", "unknown")
    )
    np.testing.assert_allclose(unknown, off)
    assert (surer < less_sure).all()
    lifted = (on - off) @ table[:3, 2]
    assert ((lifted > 0.0005) & (lifted < 0.02)).all(), "towards the table, and not beyond it"
