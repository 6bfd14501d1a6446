"""A node's reports on /diagnostics: their message, and the thread that sends one every second."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from pose_regressor.middleware.kit.log import Log, Throttle
from pose_regressor.middleware.messages.images import header

PERIOD = 1.0  # seconds between two reports


class Level(IntEnum):
    """As in diagnostic_msgs/DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2


@dataclass(frozen=True)
class Status:
    """One part of a report.

    name: which part, without the node's name.
    level: how bad it is.
    message: the state in one line.
    values: everything else worth knowing; keys as diagnostic_updater names them.
    """

    name: str
    level: Level
    message: str
    values: dict[str, str]


def diagnostics_message(types: Any, node_name: str, device: str, statuses: Iterable[Status], stamp: int) -> Any:
    """diagnostic_msgs/DiagnosticArray.

    types: the message classes, as for `messages.images`; device: the network's, becomes the hardware's name; stamp: ns.
    """
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
    """Calls `report` every PERIOD in a thread of its own, until `stop`."""

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
        except Exception as error:  # the border of the thread: the node works on, even if it cannot report
            self._warn("report", f"no diagnostics: {type(error).__name__}: {error}")
