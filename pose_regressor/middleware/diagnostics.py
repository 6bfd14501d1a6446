"""What there is to say of the node on /diagnostics, once a second; names and keys as diagnostic_updater has them."""

from __future__ import annotations

import resource
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np

from pose_regressor.middleware.core import INACTIVE, RATE_LIMITED
from pose_regressor.middleware.lifecycle import State
from pose_regressor.middleware.managed import ManagedNode
from pose_regressor.middleware.messages import header
from pose_regressor.middleware.tracking import device_memory
from pose_regressor.middleware.worker import INTERNAL_ERROR, STOPPED, SUPERSEDED, Counts, Log, Throttle

PERIOD = 1.0  # seconds between two reports
WINDOW = 5  # reports that rates and levels look back over
#: Reasons for which an image is dropped though nothing is wrong with it.
EXPECTED = {SUPERSEDED, RATE_LIMITED, INACTIVE, STOPPED}


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


class Health:
    """Looks at a node; rates and levels are of the looks of the last seconds."""

    def __init__(self, managed: ManagedNode) -> None:
        self._managed = managed
        self._core = managed.core
        # What happens before the first look is news to it, too.
        self._looks: deque[_Look] = deque([_Look(time.monotonic())], maxlen=WINDOW + 1)

    def look(self) -> list[Status]:
        """The state of things, and since the looks before: the images that came and the poses that went."""
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
        window = _Window(
            now.at - past.at,
            now.counts.received - past.counts.received,
            now.counts.processed - past.counts.processed,
            now.counts.dropped - past.counts.dropped,
            [1e3 * latency.seconds for latency in core.latencies if latency.at >= past.at] if core else [],
        )
        full = len(self._looks) > WINDOW
        return [self._node(), _images(window, now.counts, active, full), _poses(window, now.counts, active)]

    def _node(self) -> Status:
        managed = self._managed
        state, error, device = managed.lifecycle.state, managed.lifecycle.error, managed.device
        level, message = Level.OK, state.label
        if namesakes := managed.namesakes():
            level, message = Level.WARN, f"{namesakes} more of this name: each publishes the same frames on /tf"
        if error:
            level, message = Level.ERROR, error
        values = {
            "State": state.label,
            "Model": ", ".join(managed.config.model),
            "Objects": ", ".join(managed.config.objects) or "all",
            "Device": device or "none",
            "Device memory (MB)": f"{device_memory(device) / 1e6:.1f}",
            "Process memory (MB)": f"{process_memory() / 1e6:.1f}",
            "Last error": managed.last_error or "none",
        }
        return Status("node", level, message, values)


@dataclass(frozen=True)
class _Window:
    """What happened between two looks. latencies: ms."""

    seconds: float
    received: int
    processed: int
    dropped: Counter[str]
    latencies: list[float]

    def rate(self, count: int) -> float:
        return count / self.seconds if self.seconds else 0.0


def _images(window: _Window, total: Counts, active: bool, full: bool) -> Status:
    unusable = Counter({reason: n for reason, n in window.dropped.items() if reason not in EXPECTED})
    worst = next(iter(unusable.most_common(1)), ("", 0))[0]
    if not active:
        level, message = Level.OK, "not active"
    elif not window.received and full:
        level, message = Level.ERROR, f"no images for {window.seconds:.0f} s"
    elif not window.received:
        level, message = Level.WARN, "no images yet"
    elif unusable.total() >= window.received:
        level, message = Level.ERROR, f"no image can be used: {worst}"
    elif unusable:
        level, message = Level.WARN, f"{unusable.total()} of {window.received} images cannot be used: {worst}"
    else:
        level, message = Level.OK, f"{window.rate(window.received):.1f} Hz"
    values = {
        "Events in window": str(window.received),
        "Events since startup": str(total.received),
        "Duration of window (s)": f"{window.seconds:.1f}",
        "Actual frequency (Hz)": f"{window.rate(window.received):.2f}",
        **{f"Dropped since startup: {reason}": str(count) for reason, count in total.dropped.most_common()},
    }
    return Status("images", level, message, values)


def _poses(window: _Window, total: Counts, active: bool) -> Status:
    errors = sum(count for reason, count in window.dropped.items() if reason.startswith(INTERNAL_ERROR))
    p50, p99 = np.percentile(window.latencies, (50, 99)) if window.latencies else (0.0, 0.0)
    if not active:
        level, message = Level.OK, "not active"
    elif errors:
        level, message = Level.ERROR, f"the network failed on {errors} images"
    elif window.dropped[SUPERSEDED] > window.processed:
        level, message = Level.WARN, f"overload: {window.rate(window.processed):.1f} images a second is all it manages"
    else:
        level, message = Level.OK, f"{window.rate(window.processed):.1f} Hz, {p50:.0f} ms"
    values = {
        "Events in window": str(window.processed),
        "Events since startup": str(total.processed),
        "Actual frequency (Hz)": f"{window.rate(window.processed):.2f}",
        "Latency p50 (ms)": f"{p50:.1f}",
        "Latency p99 (ms)": f"{p99:.1f}",
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
