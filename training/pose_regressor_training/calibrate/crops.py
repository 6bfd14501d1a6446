"""What a network scores on images it has never seen but that come from its own generator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from pose_regressor.estimation.correspondences import correspondences, quarter_turns
from pose_regressor.estimation.decode import decode_pnp, decode_regression
from pose_regressor.network.bundle import Bundle
from pose_regressor.types import ObjectModel
from pose_regressor_training.evaluate.metrics import add, add_s, rotation_error
from pose_regressor_training.meshes.mesh import Mesh
from pose_regressor_training.randomize.background import BackgroundPart
from pose_regressor_training.randomize.config import RandomizeConfig
from pose_regressor_training.randomize.scene import SceneSampler
from pose_regressor_training.randomize.views import Kind
from pose_regressor_training.samples.batches import SceneBatches, SyntheticBatches

BATCH_SIZE = 32
#: Everything at random whatever the network was trained with, from as many pictures as so few images show.
RANDOMIZE = RandomizeConfig(background=BackgroundPart(pictures=200))


def randomization(bundle: Bundle) -> RandomizeConfig:
    """RANDOMIZE, but for the poses, which are those the bundle is meant for."""
    trained = bundle.training.get("randomize") or {}
    # Only that part is read: another may name a folder of photographs that is not on this machine.
    return replace(RANDOMIZE, pose=RandomizeConfig.from_dict({"pose": trained.get("pose", {})}).pose)


@dataclass(frozen=True, eq=False)
class _Answer:
    """What a bundle says of one synthetic crop around one of its objects, number `channel`. Poses are (4, 4); pnp is
    None where PnP is not trusted.
    """

    channel: int
    kind: Kind
    presence: float
    truth: NDArray
    regressed: NDArray
    pnp: NDArray | None


@torch.inference_mode()
def _answers(bundle: Bundle, meshes: Sequence[Mesh], seed: int, batches: int) -> Iterator[_Answer]:
    """For the crops around the true box, with the object and without it."""
    config = bundle.config
    sampler = SceneSampler(randomization(bundle), bundle.objects, seed)
    for batch in SyntheticBatches(SceneBatches(sampler, config, BATCH_SIZE, seed, 0, batches), meshes):
        boxes, poses = bundle.network(quarter_turns(batch.image, bundle.turns))
        rows = torch.arange(len(batch.image))

        def own(maps: torch.Tensor, rows: torch.Tensor = rows, model: torch.Tensor = batch.model) -> torch.Tensor:
            """(turns, B, ...) of each crop's own object."""
            return maps.unflatten(0, (bundle.turns, -1))[:, rows, model]

        presence = own(boxes.logits).amax((2, 3)).sigmoid().mean(0)
        coordinates, mask, certainty = (own(maps).numpy() for maps in (poses.coordinates, poses.mask, poses.certainty))
        rotation, location = own(poses.rotation_6d)[0].double(), own(poses.location)[0].double()
        cameras = batch.camera_matrix.double()
        asked = [i for i, kind in enumerate(batch.kind.tolist()) if kind in (Kind.LOOK, Kind.EMPTY)]
        channels = batch.model.tolist()
        found = [
            correspondences(coordinates[:, i], mask[:, i], certainty[:, i], bundle.objects[channels[i]]) for i in asked
        ]
        results = decode_pnp(found, [cameras[i].numpy() for i in asked], config.crop_size)
        for i, result in zip(asked, results, strict=True):
            model = bundle.objects[channels[i]]
            regressed = decode_regression(
                rotation[i], location[i], cameras[i], config.crop_size,
                torch.from_numpy(model.bounds.mean(0)), torch.tensor(model.diameter),
            ).numpy()  # fmt: skip
            pnp = None if result is None else result.cam_from_obj
            truth = batch.cam_from_obj[i].double().numpy()
            yield _Answer(channels[i], Kind(int(batch.kind[i])), float(presence[i]), truth, regressed, pnp)


def calibrate_depth(bundle: Bundle, meshes: Sequence[Mesh], seed: int, batches: int = 12) -> float:
    """The factor that brings the median of PnP's distances to the true ones; 1 if PnP answers too seldom to tell."""
    answers = (a for a in _answers(bundle, meshes, seed, batches) if a.kind == Kind.LOOK and a.pnp is not None)
    ratios = [float(a.truth[2, 3] / a.pnp[2, 3]) for a in answers if a.pnp is not None]
    return round(float(np.median(ratios)), 4) if len(ratios) >= BATCH_SIZE else 1.0


@dataclass(frozen=True, eq=False)
class CropErrors:
    """Of the N poses on the crops around present objects, by PnP where it answers; channel: (N,) which object; share:
    (N,) ADD, or ADD-S of symmetric objects, in diameters; rotation: (N,) degrees, to the nearest equal pose;
    translation: (N,) shares of the distance.
    """

    channel: NDArray[np.int64]
    share: NDArray[np.float64]
    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]


def evaluate_synthetic(
    bundle: Bundle, meshes: Sequence[Mesh], seed: int, batches: int = 16
) -> tuple[dict[str, float], CropErrors]:
    """Shares, over randomized crops around the true box: of poses within ADD(-S) 0.1 diameter, by PnP where it answers
    and by regression alone; of present objects with presence above one half; of empty crops with the same. And errors.
    """
    good_regressed, recalled, false_alarms, errors = [], [], [], []
    for answer in _answers(bundle, meshes, seed, batches):
        if answer.kind == Kind.EMPTY:
            false_alarms.append(answer.presence > 0.5)
            continue
        recalled.append(answer.presence > 0.5)
        model = bundle.objects[answer.channel]
        pose = answer.regressed
        if answer.pnp is not None:
            pose = answer.pnp.copy()
            pose[:3, 3] *= bundle.depth_scale
        errors.append((answer.channel, *_errors(pose, answer.truth, model)))
        good_regressed.append(_errors(answer.regressed, answer.truth, model)[0] < 0.1)
    table = np.array(errors, np.float64).reshape(-1, 4)
    shares = {
        "synthetic_add_0.1d": (table[:, 1] < 0.1).tolist(),
        "synthetic_add_0.1d_regression": good_regressed,
        "synthetic_presence_recall": recalled,
        "synthetic_false_alarms": false_alarms,
    }
    metrics = {name: round(float(np.mean(values)), 4) for name, values in shares.items() if values}
    return metrics, CropErrors(table[:, 0].astype(np.int64), *table[:, 1:].T)


def _errors(pose: NDArray, truth: NDArray, model: ObjectModel) -> tuple[float, float, float]:
    """As in CropErrors."""
    measure = add_s if len(model.symmetries) else add
    equal = truth @ np.concatenate([np.eye(4)[None], model.symmetries])
    apart = np.linalg.norm(pose[:3, 3] - equal[:, :3, 3], axis=1).min() / np.linalg.norm(truth[:3, 3])
    turned = np.degrees(min(rotation_error(pose, one) for one in equal))
    return measure(pose, truth, model.points) / model.diameter, turned, apart
