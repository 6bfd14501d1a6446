"""A thread that always works on the newest item. It drops, counts and reports the items that it cannot keep up with."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from pose_regressor.middleware.kit.counts import STOPPED, SUPERSEDED, Counts, internal_reason
from pose_regressor.middleware.kit.log import Log, Throttle, one_line
from pose_regressor.types import InputError

Item = TypeVar("Item")


class RateLimit:
    """Lets at most `rate` events per second pass, spaced as evenly as the events allow. 0: lets all pass.

    An event may come up to a quarter of a period early: otherwise the jitter of a camera of exactly this rate would
    cost every other frame. The next event has to wait that much longer, so the average holds.
    """

    def __init__(self, rate: float = 0.0) -> None:
        self.rate = rate
        self._due = -math.inf

    def passes(self, now: float) -> bool:
        """Whether the event at `now` may pass. now: seconds, never less than in the call before."""
        if not self.rate:
            return True
        period = 1 / self.rate
        # At this rate an event is never due later than this; at a lower rate, set before, it may have been.
        self._due = min(self._due, now + 1.25 * period)
        if now < self._due - period / 4:
            return False
        self._due = max(self._due, now - period / 2) + period
        return True


class Stage:
    """Somewhere items wait or are worked on, with the counts of what became of them. All methods are thread-safe.

    period: seconds between two log lines about the same reason.
    what: an item in words.
    """

    def __init__(self, log: Log, period: float = 5.0, what: str = "frame") -> None:
        self._what = what
        self._warn = Throttle(log.warning, period)
        self._counts = Counts()
        self._ready = threading.Condition()

    @property
    def counts(self) -> Counts:
        """A copy of the counters."""
        with self._ready:
            return self._counts.copy()

    def reject(self, error: InputError) -> None:
        """Counts and logs an item that was received but cannot be submitted."""
        with self._ready:
            self._counts.received += 1
        self._reject(error)

    def skip(self, reason: str) -> None:
        """Counts an item that was received but is not wanted."""
        with self._ready:
            self._counts.received += 1
            self._counts.drop(reason)

    def _reject(self, error: InputError) -> None:
        with self._ready:
            key = self._counts.drop(error.reason)
        self._warn(key, f"{self._what} dropped: {error}")


class Worker(Stage, Generic[Item]):
    """Calls ``handle(item)`` in a thread of its own, always with the newest item.

    handle: returns None if the item was processed, or the reason for which it was dropped, which is not logged. If it
        raises an InputError, the item is dropped for its reason. If it raises anything else, the item is dropped as an
        internal error. Both are logged, and the thread lives on.
    log, period, what: as for `Stage`.
    """

    def __init__(
        self, handle: Callable[[Item], str | None], log: Log, period: float = 5.0, what: str = "frame"
    ) -> None:
        super().__init__(log, period, what)
        self._handle = handle
        self._fail = Throttle(log.error, period)
        self._waiting: list[Item] = []  # none or one
        self._running, self._working = True, False
        self._thread = threading.Thread(target=self._run, name=f"pose_regressor {what}", daemon=True)
        self._thread.start()

    def submit(self, item: Item) -> None:
        """Takes `item` in place of the one that still waits. Never blocks on the work."""
        with self._ready:
            self._counts.received += 1
            if not self._running:
                self._counts.drop(STOPPED)
                return
            if self._waiting:
                self._counts.drop(SUPERSEDED)  # not logged: under load this is expected
            self._waiting[:] = [item]
            self._ready.notify_all()

    def clear(self, reason: str) -> None:
        """Drops the item that waits."""
        with self._ready:
            for _ in self._waiting:
                self._counts.drop(reason)
            self._waiting.clear()

    def wait_idle(self, timeout: float) -> bool:
        """Waits until no item waits or is in work. False: that took longer than `timeout` seconds."""
        with self._ready:
            return self._ready.wait_for(lambda: not (self._waiting or self._working), timeout)

    def stop(self, timeout: float = 1.0) -> bool:
        """Ends the thread after the item in work, and drops the one that waits.

        False: the item in work takes longer than `timeout` seconds. Its thread, a daemon, then ends by itself.
        """
        with self._ready:
            self._running = False
            self._ready.notify_all()
        self.clear(STOPPED)
        if self._thread is not threading.current_thread():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._ready:
                self._ready.wait_for(lambda: self._waiting or not self._running)
                if not self._running:
                    return
                item = self._waiting.pop()
                self._working = True
            self._work(item)
            del item  # so that no image's memory is held while none comes
            with self._ready:
                self._working = False
                self._ready.notify_all()

    def _work(self, item: Item) -> None:
        try:
            reason = self._handle(item)
        except InputError as error:
            self._reject(error)
        except Exception as error:  # the border of the thread: one frame must not end the node
            self._fail_on(error)
        else:
            with self._ready:
                if reason:
                    self._counts.drop(reason)
                else:
                    self._counts.processed += 1

    def _fail_on(self, error: Exception) -> None:
        reason = internal_reason(error)
        with self._ready:
            key = self._counts.drop(reason)
        self._fail(key, f"{self._what} dropped: {reason}: {one_line(error)}")
