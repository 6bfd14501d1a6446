"""The states of a ROS 2 managed node and the transitions between them, without ROS.

Names, numbers and the table are those of lifecycle_msgs and of rcl's state machine, see
https://design.ros2.org/articles/node_lifecycle.html.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from pose_regressor.middleware.kit.counts import internal_reason
from pose_regressor.middleware.kit.log import one_line
from pose_regressor.types import InputError


class State(IntEnum):
    """Ids as in lifecycle_msgs/State; those from 10 on are states of transition."""

    UNCONFIGURED = 1
    INACTIVE = 2
    ACTIVE = 3
    FINALIZED = 4
    CONFIGURING = 10
    CLEANINGUP = 11
    SHUTTINGDOWN = 12
    ACTIVATING = 13
    DEACTIVATING = 14

    @property
    def label(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Transition:
    """A way from one state to another.

    number: its id in lifecycle_msgs/Transition.
    label: its name; three transitions are called shutdown.
    start, goal: the states before and after it.
    through: the state while it is under way.
    """

    number: int
    label: str
    start: State
    through: State
    goal: State


TRANSITIONS = (
    Transition(1, "configure", State.UNCONFIGURED, State.CONFIGURING, State.INACTIVE),
    Transition(2, "cleanup", State.INACTIVE, State.CLEANINGUP, State.UNCONFIGURED),
    Transition(3, "activate", State.INACTIVE, State.ACTIVATING, State.ACTIVE),
    Transition(4, "deactivate", State.ACTIVE, State.DEACTIVATING, State.INACTIVE),
    Transition(5, "shutdown", State.UNCONFIGURED, State.SHUTTINGDOWN, State.FINALIZED),
    Transition(6, "shutdown", State.INACTIVE, State.SHUTTINGDOWN, State.FINALIZED),
    Transition(7, "shutdown", State.ACTIVE, State.SHUTTINGDOWN, State.FINALIZED),
)

#: Does the work of a transition. If it raises, the transition failed; it must leave nothing half done.
Work = Callable[[], object]


class Lifecycle:
    """The state of one node. Makes one transition at a time.

    state: may be read from any thread.
    error: why the last transition failed, '' if it did not; may be read from any thread.
    """

    def __init__(self, work: Mapping[str, Work]) -> None:
        """work: what each transition does, by its label."""
        self.state = State.UNCONFIGURED
        self.error = ""
        self._work = work
        self._one_at_a_time = threading.Lock()

    @property
    def available(self) -> tuple[Transition, ...]:
        """The transitions that are possible now."""
        return tuple(t for t in TRANSITIONS if t.start == self.state)

    def change(self, transition: str | int, timeout: float = -1) -> str:
        """Makes a transition, named by its label or number. Returns '', or why it failed; then the state is as before.

        timeout: seconds to wait for a transition that is under way; -1: as long as it takes.
        """
        if not self._one_at_a_time.acquire(timeout=timeout):
            return f"{transition}: the node is still {self.state.label}"
        try:
            chosen = next((t for t in self.available if transition in (t.label, t.number)), None)
            if chosen is None:
                expected = " or ".join(t.label for t in self.available) or "none any more"
                return f"{transition}: not from {self.state.label}, expected {expected}"
            self.state, after = chosen.through, chosen.start
            try:
                self.error = self._run(chosen)
                after = chosen.start if self.error else chosen.goal
            finally:  # also if a signal to end the process arrives in the middle
                self.state = after
            return self.error
        finally:
            self._one_at_a_time.release()

    def _run(self, transition: Transition) -> str:
        try:
            self._work[transition.label]()
        except InputError as error:
            return str(error)
        except Exception as error:  # out of memory, a broken driver: the node lives on and may be asked again
            return f"{transition.label}: {internal_reason(error)}: {one_line(error)}"
        return ""
