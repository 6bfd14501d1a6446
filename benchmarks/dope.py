"""DOPE's network, rebuilt from its paper, and its timing. Its weights are random: it finds nothing.

Tremblay et al., Deep Object Pose Estimation for Semantic Robotic Grasping of Household Objects, CoRL 2018, section 3.1:
the first ten layers of VGG-19, two 3x3 convolutions down to 128 channels, then six stages of two branches that give
nine belief maps and sixteen vector fields (eight vertices, x and y) at an eighth of the image's size.
"""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn

BELIEFS, VECTORS, FEATURES, STAGES = 9, 16, 128, 6
#: Image size the paper trains and times at: 400 pixels high, 533 wide.
HEIGHT, WIDTH = 400, 533
RUNS = 3  # in each precision, between two runs of what it is compared with


def _convolutions(sizes: list[tuple[int, int]], kernel: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in sizes:
        layers += [nn.Conv2d(before, after, kernel, padding=kernel // 2), nn.ReLU(inplace=True)]
    return layers


def _branch(before: int, after: int, first: bool) -> nn.Sequential:
    """Stage 1: three 3x3 layers and a 1x1 of 512 channels; the others: five 7x7 layers and a 1x1 of 128."""
    count, kernel, middle = (3, 3, 512) if first else (5, 7, FEATURES)
    sizes = [(before, FEATURES)] + [(FEATURES, FEATURES)] * (count - 1)
    return nn.Sequential(
        *_convolutions(sizes, kernel), *_convolutions([(FEATURES, middle)], 1), nn.Conv2d(middle, after, 1)
    )


class Dope(nn.Module):
    """(B, 3, H, W) float -> belief maps (B, 9, H/8, W/8) and vector fields (B, 16, H/8, W/8) of the last stage."""

    def __init__(self) -> None:
        super().__init__()
        vgg: list[nn.Module] = []
        blocks = (
            [(3, 64), (64, 64)],
            [(64, 128), (128, 128)],
            [(128, 256)] + [(256, 256)] * 3,
            [(256, 512), (512, 512)],
        )
        for number, sizes in enumerate(blocks):
            vgg += [nn.MaxPool2d(2)] * (number > 0) + _convolutions(sizes, 3)
        self.trunk = nn.Sequential(*vgg, *_convolutions([(512, 256), (256, FEATURES)], 3))
        widths = [FEATURES] + [FEATURES + BELIEFS + VECTORS] * (STAGES - 1)
        self.beliefs = nn.ModuleList(_branch(width, BELIEFS, n == 0) for n, width in enumerate(widths))
        self.vectors = nn.ModuleList(_branch(width, VECTORS, n == 0) for n, width in enumerate(widths))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        features = self.trunk(image)
        inputs = features
        for belief_branch, vector_branch in zip(self.beliefs, self.vectors, strict=True):
            beliefs, vectors = belief_branch(inputs), vector_branch(inputs)
            inputs = torch.cat([beliefs, vectors, features], dim=1)
        return beliefs, vectors


class Rival:
    """DOPE's network, in each precision with the memory layout that is faster here."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = {"float32": [], "bfloat16": []}
        self._runs = {}
        for precision in self.times:
            dtype = getattr(torch, precision)
            network = Dope().eval().to(dtype)
            candidates = []
            for layout in (torch.contiguous_format, torch.channels_last):
                image = torch.rand(1, 3, HEIGHT, WIDTH).to(dtype).to(memory_format=layout)
                network = network.to(memory_format=layout)
                self._time(network, image)
                candidates.append((self._time(network, image), layout))
            layout = min(candidates, key=lambda candidate: candidate[0])[1]
            self._runs[precision] = (network.to(memory_format=layout), image.to(memory_format=layout))

    @staticmethod
    def _time(network: Dope, image: torch.Tensor) -> float:
        with torch.inference_mode():
            start = time.perf_counter()
            network(image)
            return 1e3 * (time.perf_counter() - start)

    def run(self) -> None:
        for precision, (network, image) in self._runs.items():
            self.times[precision] += [self._time(network, image) for _ in range(RUNS)]
