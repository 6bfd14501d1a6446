"""Ctrl-C and SIGTERM wait for the end of the step, so that the saved state is complete."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stopped(Exception):
    """Raised between two steps when a training was asked to stop."""


class StopRequest:
    """wanted: number of the signal that came; None if none came."""

    def __init__(self) -> None:
        self.wanted: int | None = None


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Within the block, the first signal is only noted. A second one acts as usual at once.

    When the block ends, the noted signal is raised again and acts as usual. In a thread other than the main one,
    signals are left alone.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, frame: FrameType | None) -> None:
        if request.wanted is None:
            request.wanted = number
            return
        signal.signal(number, before[signal.Signals(number)])
        signal.raise_signal(number)

    for number in before:
        signal.signal(number, note)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if request.wanted is not None:
        signal.raise_signal(request.wanted)
