"""The pose node as a managed one."""

from __future__ import annotations

from typing import Protocol

from pose_regressor.middleware.kit.managed import LAST_PATIENCE, PATIENCE, Managed, Named
from pose_regressor.middleware.kit.memory import free_device_memory, free_memory
from pose_regressor.middleware.kit.worker import Log
from pose_regressor.middleware.pose.core import NodeCore, Publishing
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.middleware.pose.tracker import OpenTracker, Tracking
from pose_regressor.types import InputError


class Ends(Named, Protocol):
    """The node's ends on the wire, which a middleware brings. Undoing what was not done does nothing."""

    def advertise(self) -> Publishing:
        """Makes the publishers."""

    def withdraw(self) -> None:
        """Takes them away."""

    def subscribe(self, core: NodeCore) -> str:
        """Hands images and camera infos to the core from now on; where they come from, in words."""

    def unsubscribe(self) -> None: ...


class ManagedNode(Managed[NodeConfig]):
    """configure loads the model and warms it up, activate answers images, deactivate stops that and keeps the model,
    cleanup gives its memory back, shutdown does what is left to do from wherever the node is.
    """

    core: NodeCore | None = None

    def __init__(self, config: NodeConfig, ends: Ends, log: Log, open_tracker: OpenTracker) -> None:
        super().__init__(config, ends, log)
        self._tracker: Tracking | None = None
        self._ends, self._open_tracker = ends, open_tracker

    @property
    def device(self) -> str:
        """Where the network is; '' while there is none."""
        return self._tracker.device if self._tracker else ""

    def _tune(self, config: NodeConfig) -> None:
        if self.core:
            self.core.tune(config)

    def _configure(self) -> None:
        try:
            self._tracker = self._open_tracker(self.config)
            self.core = NodeCore(self.config, self._tracker, self._ends.advertise(), self._log)
        except BaseException:
            self._forget()
            raise

    def _activate(self) -> None:
        assert self.core
        self.core.start()
        try:
            where = self._ends.subscribe(self.core)
        except BaseException:
            self._deactivate()
            raise
        self._log.info(f"ready: {where}, poses on /tf")

    def _deactivate(self) -> None:
        assert self.core
        self._ends.unsubscribe()
        self.core.pause()

    def _cleanup(self) -> None:
        assert self.core
        if not self.core.wait_idle(PATIENCE):
            raise InputError(f"cleanup: a frame is still in work after {PATIENCE:g} s")
        self.core.stop()
        self._forget()
        free_memory()

    def _shutdown(self) -> None:
        if not self.core:
            return
        self._deactivate()
        if not self.core.stop(LAST_PATIENCE):
            self._log.warning("stopped with a frame still in work")
        self._forget()
        free_device_memory()  # and no more: the process may be asked to end, and soon

    def _forget(self) -> None:
        self.core = self._tracker = None
        self._ends.withdraw()
