"""The fusion node as a managed node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from pose_regressor.assets import find_model
from pose_regressor.middleware.fusion.core import FusionCore, Publish
from pose_regressor.middleware.fusion.parameters import FusionConfig
from pose_regressor.middleware.kit.endpoints import Lookup
from pose_regressor.middleware.kit.log import Log
from pose_regressor.middleware.kit.managed import Ends, Managed
from pose_regressor.types import ObjectModel

KnownObjects = Callable[[Sequence[str]], Sequence[ObjectModel]]


def known_objects(models: Sequence[str]) -> list[ObjectModel]:
    """The objects of bundles. InputError: a bundle cannot be used."""
    # Imported late: errors in the parameters should be reported before.
    from pose_regressor.network.bundle import Bundle

    return [model for name in models for model in Bundle.load(find_model(name)).objects]


class FusionEnds(Ends, Protocol):
    """The node's topics. Undoing something that was not done does nothing."""

    def advertise(self) -> tuple[Lookup, Publish]:
        """Makes the publishers, and listens to TF from now on."""

    def withdraw(self) -> None:
        """Takes the publishers away, and stops listening to TF."""

    def subscribe(self, core: FusionCore) -> None:
        """From now on passes the cameras' poses to the core."""

    def unsubscribe(self) -> None: ...


class ManagedFusion(Managed[FusionConfig]):
    """configure reads the bundles and listens to TF. activate fuses poses. deactivate stops that. cleanup forgets the
    objects. shutdown undoes everything, from any state.
    """

    core: FusionCore | None = None

    def __init__(
        self, config: FusionConfig, ends: FusionEnds, log: Log, known_objects: KnownObjects = known_objects
    ) -> None:
        super().__init__(config, ends, log)
        self._ends, self._known_objects = ends, known_objects

    def _tune(self, config: FusionConfig) -> None:
        if self.core:
            self.core.tune(config)

    def _configure(self) -> None:
        models = self._known_objects(self.config.model)
        try:
            lookup, publish = self._ends.advertise()
        except BaseException:
            self._ends.withdraw()
            raise
        self.core = FusionCore(self.config, models, lookup, publish, self._log)

    def _activate(self) -> None:
        assert self.core
        self.core.start()
        try:
            self._ends.subscribe(self.core)
        except BaseException:
            self._deactivate()
            raise
        topics = ", ".join(self.config.detections)
        self._log.info(f"ready: poses from {topics}, in {self.config.fixed_frame} on /tf")

    def _deactivate(self) -> None:
        assert self.core
        self._ends.unsubscribe()
        self.core.pause()

    def _cleanup(self) -> None:
        assert self.core
        self.core.stop()
        self.core = None
        self._ends.withdraw()

    def _shutdown(self) -> None:
        if self.core:
            self._deactivate()
            self._cleanup()
