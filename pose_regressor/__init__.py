"""6D poses of known objects from camera images, as TF frames and from Python.

from pose_regressor import Frame, PoseEstimator, Tracker
estimator = PoseEstimator("models/box.safetensors")
poses = estimator.estimate(Frame(image, camera))  # one image
tracker = Tracker(estimator)
poses = tracker.update(Frame(image, camera, stamp))  # one image after another
"""

from importlib import import_module
from typing import TYPE_CHECKING

from pose_regressor.types import Camera, Frame, InputError, ObjectModel, Plane, PoseEstimate

if TYPE_CHECKING:
    from pose_regressor.estimation.estimator import PoseEstimator
    from pose_regressor.tracking.tracker import Tracker

__version__ = "0.2.0"
__all__ = ["Camera", "Frame", "InputError", "ObjectModel", "Plane", "PoseEstimate", "PoseEstimator", "Tracker"]

#: Imported on first use: users of the dataclasses alone (players, listeners) need not wait for OpenCV.
_LATE = {"PoseEstimator": "pose_regressor.estimation.estimator", "Tracker": "pose_regressor.tracking.tracker"}


def __getattr__(name: str) -> object:
    if name in _LATE:
        return getattr(import_module(_LATE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
