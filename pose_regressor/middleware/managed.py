"""Nodes as managed ones: what is done at each transition of the lifecycle, whatever the middleware."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Generic, Protocol

from pose_regressor.middleware.core import NodeCore, Publishing
from pose_regressor.middleware.counts import Counts, Latency
from pose_regressor.middleware.lifecycle import Lifecycle
from pose_regressor.middleware.parameters import NodeConfig, Some
from pose_regressor.middleware.tracking import OpenTracker, Tracking, free_device_memory, free_memory
from pose_regressor.middleware.worker import Log, Remembering, Throttle
from pose_regressor.types import InputError

#: Seconds for the frame in work to end: before the model is dropped, and before the process ends.
PATIENCE, LAST_PATIENCE = 5.0, 1.0


class Named(Protocol):
    """What any node's ends on the wire can say."""

    def namesakes(self) -> int:
        """How many other nodes have this one's name."""


class Ends(Named, Protocol):
    """The node's ends on the wire, which a middleware brings. Undoing what was not done does nothing."""

    def advertise(self) -> Publishing:
        """Makes the publishers."""

    def withdraw(self) -> None:
        """Takes them away."""

    def subscribe(self, core: NodeCore) -> str:
        """Hands images and camera infos to the core from now on; where they come from, in words."""

    def unsubscribe(self) -> None: ...


class Core(Protocol):
    """What does a node's work, as far as others ask."""

    @property
    def counts(self) -> Counts: ...
    @property
    def latencies(self) -> list[Latency]: ...


class Managed(ABC, Generic[Some]):
    """A managed node, whatever it is for: `change` makes the transitions. config: the parameters in use; change them
    with `tune`. core: None while the node is not configured.
    """

    def __init__(self, config: Some, ends: Named, log: Log) -> None:
        self.config = config
        self._named = ends
        self._log = Remembering(log)
        self._warn = Throttle(self._log.warning, period=60.0)
        self.lifecycle = Lifecycle(
            {
                "configure": self._configure,
                "activate": self._activate,
                "deactivate": self._deactivate,
                "cleanup": self._cleanup,
                "shutdown": self._shutdown,
            }
        )

    @property
    @abstractmethod
    def core(self) -> Core | None: ...

    @property
    def device(self) -> str:
        """What does the computing, as torch names it; '' if there is nothing to say."""
        return ""

    @property
    def last_error(self) -> str:
        """The last warning or error, '' if there was none."""
        return self.lifecycle.error or self._log.trouble

    def namesakes(self) -> int:
        """How many other nodes have this one's name."""
        if count := self._named.namesakes():
            self._warn("namesakes", f"{count} more of this name: each publishes the same frames on /tf")
        return count

    def change(self, transition: str | int, timeout: float = -1) -> str:
        """As `Lifecycle.change`; what a failure held of the device's memory is given back."""
        if reason := self.lifecycle.change(transition, timeout):
            free_memory()  # not before: the error itself holds what it came through
        return reason

    def start(self) -> None:
        """Configure and activate. InputError: that cannot be."""
        for transition in ("configure", "activate"):
            if reason := self.change(transition):
                raise InputError(reason)

    def tune(self, values: Mapping[str, object]) -> None:
        """Change parameters while the node runs, all or none. InputError: one cannot be, or not to this value."""
        config = self.config.changed(values)
        self._tune(config)
        self.config = config

    @abstractmethod
    def _tune(self, config: Some) -> None: ...
    @abstractmethod
    def _configure(self) -> None: ...
    @abstractmethod
    def _activate(self) -> None: ...
    @abstractmethod
    def _deactivate(self) -> None: ...
    @abstractmethod
    def _cleanup(self) -> None: ...
    @abstractmethod
    def _shutdown(self) -> None: ...


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
