"""torch as what runs the network: on CUDA devices, and on a CPU if nothing faster is installed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pose_regressor.network.graph import Entry
from pose_regressor.network.outputs import BoxOutput, PoseOutput, values_of
from pose_regressor.network.weights import Weights


class TorchRunner:
    """A `runners.Runner` of a network on a device of torch. The network itself is moved there."""

    def __init__(self, weights: Weights, device: str, threads: int) -> None:
        """threads: of the CPU, for this whole process; 0: as many as torch takes by itself."""
        if threads:
            torch.set_num_threads(threads)
        self._device = torch.device(device)
        self._network = weights.network.eval()
        self._network.to(device=self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def find(self, image: NDArray[np.uint8]) -> BoxOutput[NDArray[np.float32]]:
        return BoxOutput(*_arrays(self._network.find(self._sent(image))))

    @torch.inference_mode()
    def __call__(
        self, crop: NDArray[np.uint8]
    ) -> tuple[BoxOutput[NDArray[np.float32]], PoseOutput[NDArray[np.float32]]]:
        boxes, poses = self._network(self._sent(crop))
        return BoxOutput(*_arrays(boxes)), PoseOutput(*_arrays(poses))

    def _sent(self, images: NDArray[np.uint8]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(images)).to(self._device, non_blocking=True)


def _arrays(output: Any) -> list[NDArray[np.float32]]:
    return [value.float().cpu().numpy() for value in values_of(output)]


def largest_deviation(
    weights: Weights,
    entry: Entry,
    run: Callable[[NDArray[np.uint8]], Sequence[NDArray[np.float32]]],
    images: Sequence[NDArray[np.uint8]],
) -> float:
    """The largest difference between torch's outputs and those of `run`, an engine with the network's graph `entry`.

    Absolute, over the largest magnitude of that output or 1; the worst of all outputs and images.

    images: each (B, 3, H, W) uint8
    """
    runner, worst = TorchRunner(weights, "cpu", 0), 0.0
    for image in images:
        answers = (runner.find(image),) if entry == "find" else runner(image)
        expected = [value for answer in answers for value in values_of(answer)]
        for value, truth in zip(run(image), expected, strict=True):
            worst = max(worst, float(np.abs(value - truth).max() / max(1.0, float(np.abs(truth).max()))))
    return worst
