import threading

import pytest

from pose_regressor.middleware.kit.lifecycle import TRANSITIONS, Lifecycle, State
from pose_regressor.types import InputError

LABELS = ("configure", "activate", "deactivate", "cleanup", "shutdown")


@pytest.fixture
def lifecycle():
    """One that keeps what work it did; `fails` is raised by the transition that is in it."""
    fails, done = {}, []

    def work(label):
        def run():
            if label in fails:
                raise fails[label]
            done.append((label, lifecycle.state))

        return run

    lifecycle = Lifecycle({label: work(label) for label in LABELS})
    lifecycle.fails, lifecycle.done = fails, done
    return lifecycle


#: How to come to each state.
WAY = {
    State.UNCONFIGURED: [],
    State.INACTIVE: ["configure"],
    State.ACTIVE: ["configure", "activate"],
    State.FINALIZED: ["shutdown"],
}


@pytest.mark.parametrize("transition", TRANSITIONS, ids=lambda t: f"{t.start.label}-{t.label}")
@pytest.mark.parametrize("by", ["label", "number"])
def test_every_transition(lifecycle, transition, by):
    for label in WAY[transition.start]:
        lifecycle.change(label)
    assert lifecycle.state == transition.start
    assert transition in lifecycle.available
    assert lifecycle.change(getattr(transition, by)) == ""
    assert lifecycle.state == transition.goal
    assert lifecycle.done[-1] == (transition.label, transition.through)


@pytest.mark.parametrize("state", WAY, ids=lambda s: s.label)
def test_whatever_is_not_in_the_table_changes_nothing(lifecycle, state):
    for label in WAY[state]:
        lifecycle.change(label)
    done = len(lifecycle.done)
    allowed = {(t.label, t.number) for t in lifecycle.available}
    for wrong in [*LABELS, *range(12), "", "sleep"]:
        if not any(wrong in pair for pair in allowed):
            assert f"not from {state.label}, expected" in lifecycle.change(wrong)
    assert (lifecycle.state, len(lifecycle.done)) == (state, done)


@pytest.mark.parametrize("transition", TRANSITIONS, ids=lambda t: f"{t.start.label}-{t.label}")
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (InputError("model: nowhere: no such file"), "model: nowhere: no such file"),
        (MemoryError("no more\nof it"), "internal error MemoryError: no more of it"),
    ],
)
def test_a_failure_leaves_the_state_and_may_be_mended(lifecycle, transition, error, words):
    for label in WAY[transition.start]:
        lifecycle.change(label)
    lifecycle.fails[transition.label] = error
    assert lifecycle.change(transition.label).endswith(words)
    assert lifecycle.state == transition.start
    assert words in lifecycle.error
    lifecycle.fails.clear()
    assert lifecycle.change(transition.label) == lifecycle.error == ""
    assert lifecycle.state == transition.goal


def test_an_interrupt_passes_through_and_leaves_the_state(lifecycle):
    lifecycle.fails["configure"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        lifecycle.change("configure")
    assert lifecycle.state == State.UNCONFIGURED
    lifecycle.fails.clear()
    assert lifecycle.change("configure") == ""


def test_one_at_a_time():
    begun, gate = threading.Event(), threading.Event()

    def configure():
        begun.set()
        gate.wait(60)

    lifecycle = Lifecycle({"configure": configure, "shutdown": lambda: None})
    thread = threading.Thread(target=lambda: lifecycle.change("configure"))
    thread.start()
    assert begun.wait(60)
    assert lifecycle.state == State.CONFIGURING
    assert lifecycle.change("shutdown", timeout=0.05) == "shutdown: the node is still configuring"
    gate.set()
    thread.join(60)
    assert lifecycle.state == State.INACTIVE
    assert lifecycle.change("shutdown", timeout=0.05) == ""
