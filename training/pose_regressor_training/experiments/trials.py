"""What the tables of trained networks share: networks that are trained once, datasets made once, and scores."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from pose_regressor.estimation.estimator import PoseEstimator
from pose_regressor.network.bundle import Bundle
from pose_regressor_training.calibrate.calibrate import CALIBRATION_SEED, calibrate
from pose_regressor_training.evaluate.dataset import open_dataset
from pose_regressor_training.evaluate.judge import Judge
from pose_regressor_training.evaluate.results import read_results
from pose_regressor_training.evaluate.run import write_results
from pose_regressor_training.evaluate.scores import score
from pose_regressor_training.generate.plan import Job, Shard
from pose_regressor_training.generate.run import MANIFEST, Task, generate
from pose_regressor_training.randomize.config import RandomizeConfig, load_config
from pose_regressor_training.test_objects import make_box, make_symmetric, make_toy
from pose_regressor_training.train.config import NO_BUNDLE, TrainConfig, load_preset
from pose_regressor_training.train.objects import KnownObject, read_objects
from pose_regressor_training.train.training import Training

OBJECTS = {"toy": make_toy, "box": make_box, "symmetric": make_symmetric}
WIDTH, HEIGHT = 640, 480
#: Seed of the images that are scored. No training draws from it.
TEST_SEED = 900_000


def parser_of(doc: str | None, name: str, object_name: str) -> argparse.ArgumentParser:
    """The options that the tables share. object_name: what is trained for by default."""
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    there = f"folder for {name}.json and .png, networks and datasets: what is there is not made again"
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help=there)
    what = f"{', '.join(OBJECTS)}, or a mesh of your own in metres (%(default)s)"
    parser.add_argument("--object", metavar="NAME|FILE", default=object_name, help=what)
    parser.add_argument("--preset", default="cpu", help="of the training (%(default)s)")
    parser.add_argument("--samples", type=int, help="images a network is trained on (the preset's)")
    begins = "what every training begins with: a bundle, its name, or none for random weights (%(default)s)"
    parser.add_argument("--start-from", metavar="BUNDLE", default=NO_BUNDLE, help=begins)
    parser.add_argument("--images", type=int, default=200, help="frames that are scored, of each kind (%(default)s)")
    parser.add_argument(
        "--real", type=Path, metavar="DIR", help="the real side: a BOP dataset in place of one made here"
    )
    of_real = "of the real side; raytracer only tries the command out"
    parser.add_argument("--renderer", choices=("photoreal", "raytracer"), default="photoreal", help=of_real)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=2)
    return parser


@dataclass(frozen=True, eq=False)
class Setting:
    """What a table is about.

    objects: one object
    config: of the trainings
    real: dataset of the real side
    """

    objects: list[KnownObject]
    config: TrainConfig
    real: Path


def setting_of(options: argparse.Namespace) -> Setting:
    """The setting that the options of `parser_of` ask for. What is missing is made."""
    own = options.object not in OBJECTS
    mesh = Path(options.object) if own else OBJECTS[options.object](options.out / "mesh")
    objects = read_objects([mesh], ["m"])
    changes = {"samples": options.samples} if options.samples else {}
    config = load_preset(options.preset, changes | {"start_from": options.start_from, "workers": options.workers})
    photoreal = load_config("photoreal")
    real = options.real
    if not real:
        folder = options.out / "real"
        real = dataset(objects, photoreal, options.images, options.renderer, folder, options.workers)
    return Setting(objects, config, real)


@dataclass(frozen=True)
class Score:
    """Shares of the objects with an error below a tenth of the diameter.

    add: by ADD
    add_s: by ADD-S
    """

    add: float
    add_s: float


def trained(
    objects: Sequence[KnownObject],
    config: TrainConfig,
    out: Path,
    device: str,
    console: Console,
) -> Bundle:
    """The bundle at `out`. If it is missing, it is trained and calibrated; an interrupted training goes on.

    It is always read from the file, whose weights are rounded: so a second run of a table gives the same figures.
    """
    if out.exists():
        return Bundle.load(out)
    training = Training(objects, config, out.with_suffix(".training.safetensors"), device)
    training.begin()
    with console.status(f"{out.stem}: training") as line:
        bundle = training.run([lambda step, _: line.update(f"{out.stem}: step {step} of {config.steps}")])
    calibrate(bundle, [known.mesh for known in objects], config.seed + CALIBRATION_SEED, device=device)
    bundle.save(out)
    training.state.unlink(missing_ok=True)
    return Bundle.load(out)


def dataset(
    objects: Sequence[KnownObject], randomize: RandomizeConfig, images: int, renderer: str, folder: Path, workers: int
) -> Path:
    """A BOP dataset of `images` frames in `folder`; what is missing is made."""
    job = Job(
        split="test", images=images, scene_size=images, width=WIDTH, height=HEIGHT, objects=(1, 2), camera_matrix=None,
        suffix=".png", seed=TEST_SEED, config=randomize, meshes=tuple(known.mesh for known in objects),
        models=tuple(known.model for known in objects), renderer=renderer,
    )  # fmt: skip
    symmetries = tuple(known.symmetries for known in objects)
    generate(Task(folder, job, symmetries, Shard(1, 1), workers, "cpu", (folder / MANIFEST).exists()))
    return folder


def scored(bundle: Bundle, folder: Path, csv: Path, device: str) -> Score:
    """Score of each frame by itself, without any earlier pose. All poses count, whatever their score."""
    opened = open_dataset(folder)
    write_results(opened, PoseEstimator(bundle, device, score_threshold=0.0), csv)
    mean = score(opened, Judge(opened, with_vsd=False).judge(read_results(csv))).mean
    return Score(mean["add_0.1d"], mean["add_s_0.1d"])
