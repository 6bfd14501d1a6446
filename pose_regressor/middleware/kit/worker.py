"""One thread that always works on the newest item: what cannot be kept up with is dropped, counted and said."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from pose_regressor.middleware.kit.counts import INTERNAL_ERROR, STOPPED, SUPERSEDED, Counts
from pose_regressor.types import InputError

Item = TypeVar("Item")


class Log(Protocol):
    """What is asked of a logger: Python's and rclpy's both have it."""

    def info(self, message: str, /) -> object: ...
    def warning(self, message: str, /) -> object: ...
    def error(self, message: str, /) -> object: ...


class Remembering:
    """A log that knows the last trouble it was told."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.trouble = ""

    def info(self, message: str, /) -> None:
        self._log.info(message)

    def warning(self, message: str, /) -> None:
        self.trouble = message
        self._log.warning(message)

    def error(self, message: str, /) -> None:
        self.trouble = message
        self._log.error(message)


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


class RateLimit:
    """Lets at most `rate` events a second pass (0: all), as far apart as the events allow.

    An event may come a quarter of a period early, or the jitter of a camera of just this rate would cost it every
    other frame; what it came early, the next one has to wait, so that the average holds.
    """

    def __init__(self, rate: float = 0.0) -> None:
        self.rate = rate
        self._due = -math.inf

    def passes(self, now: float) -> bool:
        """Whether the event at `now` (seconds, never going back) may pass."""
        if not self.rate:
            return True
        period = 1 / self.rate
        self._due = min(self._due, now + 1.25 * period)  # no event of this rate asks for more, one of a lower rate may
        if now < self._due - period / 4:
            return False
        self._due = max(self._due, now - period / 2) + period
        return True


class Worker(Generic[Item]):
    """Calls ``handle(item)`` in a thread of its own, always with the newest item.

    An InputError of `handle` drops the item with its message as the reason; any other exception is logged with its
    type and drops the item too: the thread lives until `stop`. `handle` may also return a reason, which drops the item
    without a word in the log. what: an item in words. All methods may be called from any thread.
    """

    def __init__(
        self, handle: Callable[[Item], str | None], log: Log, period: float = 5.0, what: str = "frame"
    ) -> None:
        self._handle, self._what = handle, what
        self._warn = Throttle(log.warning, period)
        self._fail = Throttle(log.error, period)
        self._counts = Counts()
        self._ready = threading.Condition()
        self._waiting: list[Item] = []  # none or one
        self._running, self._working = True, False
        self._thread = threading.Thread(target=self._run, name=f"pose_regressor {what}", daemon=True)
        self._thread.start()

    @property
    def counts(self) -> Counts:
        """A copy of the counters."""
        with self._ready:
            return self._counts.copy()

    def submit(self, item: Item) -> None:
        """Take `item` in place of what still waits. Never blocks on the work."""
        with self._ready:
            self._counts.received += 1
            if not self._running:
                self._counts.dropped[STOPPED] += 1
                return
            if self._waiting:
                # Expected under load and so no warning: the counters tell.
                self._counts.dropped[SUPERSEDED] += 1
            self._waiting[:] = [item]
            self._ready.notify_all()

    def reject(self, reason: str) -> None:
        """Count and say an item that was received and could not even be submitted."""
        with self._ready:
            self._counts.received += 1
        self._drop(reason)

    def skip(self, reason: str) -> None:
        """Count an item that was received and is not wanted."""
        with self._ready:
            self._counts.received += 1
            self._counts.dropped[reason] += 1

    def clear(self, reason: str) -> None:
        """Drop what waits."""
        with self._ready:
            self._counts.dropped.update([reason] * len(self._waiting))
            self._waiting.clear()

    def wait_idle(self, timeout: float) -> bool:
        """Waits until nothing waits and nothing is in work; False: it took longer than `timeout` seconds."""
        with self._ready:
            return self._ready.wait_for(lambda: not (self._waiting or self._working), timeout)

    def stop(self, timeout: float = 1.0) -> bool:
        """Ends the thread after the item in work; what waits is dropped. False: the item takes longer than `timeout`
        seconds, and the thread (a daemon) is left behind until it is done."""
        with self._ready:
            self._running = False
            self._ready.notify_all()
        self.clear(STOPPED)
        if self._thread is not threading.current_thread():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _drop(self, reason: str) -> None:
        with self._ready:
            key = self._counts.drop(reason)
        self._warn(key, f"{self._what} dropped: {reason}")

    def _run(self) -> None:
        while True:
            with self._ready:
                self._ready.wait_for(lambda: self._waiting or not self._running)
                if not self._running:
                    return
                item = self._waiting.pop()
                self._working = True
            try:
                reason = self._handle(item)
            except InputError as error:
                self._drop(str(error))
            except Exception as error:  # the border of the thread: one frame must not end the node
                name = type(error).__name__
                with self._ready:
                    self._counts.dropped[f"{INTERNAL_ERROR} {name}"] += 1
                text = " ".join(str(error).split())
                self._fail(name, f"{self._what} dropped: {INTERNAL_ERROR} {name}: {text}")
            else:
                with self._ready:
                    if reason:
                        self._counts.dropped[reason] += 1
                    else:
                        self._counts.processed += 1
            del item  # an image's memory is not held while none comes
            with self._ready:
                self._working = False
                self._ready.notify_all()
