"""What a managed node does at each transition, between a stand-in tracker and ends that keep what happens at them."""

import gc
import threading
import weakref

import pytest

from pose_regressor.middleware.kit.lifecycle import State
from pose_regressor.middleware.pose import managed
from pose_regressor.middleware.pose.managed import ManagedNode
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.types import InputError


class Ends:
    """A camera and a listener in place of a network: `send` is the camera, while somebody subscribes."""

    def __init__(self):
        self.advertised, self.core, self.published = 0, None, []

    def advertise(self):
        self.advertised += 1
        return self

    def withdraw(self):
        self.advertised = 0

    def subscribe(self, core):
        self.core = core
        return "images from a test"

    def unsubscribe(self):
        self.core = None

    def namesakes(self):
        return 0

    def trouble(self):
        return ""

    def poses(self, frame, estimates):
        self.published.append((frame.stamp, [e.translation[2] for e in estimates]))

    def overlay_wanted(self):
        return False

    def markers_wanted(self):
        return False


@pytest.fixture
def ends():
    return Ends()


@pytest.fixture
def node(ends, standin, log, image, info, until):
    """`node.trackers` are those it ever opened, weakly; `node.see(brightness)` waits for what comes of an image."""
    trackers = []

    def open_tracker(config):
        if config.model == ("garbage",):
            raise InputError("garbage: not a safetensors file")
        if config.model == ("huge",):
            raise MemoryError("the device is full")
        tracker = standin.StandIn()
        tracker.tune(config.follow, tracker.wanted(config.objects), config.score_threshold, config.smooth)
        trackers.append(weakref.ref(tracker))
        return tracker

    nodes = []

    def make(**parameters):
        node = ManagedNode(NodeConfig(**parameters), ends, log, open_tracker)

        def see(brightness, stamp=7):
            before = len(ends.published)
            ends.core.on_camera_info(info())
            ends.core.on_image(image(data=bytes([brightness] * 24)))
            until(lambda: len(ends.published) > before, "an answer")
            return ends.published[-1][1]

        node.see, node.trackers = see, trackers
        nodes.append(node)
        return node

    yield make
    for made in nodes:
        made.change("shutdown")


def test_up_and_down_again_and_again(node, ends):
    node = node()
    for round_ in range(3):
        assert node.change("configure") == ""
        assert (ends.advertised, ends.core, node.device) == (1, None, "cpu")
        for _ in range(2):
            assert node.change("activate") == ""
            assert node.see(15) == [1.5]
            assert node.change("deactivate") == ""
            assert ends.core is None
            assert node.trackers[round_]() is not None, "the model stays"
        assert node.change("cleanup") == ""
        assert (ends.advertised, node.core, node.device) == (0, None, "")
        gc.collect()
        assert node.trackers[round_]() is None, "nothing holds the model any more"
    assert len(node.trackers) == 3


def test_the_same_twice_is_refused_and_does_nothing(node, ends):
    node = node()
    node.change("configure")
    assert node.change("configure") == "configure: not from inactive, expected cleanup or activate or shutdown"
    node.change("activate")
    core = ends.core
    assert node.change("activate") == "activate: not from active, expected deactivate or shutdown"
    assert (len(node.trackers), ends.advertised) == (1, 1)
    assert ends.core is core
    assert node.see(20) == [2.0]


@pytest.mark.parametrize(
    ("model", "words"),
    [("garbage", "garbage: not a safetensors file"), ("huge", "internal error MemoryError: the device is full")],
)
def test_what_cannot_be_configured_stays_unconfigured(node, ends, model, words):
    node = node(model=(model,))
    assert words in node.change("configure")
    assert node.lifecycle.state == State.UNCONFIGURED
    assert (ends.advertised, node.core, node.device) == (0, None, "")
    assert words in node.last_error
    assert "not from unconfigured" in node.change("activate")


def test_a_camera_file_that_is_gone_fails_configure(node, ends, tmp_path):
    node = node(camera_file=str(tmp_path / "nowhere.yaml"))
    assert "nowhere.yaml: no such file" in node.change("configure")
    assert (ends.advertised, node.core) == (0, None)
    gc.collect()
    assert node.trackers[0]() is None


def test_an_end_that_cannot_be_subscribed_fails_activate(node, ends, monkeypatch):
    node = node()
    node.change("configure")
    subscribe = ends.subscribe
    monkeypatch.setattr(ends, "subscribe", lambda core: (_ for _ in ()).throw(InputError("topic: a b")))
    assert node.change("activate") == "topic: a b"
    assert node.lifecycle.state == State.INACTIVE
    monkeypatch.setattr(ends, "subscribe", subscribe)
    assert node.change("activate") == ""
    assert node.see(10) == [1.0]


@pytest.mark.parametrize("way", [[], ["configure"], ["configure", "activate"]], ids=lambda way: "-".join(way) or "none")
def test_shutdown_from_anywhere_leaves_nothing(node, ends, way):
    node = node()
    for transition in way:
        node.change(transition)
    assert node.change("shutdown") == ""
    assert node.lifecycle.state == State.FINALIZED
    assert (ends.advertised, ends.core, node.core) == (0, None, None)
    gc.collect()
    assert all(tracker() is None for tracker in node.trackers)
    assert "expected none any more" in node.change("configure")


def test_a_frame_in_work_is_not_published_after_deactivate_and_holds_up_cleanup(
    node, ends, standin, image, info, monkeypatch
):
    begun, gate = threading.Event(), threading.Event()
    monkeypatch.setattr(managed, "PATIENCE", 0.1)
    node = node()
    node.change("configure")
    tracker = node.trackers[0]()

    def slow(frame):
        begun.set()
        gate.wait(60)
        return [standin.estimate(1.0)]

    tracker.update = slow
    node.change("activate")
    core = ends.core
    core.on_camera_info(info())
    core.on_image(image())
    assert begun.wait(60)
    core.on_image(image())
    assert node.change("deactivate") == ""
    assert node.change("cleanup") == "cleanup: a frame is still in work after 0.1 s"
    assert node.lifecycle.state == State.INACTIVE
    gate.set()
    assert core.wait_idle(60)
    assert ends.published == []
    assert core.counts.dropped == {"node not active": 2}
    del tracker.update, tracker
    node.change("activate")
    assert node.see(10) == [1.0], "the same model goes on"
    node.change("deactivate")
    assert node.change("cleanup") == ""


def test_after_a_pause_it_starts_afresh(node, ends):
    node = node()
    node.change("configure")
    node.change("activate")
    node.see(10)
    node.trackers[0]().broken = True
    node.change("deactivate")
    node.change("activate")
    assert node.see(10) == [1.0], "what the tracker remembered is forgotten"


def test_parameters_may_change_at_any_time(node, ends):
    node = node()
    node.tune({"score_threshold": 0.8})
    node.change("configure")
    node.change("activate")
    assert node.see(10) == []
    node.tune({"score_threshold": 0.7, "follow": False})
    assert node.see(10) == [1.0]
    with pytest.raises(InputError, match="objects: expected crate, got mug"):
        node.tune({"objects": ["mug"], "score_threshold": 0.9})
    assert node.see(10) == [1.0]
    assert (node.config.objects, node.config.score_threshold) == ((), 0.7)
    node.change("deactivate")
    node.tune({"score_threshold": 0.8})
    node.change("cleanup")
    node.change("configure")
    node.change("activate")
    assert node.see(10) == []


def test_unknown_objects_of_an_unconfigured_node_fail_configure(node):
    node = node()
    node.tune({"objects": ["mug"]})
    assert "mug" in node.change("configure")
