"""The pose node as a managed node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pose_regressor.assets import find_model
from pose_regressor.files.cameras import load_camera
from pose_regressor.middleware.kit.log import Log
from pose_regressor.middleware.kit.managed import Ends, Managed
from pose_regressor.middleware.kit.memory import free_device_memory, free_memory
from pose_regressor.middleware.pose.core import NodeCore, Publishing, Tracking
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.types import InputError

#: Seconds to wait for the frame in work: before the model is dropped, and before the process ends.
PATIENCE, LAST_PATIENCE = 5.0, 1.0
#: Image size to warm the network up with if the camera is not known yet.
WARM_UP_SIZE = (640, 480)

OpenTracker = Callable[[NodeConfig], Tracking]


def open_tracker(config: NodeConfig) -> Tracking:
    """Loads the bundles onto the device and warms the network up.

    InputError: a bundle cannot be used, no bundle knows an object, or the device does not exist.
    """
    # Imported late: errors in the parameters should be reported before.
    from pose_regressor.estimation.estimator import PoseEstimator
    from pose_regressor.tracking.tracker import Tracker

    models = [find_model(model) for model in config.model]
    estimator = PoseEstimator(models, config.device, config.score_threshold, *config.runs, config.on_plane)
    tracker = Tracker(estimator, config.follow, config.objects, config.smooth)
    camera = load_camera(config.camera_file) if config.camera_file else None
    estimator.warm_up(*((camera.width, camera.height) if camera else WARM_UP_SIZE))
    return tracker


class PoseEnds(Ends, Protocol):
    """The node's topics. Undoing something that was not done does nothing."""

    def advertise(self) -> Publishing:
        """Makes the publishers."""

    def withdraw(self) -> None:
        """Takes the publishers away."""

    def subscribe(self, core: NodeCore) -> str:
        """From now on passes images and camera infos to the core. Returns where they come from, in words."""

    def unsubscribe(self) -> None: ...


class ManagedNode(Managed[NodeConfig]):
    """configure loads the model and warms it up. activate answers images. deactivate stops that and keeps the model.
    cleanup frees the model's memory. shutdown undoes everything, from any state.
    """

    core: NodeCore | None = None

    def __init__(self, config: NodeConfig, ends: PoseEnds, log: Log, open_tracker: OpenTracker) -> None:
        super().__init__(config, ends, log)
        self._tracker: Tracking | None = None
        self._ends, self._open_tracker = ends, open_tracker

    @property
    def device(self) -> str:
        """Where the network runs; '' while it is not loaded."""
        return self._tracker.device if self._tracker else ""

    def _tune(self, config: NodeConfig) -> None:
        if self.core:
            self.core.tune(config)

    def _configure(self) -> None:
        try:
            self._tracker = self._open_tracker(self.config)
            self._log.info(f"network: {self._tracker.execution}")
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
        free_device_memory()  # only that: the process may have been asked to end, and soon

    def _forget(self) -> None:
        self.core = self._tracker = None
        self._ends.withdraw()
