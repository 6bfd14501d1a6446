"""Child processes that work for this one. Only the parent tells them when to stop, and they end with it."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import BaseContext

SIGNALS = (signal.SIGINT, signal.SIGTERM)
#: Seconds between two checks whether the parent is still there.
_LOOK = 1.0
#: Seconds until a child that was told to end is told again.
_AGAIN = 0.5


def child_context() -> BaseContext:
    """How to start children: in Python's own way, but never by a fork server, which is Python 3.14's.

    A fork server's children are not children of this process: `deaf_children` does not reach them, and `heed_parent`
    takes their parent for gone.
    """
    method = multiprocessing.get_start_method()
    return multiprocessing.get_context("fork" if method == "forkserver" else method)


@contextmanager
def deaf_children() -> Iterator[None]:
    """Processes that are started within the block ignore Ctrl-C and SIGTERM from their first moment on.

    A terminal, `timeout` and systemd signal the whole process group. Children that obeyed would lose work which the
    parent still waits for. Each child must call `heed_parent`.
    """
    atexit.unregister(end_children)
    atexit.register(end_children)  # before multiprocessing's own hook, which tells each child once and waits for ever
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_children() -> None:
    """Ends all daemonic children of this process.

    It tells them until they are gone: a signal is lost while the same one, from somebody else, still waits to be heard.
    """
    while children := [child for child in multiprocessing.active_children() if child.daemon]:
        for child in children:
            child.terminate()
        for child in children:
            child.join(_AGAIN)


def heed_parent() -> None:
    """In a process from `deaf_children`: end when the parent says so or is gone.

    A parent that is killed tells nobody, and its children would wait for work for ever.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None, "this process was not started by another one"
    threading.Thread(target=_listen, args=(parent.pid,), name="heeds parent", daemon=True).start()


def _listen(parent: int) -> None:
    heard = None
    while os.getppid() == parent and (heard is None or heard.si_pid != parent):
        heard = signal.sigtimedwait(SIGNALS, _LOOK)
    os._exit(1)
