"""What the fusion node does at each transition, and what it reports, between ends that keep what happens at them."""

import numpy as np
import pytest

from pose_regressor.middleware.fusion.health import FusionHealth
from pose_regressor.middleware.fusion.managed import ManagedFusion
from pose_regressor.middleware.fusion.parameters import FusionConfig
from pose_regressor.middleware.kit.diagnostics import Level
from pose_regressor.middleware.kit.lifecycle import State
from pose_regressor.types import InputError


class Ends:
    """`core` while somebody listens to the cameras. failing: the call that cannot be done."""

    def __init__(self):
        self.there, self.core, self.failing = False, None, ""

    def _try(self, call):
        if self.failing == call:
            raise InputError(f"{call}: topic a b")

    def advertise(self):
        self.there = True
        self._try("advertise")
        return (lambda target, source, stamp: np.eye(4)), (lambda moment, poses: None)

    def withdraw(self):
        self.there = False

    def subscribe(self, core):
        self._try("subscribe")
        self.core = core

    def unsubscribe(self):
        self.core = None

    def namesakes(self):
        return 0

    def trouble(self):
        return ""


@pytest.fixture
def ends():
    return Ends()


@pytest.fixture
def make(ends, log):
    def known_objects(models):
        if models:
            raise InputError(f"{models[0]}: no such model")
        return []

    return lambda **parameters: ManagedFusion(FusionConfig(**parameters), ends, log, known_objects)


def test_up_and_down_again_and_again(make, ends):
    node = make()
    for _ in range(3):
        assert node.change("configure") == ""
        assert (ends.there, ends.core, node.core is None) == (True, None, False)
        for _ in range(2):
            assert node.change("activate") == ""
            assert ends.core is node.core
            assert node.change("activate") == "activate: not from active, expected deactivate or shutdown"
            assert node.change("deactivate") == ""
            assert ends.core is None
        assert node.change("cleanup") == ""
        assert (ends.there, node.core) == (False, None)


@pytest.mark.parametrize(
    ("parameters", "failing", "words"),
    [({"model": ("nowhere",)}, "", "nowhere: no such model"), ({}, "advertise", "advertise: topic a b")],
)
def test_what_cannot_be_configured_stays_unconfigured(make, ends, parameters, failing, words):
    node, ends.failing = make(**parameters), failing
    assert node.change("configure") == words == node.last_error
    assert (node.lifecycle.state, node.core, ends.there) == (State.UNCONFIGURED, None, False)
    (status, *_) = FusionHealth(node).look()
    assert (status.level, status.message) == (Level.ERROR, words)
    with pytest.raises(InputError, match=words):
        node.start()


def test_cameras_that_cannot_be_subscribed_fail_activate(make, ends):
    node, ends.failing = make(), "subscribe"
    node.change("configure")
    assert node.change("activate") == "subscribe: topic a b"
    assert node.lifecycle.state == State.INACTIVE
    ends.failing = ""
    assert node.change("activate") == ""


@pytest.mark.parametrize("way", [[], ["configure"], ["configure", "activate"]], ids=lambda way: "-".join(way) or "none")
def test_shutdown_from_anywhere_leaves_nothing(make, ends, way):
    node = make()
    for transition in way:
        node.change(transition)
    assert node.change("shutdown") == ""
    assert (node.lifecycle.state, node.core, ends.core, ends.there) == (State.FINALIZED, None, None, False)


def test_only_the_smoothing_changes_while_it_runs(make):
    node = make()
    node.tune({"smooth": False})
    assert node.config == FusionConfig(smooth=False)
    with pytest.raises(InputError, match="fixed_frame: is fixed once the node runs; these may be changed: smooth"):
        node.tune({"fixed_frame": "map"})
