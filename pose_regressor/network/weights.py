"""The network's weights: as arrays, which the engines for CPUs need, and as a torch module, which training needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pose_regressor.network.config import NetworkConfig
from pose_regressor.types import InputError

if TYPE_CHECKING:  # it imports torch
    from pose_regressor.network.network import PoseNetwork

Arrays = dict[str, NDArray[Any]]


class Weights:
    """The weights of one network.

    config: sizes of the network
    objects: number of objects that it knows
    """

    def __init__(self, config: NetworkConfig, objects: int, arrays: Mapping[str, NDArray[Any]]) -> None:
        """arrays: by the names of `parameter_shapes`. InputError: a name, a shape or a number does not fit."""
        self.config, self.objects = config, objects
        self._arrays: Arrays = {
            name: value.astype(np.float32) if value.dtype.kind == "f" else value for name, value in arrays.items()
        }
        self._network: PoseNetwork | None = None
        check_shapes(parameter_shapes(config, objects), self._arrays)

    @classmethod
    def of(cls, network: PoseNetwork) -> Weights:
        """The weights of a torch module, which stays the one that `network` returns."""
        weights = cls.__new__(cls)
        weights.config, weights.objects, weights._network = network.config, network.objects, network
        return weights

    @property
    def network(self) -> PoseNetwork:
        """A torch module with these weights, made when it is first asked for; from then on it holds them.

        It is in evaluation mode, in float32 and on the CPU. ImportError: torch is not installed.
        """
        if self._network is None:
            import torch

            from pose_regressor.network.network import PoseNetwork

            network = PoseNetwork(self.config, self.objects)
            network.load_state_dict({name: torch.tensor(value) for name, value in self._arrays.items()})
            self._network, self._arrays = network.eval(), {}
        return self._network

    @property
    def arrays(self) -> Arrays:
        """The weights by name, in the order of `parameter_shapes`."""
        if self._network is None:
            return {name: self._arrays[name] for name in parameter_shapes(self.config, self.objects)}
        return {name: value.detach().cpu().numpy() for name, value in self._network.state_dict().items()}

    @property
    def parameters(self) -> int:
        """The number of trained parameters: without the statistics of the batch normalisations."""
        shapes = parameter_shapes(self.config, self.objects)
        return sum(int(np.prod(shape)) for name, shape in shapes.items() if not name.endswith(_STATISTICS))


_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def pyramid_channels(width: int) -> tuple[int, int, int, int]:
    """Channels of the feature pyramid at strides 2, 4, 8, 16. width: of the backbone's first stage."""
    return width, width * 3 // 2, 2 * width, 4 * width


def parameter_shapes(config: NetworkConfig, objects: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all parameters and buffers, as in the state of a `PoseNetwork`, in the same order."""
    shapes: dict[str, tuple[int, ...]] = {}

    def conv(name: str, channels_in: int, channels: int, size: int, bias: bool = False) -> None:
        shapes[f"{name}.weight"] = (channels, channels_in, size, size)
        if bias:
            shapes[f"{name}.bias"] = (channels,)

    def norm(name: str, channels: int) -> None:
        shapes.update({f"{name}.{part}": (channels,) for part in ("weight", "bias", "running_mean", "running_var")})
        shapes[f"{name}.num_batches_tracked"] = ()

    def smooth(name: str, channels: int) -> None:
        conv(f"{name}.0", channels, channels, 3)
        norm(f"{name}.1", channels)

    width = config.width
    stages = (width, width, 2 * width, 4 * width, 8 * width)  # channels at strides 2, 4, 8, 16, 32
    conv("backbone.conv1", 3, width, 7)
    norm("backbone.bn1", width)
    for stage, count in enumerate(config.blocks, start=1):
        channels = stages[stage]
        for block in range(count):
            name, channels_in = f"backbone.layer{stage}.{block}", channels if block else stages[stage - 1]
            conv(f"{name}.conv1", channels_in, channels, 3)
            norm(f"{name}.bn1", channels)
            conv(f"{name}.conv2", channels, channels, 3)
            norm(f"{name}.bn2", channels)
            if block == 0 and stage > 1:
                conv(f"{name}.downsample.0", channels_in, channels, 1)
                norm(f"{name}.downsample.1", channels)
    wide = pyramid_channels(width)
    coarse = stages[4]
    for level in (3, 2, 1, 0):
        name, channels = f"up{2 ** (level + 1)}", wide[level]
        conv(f"{name}.reduce", coarse, channels, 1, bias=True)
        conv(f"{name}.lateral", stages[level], channels, 1, bias=True)
        smooth(f"{name}.smooth", channels)
        coarse = channels
    for head, channels in (("box_head", wide[2]), ("dense_head", wide[0])):
        smooth(f"{head}.conv", channels)
        conv(f"{head}.out", channels, 5 * objects, 1, bias=True)
    conv("regression_head.reduce", stages[4], 64, 1, bias=True)
    cells = config.crop_size // 32
    for name, rows, columns in (("hidden", 256, 64 * cells * cells), ("out", 9 * objects, 256)):
        shapes |= {f"regression_head.{name}.weight": (rows, columns), f"regression_head.{name}.bias": (rows,)}
    return shapes


def check_shapes(expected: Mapping[str, tuple[int, ...]], arrays: Mapping[str, NDArray[Any]]) -> None:
    """InputError: a name is missing or unknown, a shape differs, or a number is not finite."""
    got = {name: tuple(value.shape) for name, value in arrays.items()}
    for name in sorted(expected.keys() | got.keys()):
        if expected.get(name) != got.get(name):
            raise InputError(f"weight {name}: expected shape {expected.get(name)}, got {got.get(name)}")
        if not np.isfinite(arrays[name]).all():
            raise InputError(f"weight {name}: expected finite numbers, found NaN or infinity")
