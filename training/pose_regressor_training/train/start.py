"""Starting from other networks' weights: what they learnt of their objects serves the next ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pose_regressor.network.bundle import Bundle
from pose_regressor.network.network import PoseNetwork
from pose_regressor.types import InputError

FIRST = "backbone.conv1"


@dataclass(frozen=True)
class Taken:
    """What was taken over from other networks.

    taken: names of the parameters and buffers that were copied
    fresh: names of those that keep their values
    fresh_objects: names of the objects whose channels of the last layers keep their values, if others' were copied
    """

    taken: tuple[str, ...]
    fresh: tuple[str, ...]
    fresh_objects: tuple[str, ...] = ()

    def in_words(self) -> str:
        fresh = [*self.fresh]
        if self.fresh_objects:
            fresh.append(f"the last layers of {', '.join(self.fresh_objects)}")
        if not fresh:
            return f"all {len(self.taken)} tensors"
        return f"{len(self.taken)} tensors; fresh are {', '.join(fresh)}"


@torch.no_grad()
def start_from(network: PoseNetwork, bundles: Sequence[Bundle], objects: Sequence[str]) -> Taken:
    """Copy into `network` whatever has the same name and shape in the bundles' networks.

    network: to be trained; widths and numbers of objects may differ
    bundles: one or more; each tensor becomes the mean over those of them that it fits
    objects: names of the network's objects; each gets the channels of the last layers that belong to its name in the
        first bundle that knows it; if a single bundle has as many objects and knows none of the names, by their places

    Networks that come from one ancestor lie close enough for their mean to be useful (Wortsman et al., Model soups,
    ICML 2022). Raises InputError if a first layer does not fit: the layers after it would be worthless.
    """
    networks = [bundle.network for bundle in bundles]
    states, own = [given.state_dict() for given in networks], network.state_dict()
    for bundle, state in zip(bundles, states, strict=True):
        if state[f"{FIRST}.weight"].shape != own[f"{FIRST}.weight"].shape:
            raise InputError(
                f"training: the bundle of {', '.join(model.name for model in bundle.objects)} to start from has a "
                f"network of width {bundle.config.width}, which does not fit one of width {network.config.width}; "
                "--start-from none begins with random weights"
            )
    sources = [_source(name, bundles) for name in objects]
    if len(bundles) == 1 and len(bundles[0].objects) == len(objects) and not any(sources):
        sources = [(0, place) for place in range(len(objects))]
    for place, source in enumerate(sources):
        if source is not None:
            for mine, theirs in zip(outputs(network), outputs(networks[source[0]]), strict=True):
                mine[place].copy_(theirs[source[1]])
    unknown = tuple(name for name, source in zip(objects, sources, strict=True) if source is None)
    any_known = len(unknown) < len(objects)
    taken: list[str] = []
    fresh: list[str] = []
    for name, value in own.items():
        if is_output(name):
            (taken if any_known else fresh).append(name)
            continue
        fitting = [state[name] for state in states if name in state and state[name].shape == value.shape]
        if fitting:
            value.copy_(torch.stack(fitting).mean(0) if value.is_floating_point() else fitting[0])
        (taken if fitting else fresh).append(name)
    return Taken(tuple(taken), tuple(fresh), unknown if any_known else ())


def _source(name: str, bundles: Sequence[Bundle]) -> tuple[int, int] | None:
    """Which bundle and which of its objects an object gets its channels from."""
    for number, bundle in enumerate(bundles):
        for place, model in enumerate(bundle.objects):
            if model.name == name:
                return number, place
    return None


def is_output(name: str) -> bool:
    """Whether a parameter belongs to the layers that have channels for each object."""
    return name.split(".")[-2] == "out"


def outputs(network: PoseNetwork) -> list[Tensor]:
    """The parameters of the layers that have channels for each object, as views (O, channels, ...)."""
    objects = network.objects
    blocks: list[Tensor] = [*network.dense_head.out.parameters(), *network.regression_head.out.parameters()]
    for part in network.box_head.out.parameters():  # all presences, then all boxes
        blocks += [part[:objects], part[objects:]]
    return [block.unflatten(0, (objects, -1)) for block in blocks]
