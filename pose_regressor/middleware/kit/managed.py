"""Nodes as managed ones: what is done at each transition of the lifecycle, whatever the middleware."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Generic, Protocol

from pose_regressor.middleware.kit.counts import Counts, Latency
from pose_regressor.middleware.kit.lifecycle import Lifecycle
from pose_regressor.middleware.kit.memory import free_memory
from pose_regressor.middleware.kit.worker import Log, Remembering, Throttle
from pose_regressor.settings import Some
from pose_regressor.types import InputError

#: Seconds for the frame in work to end: before the model is dropped, and before the process ends.
PATIENCE, LAST_PATIENCE = 5.0, 1.0


class Named(Protocol):
    """What any node's ends on the wire can say."""

    def namesakes(self) -> int:
        """How many other nodes have this one's name."""


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
