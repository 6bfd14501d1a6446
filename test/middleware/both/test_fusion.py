"""The fusion node of either kind as a process, between two cameras and a listener that know no ROS 2."""

import itertools
import time

import pytest

UPRIGHT, LEFT_TURN = (0.0, 0.0, 0.0, 1.0), (0.0, -(0.5**0.5), 0.0, 0.5**0.5)
#: Sideways and along the view, in m²; about the axes, in rad².
COVARIANCE = (1e-6, 1e-6, 1e-4, 1e-3, 1e-3, 1e-3)


NODE = "pose_regressor_fusion"
OK, WARN, ERROR = 0, 1, 2
BOOL, DOUBLE, STRINGS = 1, 3, 9


@pytest.fixture
def start(kind, launch):
    """Starts a fusion node: start("autostart=false")."""

    def start(*settings):
        given = [part for setting in settings for part in ("--set", setting)]
        return launch("-m", "pose_regressor", "fuse", "--middleware", kind, "--fixed-frame", "room", *given)

    return start


@pytest.fixture
def cameras(make_peer, wire):
    """Two cameras that see a crate at the origin of the room: one from in front, one from the side."""
    peer = make_peer(node=NODE)
    peer.static = peer.writer(
        "rt/tf_static", wire.TFMessage, wire.STATIC_QOS
    )  # which keeps what it wrote while it is there
    header = wire.Header(wire.Time(0, 0), "room")
    places = {"front": ((0.0, 0.0, -1.0), UPRIGHT), "side": ((1.0, 0.0, 0.0), LEFT_TURN)}
    peer.static.write(
        wire.TFMessage(
            [
                wire.TransformStamped(header, name, wire.Transform(wire.Triple(*place), wire.Quaternion(*turn)))
                for name, (place, turn) in places.items()
            ]
        )
    )
    peer.fused = peer.detections
    peer.seen = peer.writer("rt/pose_regressor/detections", wire.Detection3DArray)
    return peer


def match(wire, peer):
    """Waits until the node and this side know of each other, and the node has the transforms."""
    ends = (peer.seen, peer.static)
    wire.until(lambda: all(w.matched_sub for w in ends) and peer.fused.matched_pub, "the node's endpoints")
    wire.until(lambda: peer.tf.matched_pub, "the node's transforms")
    wire.until(lambda: peer.static.wait_for_acks(1_000_000_000), "the transforms to arrive")
    peer.introduce()


@pytest.fixture
def fusion(cameras, wire, start):
    """With a node that fuses. The transforms were published before it was there."""
    cameras.node = start("frame_prefix=f/")
    match(wire, cameras)
    return cameras


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
        fusion.state()  # no more than the queues hold

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
    code, prompt = fusion.node.end()
    assert code == 0 and prompt
    assert "attic is not known in room" in fusion.node.text
    assert "positive definite covariance, got another one of crate" in fusion.node.text
    assert "Traceback" not in fusion.node.text


def both_see(wire, peer, second, moments=5):
    """Both cameras see the crate from this second on, until so many fused poses of it are published, and none of
    another time."""
    stamps, times = [], itertools.count(second * 1_000_000_000, 33_000_000)

    def published():
        stamp = divmod(next(times), 1_000_000_000)
        for camera in ("front", "side"):
            send(wire, peer, camera, stamp, (0.0, 0.0, 1.0))
        time.sleep(0.02)
        stamps.extend(a.header.stamp.sec for a in peer.fused.take(100) if hasattr(a, "detections"))
        return len(stamps) >= moments

    wire.until(published, "fused poses")
    assert second <= min(stamps) <= max(stamps) < second + 100


def test_by_hand(start, cameras, wire):
    peer, node = cameras, start("autostart=false")
    assert peer.state() == "unconfigured"
    assert not peer.change_state("activate")
    assert peer.change_state("configure")
    assert peer.state() == "inactive"
    for second in (100, 200):
        assert peer.change_state("activate")
        assert peer.state() == "active"
        match(wire, peer)
        both_see(wire, peer, second)
        assert peer.change_state("deactivate")
        wire.until(lambda: not peer.seen.matched_sub, "the node's reader to be gone")
        peer.introduce()  # what it still sent is here
        peer.fused.take(100)
    assert peer.change_state("cleanup")
    wire.until(lambda: not peer.tf.matched_pub and not peer.fused.matched_pub, "its writers to be gone")
    assert peer.state() == "unconfigured"
    assert peer.change_state("configure")
    assert peer.change_state("activate")
    match(wire, peer)
    both_see(wire, peer, 300)
    assert peer.change_state("shutdown")
    assert peer.state() == "finalized"
    assert not peer.change_state("configure")
    code, prompt = node.end()
    assert code == 0 and prompt
    assert "Traceback" not in node.text


