"""What the losses know of the objects, as tensors on the network's device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from pose_regressor.types import ObjectModel
from pose_regressor_training.meshes.mesh import farthest_points

#: Parts that an object's surface is divided into.
REGIONS = 64


@dataclass(frozen=True, eq=False)
class ObjectTensors:
    """O objects, in the order of the network's channels; after `of`, the objects of B windows instead.

    centre: (O, 3) of the bounds, metres
    half: (O, 3) half the size of the bounds, metres
    diameter: (O,) metres
    points: (O, P, 3) keypoints, metres
    regions: (O, REGIONS, 3) centres of the parts of the surface, metres
    equal: (O, S, 4, 4) rigid motions that leave the object looking the same, the identity first; repeated where an
        object has fewer than S
    """

    centre: Tensor
    half: Tensor
    diameter: Tensor
    points: Tensor
    regions: Tensor
    equal: Tensor

    @classmethod
    def from_models(cls, models: Sequence[ObjectModel], device: torch.device | str = "cpu") -> ObjectTensors:
        def floats(arrays: list[np.ndarray]) -> Tensor:
            return torch.tensor(np.stack(arrays), dtype=torch.float32, device=device)

        points = min(len(model.keypoints) for model in models)
        most = max(len(model.symmetries) for model in models)
        equal = []
        for model in models:
            own = np.concatenate([np.eye(4)[None], model.symmetries])
            equal.append(np.concatenate([own, np.repeat(np.eye(4)[None], most + 1 - len(own), axis=0)]))
        return cls(
            centre=floats([model.bounds.mean(0) for model in models]),
            half=floats([model.size / 2 for model in models]),
            diameter=floats([np.array(model.diameter) for model in models]),
            points=floats([model.keypoints[:points] for model in models]),
            regions=floats([farthest_points(model.points, REGIONS) for model in models]),
            equal=floats(equal),
        )

    def of(self, model: Tensor) -> ObjectTensors:
        """The tensors of windows that show the objects `model` (B,)."""
        return ObjectTensors(*(getattr(self, f.name)[model] for f in fields(self)))
