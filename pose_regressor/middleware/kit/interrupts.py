"""SIGINT and SIGTERM as one exception in the main thread, so that a process ends through its own clean-up."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """The process was asked to end."""


def end_without_threads(status: int) -> int:
    """The exit code; but where a thread of ours is still at work, the process ends here.

    Python's own end would abort with such a thread in the middle of torch.
    """
    if any(t.name.startswith("pose_regressor") and t is not threading.main_thread() for t in threading.enumerate()):
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


@contextmanager
def ended_by_interrupt() -> Iterator[threading.Event]:
    """Within the block the first SIGINT sets the event and does nothing else, for loops that must end between two
    steps; a second one does what it would have done outside. Must be entered in the main thread.
    """
    stop = threading.Event()

    def on_signal(number: int, _: FrameType | None) -> None:
        stop.set()
        signal.signal(number, before)

    before = signal.signal(signal.SIGINT, on_signal)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Within the block the first SIGINT or SIGTERM sets the event and raises Interrupted in the main thread; the block
    ends there as if it had come to its end. Later ones are ignored: the clean-up that runs is not cut short.

    The event is for loops that wait: an exception raised while Python runs a callback or a destructor is swallowed.
    Must be entered in the main thread.
    """
    stop = threading.Event()

    def on_signal(number: int, _: FrameType | None) -> None:
        if not stop.is_set():
            stop.set()
            raise Interrupted(signal.Signals(number).name)

    before = {number: signal.signal(number, on_signal) for number in SIGNALS}
    try:
        yield stop
    except Interrupted:
        # Python's own end would look through all of torch for cycles, which takes it half a second.
        gc.freeze()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
