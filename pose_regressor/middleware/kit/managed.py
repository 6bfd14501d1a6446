"""A managed node: what it does at each transition of its lifecycle, whatever the node is for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Generic, Protocol

from pose_regressor.middleware.kit.counts import Counts, Latency
from pose_regressor.middleware.kit.lifecycle import Lifecycle
from pose_regressor.middleware.kit.log import Log, Remembering, Throttle
from pose_regressor.middleware.kit.memory import free_memory
from pose_regressor.settings import Some
from pose_regressor.types import InputError


class Ends(Protocol):
    """The topics of a node, as far as every node has them."""

    def namesakes(self) -> int:
        """How many other nodes have this node's name."""

    def trouble(self) -> str:
        """What keeps the node from others on the network, and the remedy, in one line; '' if nothing is known."""


class Core(Protocol):
    """What does a node's work, as far as its reports need it."""

    @property
    def counts(self) -> Counts: ...
    @property
    def latencies(self) -> list[Latency]: ...


class Managed(ABC, Generic[Some]):
    """A managed node. `change` makes its transitions.

    config: the parameters in use; `tune` changes them.
    core: does the work; None while the node is not configured.
    lifecycle: the state, and why the last transition failed.
    """

    def __init__(self, config: Some, ends: Ends, log: Log) -> None:
        self.config = config
        self._log = Remembering(log)
        self._warn = Throttle(self._log.warning, period=60.0)
        self._namesakes, self._trouble = ends.namesakes, ends.trouble
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
        """What does the computing: cpu, cuda or cuda:N; '' if no device is of interest."""
        return ""

    @property
    def last_error(self) -> str:
        """The last warning or error; '' if there was none."""
        return self.lifecycle.error or self._log.trouble

    def namesakes(self) -> int:
        """How many other nodes have this node's name. Warns if there are any."""
        if count := self._namesakes():
            self._warn("namesakes", namesakes_text(count))
        return count

    def trouble(self) -> str:
        """What keeps the node from others on the network; '' if nothing is known. Warns of it."""
        if trouble := self._trouble():
            self._warn("network", trouble)
        return trouble

    def change(self, transition: str | int, timeout: float = -1) -> str:
        """As `Lifecycle.change`. After a failure it also frees the memory that the failed work held."""
        if reason := self.lifecycle.change(transition, timeout):
            free_memory()  # only now: until `change` returns, the exception's traceback holds that memory
        return reason

    def start(self) -> None:
        """Configures and activates. InputError: one of the two failed."""
        for transition in ("configure", "activate"):
            if reason := self.change(transition):
                raise InputError(reason)

    def tune(self, values: Mapping[str, object]) -> None:
        """Changes parameters while the node runs: all of them, or none.

        InputError: a parameter does not exist, is fixed, or cannot have this value.
        """
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


def namesakes_text(count: int) -> str:
    """What is wrong if `count` other nodes have this node's name."""
    return f"{count} more of this name: each publishes the same frames on /tf"
