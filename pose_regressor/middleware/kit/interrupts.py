"""Turns SIGINT and SIGTERM into an exception in the main thread, so that a process ends through its own clean-up."""

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
#: Seconds after which a signal that came during an import is sent again.
AGAIN = 0.02


class Interrupted(KeyboardInterrupt):
    """The process was asked to end."""


def end_without_threads(status: int) -> int:
    """Returns `status`, the exit code; but if one of our threads is still at work, ends the process here.

    Python's own exit would abort if such a thread is in the middle of native code, such as the network.
    """
    if any(t.name.startswith("pose_regressor") and t is not threading.main_thread() for t in threading.enumerate()):
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


@contextmanager
def ended_by_interrupt() -> Iterator[threading.Event]:
    """Within the block the first SIGINT only sets the event, for loops that must end between two steps.

    A second SIGINT does what it does outside the block. Must be entered in the main thread.
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
    """Within the block the first SIGINT or SIGTERM sets the event and raises Interrupted in the main thread.

    The block then ends as if it had come to its end. Later signals are ignored, so that they do not cut the clean-up
    short. Loops that wait should look at the event, too: Python swallows an exception that is raised in a callback or
    a destructor. A signal during an import is sent again a little later: a compiled module that is interrupted while it
    loads reports a failed import instead. Must be entered in the main thread.
    """
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            return
        if _imports(frame):
            again = threading.Timer(AGAIN, os.kill, (os.getpid(), number))
            again.daemon = True
            again.start()
            return
        stop.set()
        raise Interrupted(signal.Signals(number).name)

    before = {number: signal.signal(number, on_signal) for number in SIGNALS}
    try:
        yield stop
    except Interrupted:
        # Otherwise Python's exit would search all that is imported for cycles; with torch that takes half a second.
        gc.freeze()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _imports(frame: FrameType | None) -> bool:
    """Whether the code that runs in this frame was called, however indirectly, by an import."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
