"""What RViz is told of several objects over several frames."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from pose_regressor.middleware.pose.markers import ADD, DELETE, TRIANGLE_LIST, Shapes
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.types import Camera, Frame, InputError

NAMES = ("Marker", "MarkerArray", "ColorRGBA", "Duration", "Vector3", "Point", "Quaternion", "Pose", "Header", "Time")
TYPES = SimpleNamespace(**dict.fromkeys(NAMES, SimpleNamespace))
FRAME = Frame(np.zeros((2, 2, 3), np.uint8), Camera(2, 2, np.eye(3)), stamp=5_000_000_007, frame_id="head")


def actions(message):
    return [(marker.ns, marker.id, marker.action) for marker in message.markers]


def test_what_goes_is_deleted_once(standin):
    shapes = Shapes(TYPES, NodeConfig())
    one, two = standin.estimate(1.0, instance=0), standin.estimate(2.0, instance=1)
    assert actions(shapes.message(FRAME, [one, two])) == [("crate", 0, ADD), ("crate", 1, ADD)]
    assert actions(shapes.message(FRAME, [two])) == [("crate", 0, DELETE), ("crate", 1, ADD)]
    assert actions(shapes.message(FRAME, [two])) == [("crate", 1, ADD)]
    assert actions(shapes.message(FRAME, [])) == [("crate", 1, DELETE)]
    assert actions(shapes.message(FRAME, [])) == []


def test_the_bundles_own_mesh(standin):
    """Three corners of each triangle in the object's frame; the marker stands where the object does."""
    vertices = np.array([[0.0, 0, 0], [0.1, 0, 0], [0, 0.1, 0], [0, 0, 0.1]])
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    model = replace(standin.CRATE, vertices=vertices, faces=faces)
    estimate = replace(standin.estimate(1.0), model=model)
    (marker,) = Shapes(TYPES, NodeConfig()).message(FRAME, [estimate]).markers
    assert marker.type == TRIANGLE_LIST and (marker.scale.x, marker.scale.y, marker.scale.z) == (1, 1, 1)
    corners = np.array([(p.x, p.y, p.z) for p in marker.points])
    np.testing.assert_array_equal(corners, vertices[[0, 1, 2, 0, 2, 3]])
    assert (marker.pose.position.x, marker.pose.position.y, marker.pose.position.z) == (0.1, -0.2, 1.0)
    assert (marker.header.stamp.sec, marker.header.stamp.nanosec, marker.header.frame_id) == (5, 7, "head")


@pytest.mark.parametrize(
    "entry", ["crate", "crate=mesh.ply", "=file:///x.ply", "my crate=file:///x.ply", "crate=file://"]
)
def test_meshes_that_cannot_be(entry):
    with pytest.raises(InputError, match=r"meshes: expected OBJECT=URI"):
        NodeConfig(meshes=(entry,))
