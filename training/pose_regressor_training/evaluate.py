"""What a network scores on images it has never seen but that come from its own generator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pose_regressor.model.bundle import Bundle
from pose_regressor.model.decode import TURNS, correspondences, decode_pnp, decode_regression, quarter_turns
from pose_regressor_training.metrics import add
from pose_regressor_training.randomize.background import BackgroundPart
from pose_regressor_training.randomize.config import RandomizeConfig
from pose_regressor_training.randomize.scene import SceneSampler
from pose_regressor_training.randomize.views import Kind
from pose_regressor_training.render.mesh import Mesh
from pose_regressor_training.synthetic import SceneBatches, SyntheticBatches

BATCH_SIZE = 32
#: Everything at random whatever the network was trained with, from as many pictures as so few images show.
RANDOMIZE = RandomizeConfig(background=BackgroundPart(pictures=200))


@dataclass(frozen=True, eq=False)
class _Answer:
    """What a bundle says of one synthetic crop. Poses are (4, 4); pnp is None where PnP is not trusted."""

    kind: Kind
    presence: float
    truth: NDArray
    regressed: NDArray
    pnp: NDArray | None


@torch.inference_mode()
def _answers(bundle: Bundle, mesh: Mesh, seed: int, batches: int) -> Iterator[_Answer]:
    """For the crops around the true box, with the object and without it."""
    model, config = bundle.objects[0], bundle.config
    sampler = SceneSampler(RANDOMIZE, [model], seed)
    for batch in SyntheticBatches(SceneBatches(sampler, config, BATCH_SIZE, seed, 0, batches), [mesh]):
        boxes, poses = bundle.network(quarter_turns(batch.image))
        presence = boxes.logits[:, 0].amax((1, 2)).sigmoid().unflatten(0, (TURNS, -1)).mean(0)
        coordinates, mask = (maps[:, 0].unflatten(0, (TURNS, -1)).numpy() for maps in (poses.coordinates, poses.mask))
        cameras = batch.camera_matrix.double()
        regressed = decode_regression(
            poses.rotation_6d[: len(cameras), 0].double(), poses.location[: len(cameras), 0].double(), cameras,
            config.crop_size, torch.from_numpy(model.bounds.mean(0)), torch.tensor(model.diameter),
        ).numpy()  # fmt: skip
        asked = [i for i, kind in enumerate(batch.kind.tolist()) if kind in (Kind.LOOK, Kind.EMPTY)]
        found = [correspondences(coordinates[:, i], mask[:, i], model) for i in asked]
        results = decode_pnp(found, [cameras[i].numpy() for i in asked], config.crop_size)
        for i, result in zip(asked, results, strict=True):
            pnp = None if result is None else result.cam_from_obj
            truth = batch.cam_from_obj[i].double().numpy()
            yield _Answer(Kind(int(batch.kind[i])), float(presence[i]), truth, regressed[i], pnp)


def calibrate_depth(bundle: Bundle, mesh: Mesh, seed: int, batches: int = 12) -> float:
    """The factor that brings the median of PnP's distances to the true ones; 1 if PnP answers too seldom to tell."""
    answers = (a for a in _answers(bundle, mesh, seed, batches) if a.kind == Kind.LOOK and a.pnp is not None)
    ratios = [float(a.truth[2, 3] / a.pnp[2, 3]) for a in answers if a.pnp is not None]
    return round(float(np.median(ratios)), 4) if len(ratios) >= BATCH_SIZE else 1.0


def evaluate_synthetic(bundle: Bundle, mesh: Mesh, seed: int, batches: int = 16) -> dict[str, float]:
    """Shares, over randomized crops around the true box: of poses within ADD 0.1 diameter, by PnP where it answers and
    by regression alone; of present objects with presence above one half; of empty crops with the same.
    """
    model = bundle.objects[0]
    good, good_regressed, recalled, false_alarms = [], [], [], []
    for answer in _answers(bundle, mesh, seed, batches):
        if answer.kind == Kind.EMPTY:
            false_alarms.append(answer.presence > 0.5)
            continue
        recalled.append(answer.presence > 0.5)
        pose = answer.regressed
        if answer.pnp is not None:
            pose = answer.pnp.copy()
            pose[:3, 3] *= bundle.depth_scale
        good.append(add(pose, answer.truth, model.points) < 0.1 * model.diameter)
        good_regressed.append(add(answer.regressed, answer.truth, model.points) < 0.1 * model.diameter)
    shares = {
        "synthetic_add_0.1d": good,
        "synthetic_add_0.1d_regression": good_regressed,
        "synthetic_presence_recall": recalled,
        "synthetic_false_alarms": false_alarms,
    }
    return {name: round(float(np.mean(values)), 4) for name, values in shares.items() if values}
