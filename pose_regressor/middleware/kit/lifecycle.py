"""The states of a ROS 2 managed node, and what may follow upon what, without ROS.

Names, numbers and table are those of lifecycle_msgs and of rcl's state machine, https://design.ros2.org/articles/node_lifecycle.html.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from pose_regressor.types import InputError


class State(IntEnum):
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
    """number: its id in lifecycle_msgs/Transition; through: the state while it is under way."""

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

#: Does the work of a transition. InputError, or any other exception: it failed, and nothing is left half done.
Work = Callable[[], object]


class Lifecycle:
    """Where the node is. One transition at a time; `state` and `error` may be read from any thread.

    work: by the transition's label. error: why the last transition failed, '' if it did not.
    """

    def __init__(self, work: Mapping[str, Work]) -> None:
        self.state = State.UNCONFIGURED
        self.error = ""
        self._work = work
        self._one_at_a_time = threading.Lock()

    @property
    def available(self) -> tuple[Transition, ...]:
        return tuple(t for t in TRANSITIONS if t.start == self.state)

    def change(self, transition: str | int, timeout: float = -1) -> str:
        """Make the transition of this label or number; '' or why it failed, which leaves the state as it was.

        timeout: seconds to wait for one that is under way (-1: as long as it takes).
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
            finally:  # also when the process is asked to end in the middle
                self.state = after
            return self.error
        finally:
            self._one_at_a_time.release()

    def _run(self, transition: Transition) -> str:
        try:
            self._work[transition.label]()
        except InputError as error:
            return str(error)
        except Exception as error:  # out of memory, a broken driver: the node stays, and may be asked again
            return f"{transition.label}: internal error {type(error).__name__}: {' '.join(str(error).split())}"
        return ""
