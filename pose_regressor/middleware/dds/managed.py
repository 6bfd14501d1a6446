"""A managed node on a participant, whatever it is for: its services and its reports."""

from __future__ import annotations

import threading
import time
from typing import Any, TypeVar

from pose_regressor.middleware.dds.participant import Participant
from pose_regressor.middleware.dds.services import NodeServices
from pose_regressor.middleware.kit.diagnostics import Health, Reporting, diagnostics_message
from pose_regressor.middleware.kit.managed import Managed
from pose_regressor.middleware.kit.worker import Log
from pose_regressor.middleware.wire import idl

Node = TypeVar("Node", bound="DdsManaged")


class DdsManaged:
    """The node on `participant`, unconfigured until told otherwise by `managed.change`, until `close`.

    As a context manager it starts: configured and activated, or within the block nothing at all (InputError).
    """

    def __init__(self, participant: Participant, managed: Managed[Any], health: Health, log: Log) -> None:
        self._managed, self._health, self._name = managed, health, participant.node_name
        self._services = NodeServices(participant, managed, log)
        self._diagnostics = participant.writer("/diagnostics", idl.DiagnosticArray, reliable=True, depth=10)
        self._reporting = Reporting(self._report, log)

    def run(self, stop: threading.Event) -> None:
        """Until the event is set; with `autostart` from configured and activated on (InputError: that cannot be)."""
        try:
            if self._managed.config.autostart:
                self._managed.start()
            stop.wait()
        finally:
            self.close()

    def close(self) -> None:
        self._reporting.stop()
        self._services.stop()
        self._managed.change("shutdown", timeout=0.5)

    def _report(self) -> None:
        device, statuses = self._managed.device, self._health.look()
        self._diagnostics.write(diagnostics_message(idl, self._name, device, statuses, time.time_ns()))

    def __enter__(self: Node) -> Node:
        try:
            self._managed.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
