"""What a managed node says of itself: its state, and rates and levels of the last seconds."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pose_regressor.middleware.kit.counts import EXPECTED, Counts
from pose_regressor.middleware.kit.diagnostics import Level, Status
from pose_regressor.middleware.kit.lifecycle import State
from pose_regressor.middleware.kit.managed import Managed, namesakes_text
from pose_regressor.middleware.kit.memory import process_memory

WINDOW = 5  # looks that rates and levels go back over


@dataclass(frozen=True)
class _Look:
    at: float
    counts: Counts = field(default_factory=Counts)


@dataclass(frozen=True)
class Window:
    """What happened between two looks.

    active: whether the node is active.
    full: whether the window is as long as windows get.
    seconds: its length.
    counts: what was counted within it.
    latencies: of the answers within it, in milliseconds.
    """

    active: bool
    full: bool
    seconds: float
    counts: Counts
    latencies: list[float]

    def rate(self, count: int) -> float:
        """So many in the window, per second."""
        return count / self.seconds if self.seconds else 0.0

    def percentile(self, percent: float) -> float:
        """Of the latencies, in milliseconds; 0 if there are none."""
        return float(np.percentile(self.latencies, percent)) if self.latencies else 0.0


class Health(ABC):
    """Looks at a managed node and says how it is."""

    def __init__(self, managed: Managed[Any]) -> None:
        self._managed = managed
        self._core = managed.core
        # The first window begins here, so that what happens before the first look is reported, too.
        self._looks: deque[_Look] = deque([_Look(time.monotonic())], maxlen=WINDOW + 1)

    def look(self) -> list[Status]:
        """The node's state, and what happened since the looks before."""
        core, active = self._managed.core, self._managed.lifecycle.state == State.ACTIVE
        now = _Look(time.monotonic(), core.counts if core else Counts())
        if core is not self._core:  # a new core counts from 0
            self._core, last = core, self._looks[-1]
            self._looks.clear()
            self._looks.append(_Look(last.at))
        if not active:
            self._looks.clear()  # a window that reaches back over a pause would make the rates too low
        self._looks.append(now)
        past = self._looks[0]
        latencies = [1e3 * latency.seconds for latency in core.latencies if latency.at >= past.at] if core else []
        full = len(self._looks) > WINDOW
        window = Window(active, full, now.at - past.at, now.counts.since(past.counts), latencies)
        return [self._node(), *self._work(window, now.counts)]

    @abstractmethod
    def _work(self, window: Window, total: Counts) -> list[Status]:
        """How the node's work goes. total: all that was counted since the node was configured."""

    @abstractmethod
    def _facts(self) -> dict[str, str]:
        """What this node is set up for."""

    def _node(self) -> Status:
        managed = self._managed
        state, error = managed.lifecycle.state, managed.lifecycle.error
        level, message = Level.OK, state.label
        if trouble := managed.trouble():
            level, message = Level.WARN, trouble
        if namesakes := managed.namesakes():
            level, message = Level.WARN, namesakes_text(namesakes)
        if error:
            level, message = Level.ERROR, error
        values = {
            "State": state.label,
            **self._facts(),
            "Process memory (MB)": f"{process_memory() / 1e6:.1f}",
            "Last error": managed.last_error or "none",
        }
        return Status("node", level, message, values)


def arrivals(name: str, thing: str, window: Window, total: Counts) -> Status:
    """How messages arrive: too few, too many that cannot be used, or their rate.

    name: the status's; thing: one message in words.
    """
    counts = window.counts
    unusable = Counter({reason: count for reason, count in counts.dropped.items() if reason not in EXPECTED})
    worst = next(iter(unusable.most_common(1)), ("", 0))[0]
    if not window.active:
        level, message = Level.OK, "not active"
    elif not counts.received and window.full:
        level, message = Level.ERROR, f"no {thing}s for {window.seconds:.0f} s"
    elif not counts.received:
        level, message = Level.WARN, f"no {thing}s yet"
    elif unusable.total() >= counts.received:
        level, message = Level.ERROR, f"no {thing} can be used: {worst}"
    elif unusable:
        level, message = Level.WARN, f"{unusable.total()} of {counts.received} {thing}s cannot be used: {worst}"
    else:
        level, message = Level.OK, f"{window.rate(counts.received):.1f} Hz"
    values = {
        "Events in window": str(counts.received),
        "Events since startup": str(total.received),
        "Duration of window (s)": f"{window.seconds:.1f}",
        "Actual frequency (Hz)": f"{window.rate(counts.received):.2f}",
        **{f"Dropped since startup: {reason}": str(count) for reason, count in total.dropped.most_common()},
    }
    return Status(name, level, message, values)


def answers(name: str, level: Level, message: str, window: Window, count: int, total: int) -> Status:
    """How answers go out: `count` within the window, `total` since the start."""
    values = {
        "Events in window": str(count),
        "Events since startup": str(total),
        "Actual frequency (Hz)": f"{window.rate(count):.2f}",
        "Latency p50 (ms)": f"{window.percentile(50):.1f}",
        "Latency p99 (ms)": f"{window.percentile(99):.1f}",
    }
    return Status(name, level, message, values)
