"""The training of the start network: one network learns many objects of the family, a few in each round.

Each round has new objects. They share all layers but the last ones, which have channels for each object. For presence,
box, mask and location, every object begins the round with the mean of these layers in the round before. So what is kept
must serve whatever comes next, which is what a start is for.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
import trimesh

from pose_regressor.assets import find_model
from pose_regressor.files.io import read_json, write_text
from pose_regressor.network.bundle import Bundle
from pose_regressor.network.network import PoseNetwork
from pose_regressor.network.weights import Weights
from pose_regressor.types import InputError
from pose_regressor_training.family import Member, draw_member
from pose_regressor_training.meshes.mesh import Mesh, object_model
from pose_regressor_training.meshes.symmetry import Symmetries, find_symmetries
from pose_regressor_training.train.callbacks import CurveFile
from pose_regressor_training.train.config import FREE, NO_BUNDLE, TrainConfig, difference
from pose_regressor_training.train.objects import KnownObject
from pose_regressor_training.train.start import is_output, outputs
from pose_regressor_training.train.training import Training

#: Step between turns of a round object, in diameters: coarser than a bundle's, since only the losses use it.
_TURN = 0.05
#: The shape that a start network names as its object: a ball of this diameter, metres.
_BALL = 0.1
#: Of the dense head's 5 and the regression head's 9 channels: how many, from the first on, are coordinates or rotation.
_OWN = {5: 3, 9: 6}

Say = Callable[[str], None]


class Rounds:
    """Trains a start network. The same arguments continue an interrupted training.

    config: of each round; its samples are those of one round
    objects: new objects in each round
    folder: where the rounds' networks, states and logs are kept
    device: as torch names it
    say: called with what happens, in words

    Raises InputError if the folder belongs to another training.
    """

    def __init__(
        self, config: TrainConfig, objects: int, folder: Path, device: torch.device | str = "cpu", say: Say = print
    ) -> None:
        self.config, self.objects, self.folder, self.device, self._say = config, objects, folder, device, say
        if len(config.start_from) > 1:
            raise InputError(f"training: start_from: expected one bundle, got {', '.join(config.start_from)}")
        identity = json.loads(json.dumps({"objects": objects} | config.to_dict()))
        plan = folder / "plan.json"
        if plan.is_file() and (differs := difference(read_json(plan), identity)):
            raise InputError(f"{folder}: belongs to another training ({differs}); take another --out or remove it")
        folder.mkdir(parents=True, exist_ok=True)
        write_text(plan, json.dumps({key: value for key, value in identity.items() if key not in FREE}))

    def file(self, number: int) -> Path:
        """The network after that round."""
        return self.folder / f"round_{number:03d}.safetensors"

    def run(self, rounds: int, callbacks: Callable[[], list[pl.Callback]] = list) -> Bundle:
        """Train up to so many rounds in all and return the start network.

        callbacks: makes Lightning's, for each round
        """
        for number in range(rounds):
            if not self.file(number).is_file():
                self._round(number, callbacks())
        return Bundle.load(self.file(rounds - 1))

    def _round(self, number: int, callbacks: list[pl.Callback]) -> None:
        first = number * self.objects
        members = {first + i: draw_member(self.config.seed, first + i) for i in range(self.objects)}
        known = [as_known(place, member) for place, member in members.items()]
        before = self.config.start_from if number == 0 else (str(self.file(number - 1)),)
        config = replace(self.config, seed=self.config.seed + number, start_from=before)
        training = Training(known, config, self.folder / f"round_{number:03d}.training.safetensors", self.device)
        kinds = ", ".join(f"{member.kind} {member.paint}" for member in members.values())
        self._say(f"round {number}: {kinds}")
        self._say(f"round {number}: {training.begin()}")
        if training.steps_done == 0 and before != (NO_BUNDLE,):
            given = Bundle.load(find_model(before[0])).network
            for network in (training.task.network, training.task.average.network):
                spread_outputs(given, network)
        log = CurveFile(self.folder / f"round_{number:03d}.jsonl", training.steps_done)
        trained = training.run([log], callbacks)
        history: list[str] = [] if number == 0 else Bundle.load(self.file(number - 1)).training["rounds"]
        start = training.task.start if number == 0 else Bundle.load(self.file(0)).training["start"]
        about: dict[str, Any] = self.config.to_dict() | {
            "start": start,
            "rounds": [*history, kinds],
            "samples_seen": (number + 1) * config.steps * config.batch_size,
            "samples_rendered": (number + 1) * config.rendered,
            "meshes": [f"{(number + 1) * self.objects} objects of the family"],
            "beside": [],
        }
        as_start(trained.network, about).save(self.file(number))
        training.state.unlink(missing_ok=True)
        self._say(f"round {number}: {self.file(number)}")


def as_known(number: int, member: Member) -> KnownObject:
    """A member as a training knows objects. number: becomes its id and part of its name."""
    # No random figure looks the same from two sides, and a search takes seconds.
    symmetries = Symmetries(np.zeros((0, 4, 4))) if member.kind == "figure" else find_symmetries(member.mesh)
    name = f"{member.kind}_{number}"
    model = object_model(member.mesh, name, number + 1, symmetries.discretised(_TURN))
    return KnownObject(member.mesh, model, symmetries, name)


@torch.no_grad()
def as_start(network: PoseNetwork, training: dict[str, Any]) -> Bundle:
    """A bundle with one object, whose output layers are the means of those of all objects.

    training: what the bundle says of its training
    """
    single = PoseNetwork(network.config, 1)
    shared = {name: value for name, value in network.state_dict().items() if not is_output(name)}
    single.load_state_dict(shared, strict=False)
    for source, target in zip(outputs(network), outputs(single), strict=True):
        target.copy_(source.mean(0, keepdim=True))
    ball = trimesh.creation.icosphere(subdivisions=3, radius=_BALL / 2)
    white = np.full((len(ball.vertices), 3), 255, np.uint8)
    mesh = Mesh(ball.vertices.astype(np.float32), ball.faces.astype(np.int32), None, None, white)
    return Bundle(Weights.of(single.eval()), (object_model(mesh, "start", 1),), training=training)


@torch.no_grad()
def spread_outputs(source: PoseNetwork, target: PoseNetwork) -> None:
    """Give every object of `target` the mean of the output layers of all objects of `source`.

    Coordinates and rotation are left as they are: they mean something else for each object.
    """
    for given, own in zip(outputs(source), outputs(target), strict=True):
        first = _OWN.get(own.shape[1], 0)
        own[:, first:] = given[:, first:].mean(0, keepdim=True)
