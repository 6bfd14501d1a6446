"""What nodes write to their logs, and how often."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Protocol


class Log(Protocol):
    """A logger, as far as nodes need one. Python's and rclpy's both fit."""

    def info(self, message: str, /) -> object: ...
    def warning(self, message: str, /) -> object: ...
    def error(self, message: str, /) -> object: ...


class Remembering:
    """Passes everything on to `log` and remembers the last warning or error in `trouble`."""

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
    """Logs a message at once, then at most once every `period` seconds for each key, with the count since the last.

    say: one of a log's methods.
    """

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


def one_line(error: BaseException) -> str:
    """The error's text with its line breaks taken out."""
    return " ".join(str(error).split())
