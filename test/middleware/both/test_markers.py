"""Markers of either node, read by a participant that knows no ROS 2."""

import pytest

ADD, DELETE = 0, 2
CUBE, MESH = 1, 10


def markers_of(peer, reader, brightness, stamp):
    """The markers of the image of this stamp."""
    peer.send_image(brightness, stamp)
    seen = []

    def found():
        seen.extend(m for array in reader.take(100) for m in getattr(array, "markers", ()))
        return [m for m in seen if m.header.stamp.sec == stamp]

    return found


@pytest.mark.parametrize("mesh", ["", "package://shop/meshes/crate.dae"])
def test_the_object_and_its_end(start, make_peer, wire, mesh):
    start(image_reliability="reliable", meshes=[f"crate={mesh}" if mesh else ""], mesh_scale=0.001)
    peer = make_peer()
    reader = peer.reader("rt/pose_regressor/markers", wire.MarkerArray)
    peer.match()
    wire.until(lambda: reader.matched_pub, "the markers' writer")
    peer.introduce()
    peer.calibrate()
    (marker,) = wire.until(markers_of(peer, reader, 10, 1), "a marker")
    assert (marker.ns, marker.id, marker.action, marker.header.frame_id) == ("crate", 0, ADD, "optical")
    assert (marker.lifetime.sec, marker.lifetime.nanosec) == (1, 0) and marker.color.a > 0
    place = (marker.pose.position.x, marker.pose.position.y, marker.pose.position.z)
    turn = (marker.pose.orientation.z, marker.pose.orientation.w)
    assert turn == pytest.approx((0.5**0.5, 0.5**0.5)), "a quarter turn about the optical axis"
    scale = (marker.scale.x, marker.scale.y, marker.scale.z)
    if mesh:
        assert (marker.type, marker.mesh_resource, marker.mesh_use_embedded_materials) == (MESH, mesh, True)
        assert scale == pytest.approx((0.001,) * 3) and place == pytest.approx((0.1, -0.2, 1.0))
    else:  # the box of 0.2 x 0.1 x 0.2 m stands on the object's origin
        assert marker.type == CUBE and scale == pytest.approx((0.2, 0.1, 0.2))
        assert place == pytest.approx((0.1, -0.2, 1.1))
    (gone,) = wire.until(markers_of(peer, reader, 0, 2), "its end")
    assert (gone.ns, gone.id, gone.action) == ("crate", 0, DELETE)
