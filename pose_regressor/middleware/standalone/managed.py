"""A managed node on a participant, whatever it does: its services and its reports."""

from __future__ import annotations

import threading
import time
from typing import Any, TypeVar

from pose_regressor.middleware.kit.diagnostics import Reporting, diagnostics_message
from pose_regressor.middleware.kit.health import Health
from pose_regressor.middleware.kit.log import Log
from pose_regressor.middleware.kit.managed import Managed
from pose_regressor.middleware.standalone.participant import Participant
from pose_regressor.middleware.standalone.services import NodeServices
from pose_regressor.middleware.wire import idl

Node = TypeVar("Node", bound="ManagedParticipant")


class ManagedParticipant:
    """A node on `participant` until `close`. It starts unconfigured; `managed.change` makes its transitions.

    As a context manager it is configured and activated first. InputError: that failed.
    """

    def __init__(self, participant: Participant, managed: Managed[Any], health: Health, log: Log) -> None:
        self._managed, self._health, self._name = managed, health, participant.node_name
        self._services = participant.serve(NodeServices(managed, log).all(), log)
        self._diagnostics = participant.publisher("/diagnostics", idl.DiagnosticArray, depth=10)
        self._reporting = Reporting(self._report, log)

    def run(self, stop: threading.Event) -> None:
        """Runs until the event is set. With `autostart` it configures and activates first (InputError: that failed)."""
        try:
            if self._managed.config.autostart:
                self._managed.start()
            stop.wait()
        finally:
            self.close()

    def close(self) -> None:
        self._reporting.stop()
        self._services.close()
        self._managed.change("shutdown", timeout=0.5)

    def _report(self) -> None:
        device, statuses = self._managed.device, self._health.look()
        self._diagnostics.publish(diagnostics_message(idl, self._name, device, statuses, time.time_ns()))

    def __enter__(self: Node) -> Node:
        try:
            self._managed.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
