"""One thread that always works on the newest item: what cannot be kept up with is dropped, counted and said."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from pose_regressor.types import InputError

Item = TypeVar("Item")

SUPERSEDED = "superseded by a newer one"
#: Reasons come from messages, which anybody may send: beyond this many different ones they are counted together.
MAX_REASONS = 64


class Log(Protocol):
    """What is asked of a logger: Python's and rclpy's both have it."""

    def info(self, message: str, /) -> object: ...
    def warning(self, message: str, /) -> object: ...
    def error(self, message: str, /) -> object: ...


@dataclass
class Counts:
    """received = processed + the sum of dropped + at most one waiting and one in work."""

    received: int = 0
    processed: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        reasons = "; ".join(f"{count} {reason}" for reason, count in self.dropped.most_common())
        dropped = f"{self.dropped.total()} dropped ({reasons})" if reasons else "none dropped"
        return f"{self.received} received, {self.processed} processed, {dropped}"


class Throttle:
    """Says a thing at once, then at most once every `period` seconds a key, with the count since it was last said."""

    def __init__(self, say: Callable[[str], object], period: float = 5.0) -> None:
        self._say, self._period = say, period
        self._last: dict[str, float] = {}
        self._unsaid: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self, key: str, text: str) -> None:
        now = time.monotonic()
        with self._lock:
            self._unsaid[key] += 1
            if key in self._last and now - self._last[key] < self._period:
                return
            count, self._last[key] = self._unsaid.pop(key), now
        self._say(text if count == 1 else f"{text} ({count} times since last said)")


class Worker(Generic[Item]):
    """Calls ``handle(item)`` in a thread of its own, always with the newest item.

    An InputError of `handle` drops the item with its message as the reason; any other exception is logged with its
    type and drops the item too: the thread lives until `stop`. All methods may be called from any thread.
    """

    def __init__(self, handle: Callable[[Item], object], log: Log, period: float = 5.0) -> None:
        self._handle, self._log = handle, log
        self._warn = Throttle(log.warning, period)
        self._fail = Throttle(log.error, period)
        self._counts = Counts()
        self._ready = threading.Condition()
        self._waiting: list[Item] = []  # none or one
        self._running = True
        self._thread = threading.Thread(target=self._run, name="pose_regressor worker", daemon=True)
        self._thread.start()

    @property
    def counts(self) -> Counts:
        """A copy of the counters."""
        with self._ready:
            c = self._counts
            return Counts(c.received, c.processed, Counter(c.dropped))

    def submit(self, item: Item) -> None:
        """Take `item` in place of what still waits. Never blocks on the work."""
        with self._ready:
            self._counts.received += 1
            if not self._running:
                self._counts.dropped["stopped"] += 1
                return
            if self._waiting:
                # Expected under load and so no warning: the counters tell.
                self._counts.dropped[SUPERSEDED] += 1
            self._waiting[:] = [item]
            self._ready.notify()

    def reject(self, reason: str) -> None:
        """Count and say an item that was received and could not even be submitted."""
        with self._ready:
            self._counts.received += 1
        self._drop(reason)

    def stop(self, timeout: float = 1.0) -> bool:
        """Ends the thread after the item in work; what waits is dropped. False: the item took longer than `timeout`
        seconds, and the thread (a daemon) is left behind."""
        with self._ready:
            self._running = False
            self._counts.dropped.update(["stopped"] * len(self._waiting))
            self._waiting.clear()
            self._ready.notify()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _drop(self, reason: str) -> None:
        key = reason.split(",")[0]  # the part of our errors before the values that came
        with self._ready:
            if key not in self._counts.dropped and len(self._counts.dropped) >= MAX_REASONS:
                key = "other reasons"
            self._counts.dropped[key] += 1
        self._warn(key, f"frame dropped: {reason}")

    def _run(self) -> None:
        while True:
            with self._ready:
                self._ready.wait_for(lambda: self._waiting or not self._running)
                if not self._running:
                    return
                item = self._waiting.pop()
            try:
                self._handle(item)
            except InputError as error:
                self._drop(str(error))
            except Exception as error:  # the border of the thread: one frame must not end the node
                name = type(error).__name__
                with self._ready:
                    self._counts.dropped[f"internal error {name}"] += 1
                text = " ".join(str(error).split())
                self._fail(name, f"frame dropped: internal error {name}: {text}")
            else:
                with self._ready:
                    self._counts.processed += 1