def test_of_a_bundle_that_does_not_load(start, make_peer, tmp_path):
    """As a lifecycle manager finds it: the node is there, unconfigured, and says why."""
    peer = make_peer(node=NODE)
    bundle = tmp_path / "nowhere.safetensors"
    start("autostart=false", f"model={bundle}")
    reader = peer.diagnostics_reader()
    peer.diagnostics(reader, lambda said: said["node"] == (OK, "unconfigured"), "an unconfigured node")
    assert not peer.change_state("configure")
    peer.diagnostics(reader, lambda said: said["node"][0] == ERROR and "nowhere" in said["node"][1], "the reason")
    assert peer.state() == "unconfigured"
    alone = start(f"model={bundle}")
    assert alone.wait() == 2
    assert "nowhere.safetensors: no such" in alone.text and "Traceback" not in alone.text


def test_what_it_says_of_itself(fusion, wire):
    peer, reader = fusion, fusion.diagnostics_reader()

    def wait(name, level, words):
        return peer.diagnostics(
            reader,
            lambda said: said[name][0] == level and words in said[name][1],
            f"level {level} of {name} with {words!r}",
        )

    assert peer.change_state("deactivate")
    wait("poses", OK, "not active")
    assert peer.change_state("activate")
    match(wire, peer)
    values = wait("cameras", WARN, "no messages yet")
    assert values[f"{NODE}: node"]["State"] == "active"
    assert values[f"{NODE}: node"]["Fixed frame"] == "room"
    both_see(wire, peer, 100)
    values = wait("poses", OK, "Hz")
    assert int(values[f"{NODE}: poses"]["Events since startup"]) >= 5
    assert "front (" in values[f"{NODE}: cameras"]["Cameras heard"]
    assert "side (" in values[f"{NODE}: cameras"]["Cameras heard"]
    send(wire, peer, "attic", (101, 0), (0.0, 0.0, 1.0))
    values = wait("cameras", WARN, "messages cannot be used: TF: a frame is not known in the other")
    assert values[f"{NODE}: cameras"]["Dropped since startup: TF: a frame is not known in the other"] == "1"
    assert "attic is not known in room" in values[f"{NODE}: node"]["Last error"]
    assert peer.change_state("deactivate")
    wait("poses", OK, "not active")


@pytest.mark.slow
def test_a_camera_that_falls_silent_is_named(fusion, wire):
    """Five seconds of silence by the node's clock; reports of before, that there are no messages yet, do not count."""
    peer, reader, stamps, said = fusion, fusion.diagnostics_reader(), itertools.count(200), []
    both_see(wire, peer, 100)

    def warned():
        send(wire, peer, "front", (next(stamps), 0), (0.0, 0.0, 1.0))
        time.sleep(0.1)
        statuses = [s for report in reader.take(100) for s in getattr(report, "status", ())]
        said.extend(s.message for s in statuses if s.name == f"{NODE}: cameras" and s.level == WARN)
        return any(message.startswith("no message of side for ") for message in said)

    wire.until(warned, "a warning of a camera")
    assert not any("no message of front" in message for message in said)


def test_parameters(fusion, wire):
    assert fusion.set_parameter("smooth", type=BOOL, bool_value=False) == ""
    for name, value in (
        ("window", {"type": DOUBLE, "double_value": 0.1}),
        ("smooth", {"type": DOUBLE, "double_value": 1.0}),
        ("detections", {"type": STRINGS, "string_array_value": ["/x"]}),
        ("score_threshold", {"type": DOUBLE, "double_value": 0.5}),
    ):
        assert fusion.set_parameter(name, **value), f"{name} is refused, and the reason said"
    both_see(wire, fusion, 100)
