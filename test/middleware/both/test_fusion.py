"""The fusion node of either kind as a process, between two cameras and a listener that know no ROS 2."""

import time

import pytest
from cyclonedds.qos import Policy, Qos

STATIC_QOS = Qos(
    Policy.Reliability.Reliable(1_000_000_000), Policy.Durability.TransientLocal, Policy.History.KeepLast(100)
)
UPRIGHT, LEFT_TURN = (0.0, 0.0, 0.0, 1.0), (0.0, -(0.5**0.5), 0.0, 0.5**0.5)
#: Sideways and along the view, in m²; about the axes, in rad².
COVARIANCE = (1e-6, 1e-6, 1e-4, 1e-3, 1e-3, 1e-3)


@pytest.fixture
def fusion(kind, make_peer, wire, launch):
    """Two cameras that see a crate at the origin of the room: one from in front, one from the side. The transforms were
    published before the node was there."""
    peer = make_peer()
    static = peer.writer("rt/tf_static", wire.TFMessage, STATIC_QOS)
    header = wire.Header(wire.Time(0, 0), "room")
    places = {"front": ((0.0, 0.0, -1.0), UPRIGHT), "side": ((1.0, 0.0, 0.0), LEFT_TURN)}
    static.write(
        wire.TFMessage(
            [
                wire.TransformStamped(header, name, wire.Transform(wire.Triple(*place), wire.Quaternion(*turn)))
                for name, (place, turn) in places.items()
            ]
        )
    )
    peer.fused = peer.reader("rt/pose_regressor_fusion/detections", wire.Detection3DArray)
    peer.seen = peer.writer("rt/pose_regressor/detections", wire.Detection3DArray)
    peer.node = launch(
        "-m", "pose_regressor", "fuse", "--middleware", kind, "--fixed-frame", "room", "--set", "frame_prefix=f/"
    )
    wire.until(lambda: peer.seen.matched_sub and peer.fused.matched_pub and peer.tf.matched_pub, "the node's endpoints")
    time.sleep(0.5)  # as in Peer.match; and the transforms have to arrive
    return peer


def send(wire, peer, camera, stamp, place, name="crate", covariance=COVARIANCE):
    """The crate at a place in the camera's frame, turned so that it stands upright in the room."""
    header = wire.Header(wire.Time(*stamp), camera)
    turn = UPRIGHT if camera == "front" else (0.0, 0.5**0.5, 0.0, 0.5**0.5)
    pose = wire.Pose(wire.Place(*place), wire.Quaternion(*turn))
    matrix = [covariance[i] if i == j else 0.0 for i in range(6) for j in range(6)]
    hypothesis = wire.HypothesisWithPose(wire.Hypothesis(name, 0.9), wire.PoseWithCovariance(pose, matrix))
    box = wire.BoundingBox3D(pose, wire.Triple(0.2, 0.2, 0.2))
    peer.seen.write(wire.Detection3DArray(header, [wire.Detection3D(header, [hypothesis], box, f"{name}_0")]))


def test_two_cameras_one_crate(fusion, wire):
    """Each errs by 9 mm along its view, where the other one knows better: 1 part to 100."""
    arrays, transforms = [], []
    for k in range(8):
        stamp = (100, 33_000_000 * k)
        send(wire, fusion, "front", stamp, (0.0, 0.0, 1.009))
        send(wire, fusion, "side", stamp, (0.0, 0.0, 1.009))
        time.sleep(0.02)

    def heard():
        arrays.extend(a for a in fusion.fused.take(100) if hasattr(a, "detections"))
        transforms.extend(t for m in fusion.tf.take(100) for t in getattr(m, "transforms", ()))
        return len(arrays) >= 7 and len(transforms) >= 7

    wire.until(heard, "seven fused poses")
    last = arrays[-1]
    assert last.header.frame_id == "room" and last.header.stamp.sec == 100
    (detection,) = last.detections
    assert detection.id == "crate_0" and detection.results[0].hypothesis.class_id == "crate"
    pose = detection.results[0].pose
    place = [pose.pose.position.x, pose.pose.position.y, pose.pose.position.z]
    assert place == pytest.approx([-0.009 / 101, 0, 0.009 / 101], abs=1e-5)
    assert [pose.covariance[0], pose.covariance[7], pose.covariance[14]] == pytest.approx(
        [1e-4 / 101, 5e-7, 1e-4 / 101], rel=0.05
    )
    assert {(t.header.frame_id, t.child_frame_id) for t in transforms} == {("room", "f/crate_0")}
    turn = transforms[-1].transform.rotation
    assert (turn.x, turn.y, turn.z, abs(turn.w)) == pytest.approx((0, 0, 0, 1), abs=1e-6)
    assert transforms[-1].transform.translation.z == pytest.approx(place[2])


def test_what_is_bad_costs_itself_only(fusion, wire):
    for k in range(5):
        send(wire, fusion, "attic", (100, 33_000_000 * k), (0.0, 0.0, 1.0))
        send(wire, fusion, "front", (100, 33_000_000 * k), (0.0, 0.0, 1.0), covariance=(0.0,) * 6)
        send(wire, fusion, "front", (200, 33_000_000 * k), (0.0, 0.0, 1.0))
    array = fusion.take(fusion.fused, "a fused pose")[-1]
    assert array.header.stamp.sec == 200 and len(array.detections) == 1
    code, seconds = fusion.node.end()
    assert code == 0 and seconds < 5
    assert "attic is not known in room" in fusion.node.text
    assert "positive definite covariance of crate" in fusion.node.text
    assert "Traceback" not in fusion.node.text
