"""What there is to say of a node on /diagnostics, once a second; names and keys as diagnostic_updater has them."""

from __future__ import annotations

import resource
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np

from pose_regressor.middleware.kit.counts import EXPECTED, Counts
from pose_regressor.middleware.kit.lifecycle import State
from pose_regressor.middleware.kit.managed import Managed
from pose_regressor.middleware.kit.worker import Log, Throttle
from pose_regressor.middleware.messages.images import header

PERIOD = 1.0  # seconds between two reports
WINDOW = 5  # reports that rates and levels look back over


class Level(IntEnum):
    OK = 0
    WARN = 1
    ERROR = 2


@dataclass(frozen=True)
class Status:
    """A diagnostic_msgs/DiagnosticStatus; `name` without the node's."""

    name: str
    level: Level
    message: str
    values: dict[str, str]


@dataclass(frozen=True)
class _Look:
    at: float
    counts: Counts = field(default_factory=Counts)


class Health(ABC):
    """Looks at a managed node; rates and levels are of the looks of the last seconds."""

    def __init__(self, managed: Managed[Any]) -> None:
        self._managed = managed
        self._core = managed.core
        # What happens before the first look is news to it, too.
        self._looks: deque[_Look] = deque([_Look(time.monotonic())], maxlen=WINDOW + 1)

    def look(self) -> list[Status]:
        """The state of things, and since the looks before: what came and what went."""
        core, active = self._managed.core, self._managed.lifecycle.state == State.ACTIVE
        now = _Look(time.monotonic(), core.counts if core else Counts())
        if core is not self._core:  # it counts from nought
            self._core, last = core, self._looks[-1]
            self._looks.clear()
            self._looks.append(_Look(last.at))
        if not active:
            self._looks.clear()  # what was before the pause would make the rates too low
        self._looks.append(now)
        past = self._looks[0]
        window = Window(
            active,
            len(self._looks) > WINDOW,
            now.at - past.at,
            now.counts.received - past.counts.received,
            now.counts.processed - past.counts.processed,
            now.counts.dropped - past.counts.dropped,
            [1e3 * latency.seconds for latency in core.latencies if latency.at >= past.at] if core else [],
        )
        return [self._node(), *self._work(window, now.counts)]

    @abstractmethod
    def _work(self, window: Window, total: Counts) -> list[Status]:
        """What is to be said of the node's work."""

    @abstractmethod
    def _facts(self) -> dict[str, str]:
        """What a node of this kind is set up for."""

    def _node(self) -> Status:
        managed = self._managed
        state, error = managed.lifecycle.state, managed.lifecycle.error
        level, message = Level.OK, state.label
        if namesakes := managed.namesakes():
            level, message = Level.WARN, f"{namesakes} more of this name: each publishes the same frames on /tf"
        if error:
            level, message = Level.ERROR, error
        values = {
            "State": state.label,
            **self._facts(),
            "Process memory (MB)": f"{process_memory() / 1e6:.1f}",
            "Last error": managed.last_error or "none",
        }
        return Status("node", level, message, values)


@dataclass(frozen=True)
class Window:
    """What happened between two looks. active: the node; full: it is as long as a window gets; latencies: ms."""

    active: bool
    full: bool
    seconds: float
    received: int
    processed: int
    dropped: Counter[str]
    latencies: list[float]

    def rate(self, count: int) -> float:
        return count / self.seconds if self.seconds else 0.0

    @property
    def p50(self) -> float:
        return float(np.percentile(self.latencies, 50)) if self.latencies else 0.0

    @property
    def p99(self) -> float:
        return float(np.percentile(self.latencies, 99)) if self.latencies else 0.0


def arrivals(name: str, thing: str, window: Window, total: Counts) -> Status:
    """What arrives: too little of it, too much that cannot be used, or its rate. thing: one of it in words."""
    unusable = Counter({reason: n for reason, n in window.dropped.items() if reason not in EXPECTED})
    worst = next(iter(unusable.most_common(1)), ("", 0))[0]
    if not window.active:
        level, message = Level.OK, "not active"
    elif not window.received and window.full:
        level, message = Level.ERROR, f"no {thing}s for {window.seconds:.0f} s"
    elif not window.received:
        level, message = Level.WARN, f"no {thing}s yet"
    elif unusable.total() >= window.received:
        level, message = Level.ERROR, f"no {thing} can be used: {worst}"
    elif unusable:
        level, message = Level.WARN, f"{unusable.total()} of {window.received} {thing}s cannot be used: {worst}"
    else:
        level, message = Level.OK, f"{window.rate(window.received):.1f} Hz"
    values = {
        "Events in window": str(window.received),
        "Events since startup": str(total.received),
        "Duration of window (s)": f"{window.seconds:.1f}",
        "Actual frequency (Hz)": f"{window.rate(window.received):.2f}",
        **{f"Dropped since startup: {reason}": str(count) for reason, count in total.dropped.most_common()},
    }
    return Status(name, level, message, values)


def answers(level: Level, message: str, window: Window, count: int, total: int) -> Status:
    """What goes out: so many answers in the window and since the start."""
    values = {
        "Events in window": str(count),
        "Events since startup": str(total),
        "Actual frequency (Hz)": f"{window.rate(count):.2f}",
        "Latency p50 (ms)": f"{window.p50:.1f}",
        "Latency p99 (ms)": f"{window.p99:.1f}",
    }
    return Status("poses", level, message, values)


def process_memory() -> int:
    """Bytes of memory that the process holds; where the system does not say, the most it ever held."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def diagnostics_message(types: Any, node_name: str, device: str, statuses: Iterable[Status], stamp: int) -> Any:
    """diagnostic_msgs/DiagnosticArray; the hardware is the network's device."""
    return types.DiagnosticArray(
        header=header(types, stamp, ""),
        status=[
            types.DiagnosticStatus(
                level=types.octet(status.level),
                name=f"{node_name}: {status.name}",
                message=status.message,
                hardware_id=device or "none",
                values=[types.KeyValue(key=key, value=value) for key, value in status.values.items()],
            )
            for status in statuses
        ],
    )


class Reporting:
    """Calls `report` every second in a thread of its own, until `stop`."""

    def __init__(self, report: Callable[[], object], log: Log) -> None:
        self._report, self._warn = report, Throttle(log.warning)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pose_regressor diagnostics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        while not self._stop.wait(PERIOD):
            self._once()

    def _once(self) -> None:
        try:
            self._report()
        except Exception as error:  # the border of the thread: the node does its work also unreported
            self._warn("report", f"no diagnostics: {type(error).__name__}: {error}")
