"""The multi-task objective: the losses of [DPR], of [BPnP] and of dense correspondences, each by its name."""

from pose_regressor_training.losses.objective import Weights, objective, total
from pose_regressor_training.losses.objects import ObjectTensors

__all__ = ["ObjectTensors", "Weights", "objective", "total"]
