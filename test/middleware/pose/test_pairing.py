"""Which depth an image gets, by a clock that the test turns."""

import threading
import weakref
from types import SimpleNamespace

import numpy as np
import pytest

from pose_regressor.middleware.kit.counts import STOPPED
from pose_regressor.middleware.pose import pairing as module
from pose_regressor.middleware.pose.pairing import APART, HELD, KEPT, LATE, NONE_COMES, NONE_NEAR, Pairing
from pose_regressor.types import InputError

MS = 1_000_000


class Pairs:
    """A Pairing, and what it passed on: the name of the depth message, or the reason why there is none, by image."""

    def __init__(self, clock, log, tolerance=0.02, patience=0.05):
        self.clock, self.passed, self.changed = clock, {}, threading.Condition()
        self.pairing = Pairing(self._pass_on, tolerance, patience, log)

    def _pass_on(self, image, found):
        with self.changed:
            self.passed[image] = found.reason if isinstance(found, InputError) else found.message
            self.changed.notify_all()

    def image(self, name, stamp):
        self.pairing.submit(name, stamp * MS)

    def depth(self, name, stamp):
        self.pairing.on_depth(name, stamp * MS)

    def later(self, seconds):
        self.clock.now += seconds

    def wait(self, image):
        with self.changed:
            assert self.changed.wait_for(lambda: image in self.passed, 60)
        return self.passed[image]


@pytest.fixture
def pairs(monkeypatch, log):
    made, clock = [], SimpleNamespace(now=100.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))

    def make(**options):
        made.append(Pairs(clock, log, **options))
        return made[-1]

    yield make
    for each in made:
        assert each.pairing.stop(60)


def test_depth_that_came_before_its_image(pairs):
    pair = pairs()
    for stamp in (0, 33, 66):
        pair.depth(f"depth {stamp}", stamp)
    pair.image("image", 33)
    assert pair.passed == {"image": "depth 33"}


def test_an_image_waits_for_its_depth(pairs):
    pair = pairs()
    pair.depth("before", 0)
    pair.image("image", 33)
    assert pair.passed == {}
    pair.depth("its own", 33)
    assert pair.passed == {"image": "its own"}


def test_but_not_longer_than_its_patience(pairs):
    pair = pairs(patience=0.05)
    pair.depth("before", 0)
    pair.image("image", 33)
    assert pair.passed == {}
    pair.later(0.06)
    assert pair.wait("image") == LATE
    pair.depth("its own", 33)
    assert pair.passed == {"image": LATE}


def test_it_waits_for_a_nearer_one_as_long_as_that_can_be_nearer(pairs):
    pair = pairs(patience=1.0)
    pair.depth("a little before", -16)
    pair.image("first", 0)
    assert pair.passed == {}
    pair.depth("exactly", 0)
    assert pair.passed == {"first": "exactly"}
    pair.image("second", 16)
    assert "second" not in pair.passed
    pair.later(0.017)
    assert pair.wait("second") == "exactly"


def test_depth_stamped_just_before_its_image_and_sent_after_it(pairs):
    pair = pairs(patience=1.0)
    pair.depth("before", -40)
    pair.image("image", 0)
    pair.depth("its own", -1)
    pair.later(0.002)
    assert pair.wait("image") == "its own"


def test_once_later_depth_has_come_nothing_is_waited_for(pairs):
    pair = pairs(patience=1.0)
    pair.depth("before", 0)
    pair.image("image", 33)
    pair.depth("after", 66)
    assert pair.passed == {"image": NONE_NEAR}
    pair.image("another", 34)
    assert pair.passed["another"] == NONE_NEAR


def test_where_no_depth_comes_nothing_is_waited_for(pairs):
    pair = pairs(patience=10.0)
    pair.image("first", 0)
    assert pair.passed == {}, "the first depth may be on its way"
    pair.later(1.1)
    assert pair.wait("first") == NONE_COMES
    pair.image("next", 33)
    assert pair.passed["next"] == NONE_COMES
    pair.depth("the last", 33)
    pair.later(1.5)
    pair.image("second", 66)
    assert pair.passed["second"] == NONE_COMES


def test_the_first_image_waits_for_the_first_depth(pairs):
    pair = pairs()
    pair.image("first", 0)
    pair.depth("depth", 0)
    assert pair.passed == {"first": "depth"}


def test_while_it_waits_depth_may_end(pairs):
    pair = pairs(patience=10.0)
    pair.depth("the last", 0)
    pair.image("image", 33)
    pair.later(1.1)
    assert pair.wait("image") == NONE_COMES


@pytest.mark.parametrize("apart", [-12_000, 12_000])
def test_clocks_that_differ(pairs, apart):
    pair = pairs(patience=1.0)
    pair.depth("depth", apart)
    pair.image("image", 0)
    assert pair.passed == {"image": APART}


def test_the_clock_is_set_back(pairs):
    """As when a recording starts over."""
    pair = pairs(patience=1.0)
    for stamp in range(60_000, 61_000, 100):
        pair.depth(f"depth {stamp}", stamp)
    pair.image("first", 0)
    assert pair.passed == {"first": APART}
    pair.depth("depth 0", 0)
    pair.depth("depth 33", 33)
    pair.image("second", 33)
    assert pair.passed["second"] == "depth 33"
    pair.image("third", 66)
    assert "third" not in pair.passed
    pair.depth("depth 66", 66)
    assert pair.passed["third"] == "depth 66"


def test_of_two_that_wait_each_gets_its_own(pairs):
    pair = pairs(patience=1.0)
    pair.depth("before", -40)
    pair.image("first", 0)
    pair.image("second", 33)
    pair.depth("depth 0", 0)
    assert pair.passed == {"first": "depth 0"}
    pair.depth("depth 33", 33)
    assert pair.passed == {"first": "depth 0", "second": "depth 33"}


def test_few_images_wait_and_few_depth_messages_are_kept(pairs):
    pair, alive = pairs(patience=1.0), []
    for number in range(100):
        data = np.zeros(3)
        alive.append(weakref.ref(data))
        pair.depth(data, number)
        del data
    assert sum(reference() is not None for reference in alive) == KEPT
    for number in range(HELD + 3):
        pair.image(number, 200 + number)
    assert pair.passed == dict.fromkeys(range(3), LATE)


def test_parameters_change_while_it_runs(pairs):
    pair = pairs()
    pair.depth("depth", 0)
    pair.pairing.tune(0.05, 0.0)
    pair.image("image", 40)
    assert pair.passed == {"image": "depth"}
    pair.image("another", 60)
    assert pair.passed["another"] == LATE


def test_every_image_is_counted(pairs):
    pair = pairs(patience=1.0)
    pair.depth("depth", 0)
    for stamp in (0, 33, 66):
        pair.image(stamp, stamp)
    assert not pair.pairing.wait_idle(0.01)
    pair.pairing.clear("pause")
    assert pair.pairing.wait_idle(60)
    pair.depth("depth", 90)
    pair.image("last", 100)
    assert pair.pairing.stop(60)
    pair.image("too late", 100)
    counts = pair.pairing.counts
    assert (counts.received, counts.dropped) == (5, {"pause": 2, STOPPED: 2})
    assert pair.passed == {0: "depth"}
