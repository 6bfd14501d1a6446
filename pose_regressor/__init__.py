"""6D poses of known objects from camera images, as TF frames and from Python.

from pose_regressor import Frame, PoseEstimator
poses = PoseEstimator("models/box.safetensors").estimate(Frame(image, camera))
"""

from pose_regressor.types import Camera, Frame, InputError, ObjectModel, PoseEstimate

__version__ = "0.2.0"
__all__ = ["Camera", "Frame", "InputError", "ObjectModel", "PoseEstimate", "PoseEstimator"]


def __getattr__(name: str) -> object:
    # torch takes a second to import; whoever needs only the dataclasses (players, listeners) does not wait for it.
    if name == "PoseEstimator":
        from pose_regressor.estimation.estimator import PoseEstimator

        return PoseEstimator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
