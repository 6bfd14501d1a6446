"""A thread that handles what arrives at several places, each with a queue of limited length."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from pose_regressor.middleware.kit.log import Log, Throttle


class Inbox:
    """Calls each place's function with what arrives there, one thing at a time, until `stop`.

    If things wait at several places, those of the first place go first. A full queue loses its oldest.
    """

    def __init__(self, log: Log) -> None:
        self._places: list[tuple[deque[Any], Callable[[Any], object]]] = []
        self._fail = Throttle(log.error)
        self._changed = threading.Condition()
        self._running = True
        self._thread = threading.Thread(target=self._run, name="pose_regressor receiver", daemon=True)
        self._thread.start()

    def place(self, depth: int, handle: Callable[[Any], object]) -> Callable[[Any], None]:
        """A new place, after those before. Returns what to call, in any thread, with what arrives."""
        queue: deque[Any] = deque(maxlen=depth)
        with self._changed:
            self._places.append((queue, handle))

        def put(thing: Any) -> None:
            with self._changed:
                queue.append(thing)
                self._changed.notify()

        return put

    def stop(self) -> None:
        with self._changed:
            self._running = False
            self._changed.notify()
        if self._thread is not threading.current_thread():
            self._thread.join(1.0)

    def _run(self) -> None:
        while found := self._next():
            thing, handle = found
            try:
                handle(thing)
            except Exception as error:  # anybody may send anything: it must not end the thread
                self._fail(str(type(error)), f"Zenoh: {type(error).__name__}: {error}")

    def _next(self) -> tuple[Any, Callable[[Any], object]] | None:
        """What to handle next; None at the end."""
        with self._changed:
            while self._running:
                for queue, handle in self._places:
                    if queue:
                        return queue.popleft(), handle
                self._changed.wait()
        return None
