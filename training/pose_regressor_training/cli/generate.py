"""``pose-regressor generate``: rendered frames as a BOP dataset."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pose_regressor_training.cli.options import (
    ColorOption,
    ConfigOption,
    DeviceOption,
    ModelsInfoOption,
    NameOption,
    NumberedMeshesOption,
    PhotosOption,
    UnitsOption,
    read_meshes,
    read_names,
)

if TYPE_CHECKING:
    from rich.console import Console

    from pose_regressor.types import Camera, ObjectModel
    from pose_regressor_training.generate.run import Task
    from pose_regressor_training.meshes.mesh import Mesh
    from pose_regressor_training.meshes.symmetry import Symmetries


def generate(
    mesh: NumberedMeshesOption,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Dataset to write.")],
    unit: UnitsOption = None,
    color: ColorOption = None,
    name: NameOption = None,
    config: ConfigOption = "complete",
    photos: PhotosOption = None,
    images: Annotated[int, typer.Option(metavar="N", help="Images in the whole dataset, 1 or more.")] = 1000,
    width: Annotated[int, typer.Option(metavar="PIXELS", help="Width of an image, pixels.")] = 640,
    height: Annotated[int, typer.Option(metavar="PIXELS", help="Height of an image, pixels.")] = 480,
    camera: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Camera of all images, which also gives their size: BOP camera.json, ROS calibration YAML, or a "
            "CameraInfo message as YAML. Default: each image has a focal length of its own.",
        ),
    ] = None,
    fewest: Annotated[int, typer.Option(metavar="N", help="Fewest objects in an image, 1 or more.")] = 1,
    most: Annotated[
        int, typer.Option(metavar="N", help="Most objects in an image; those that find no room are left out.")
    ] = 5,
    split: Annotated[str, typer.Option(metavar="NAME", help="Folder of the scenes within the dataset.")] = "train_synt",
    scene_size: Annotated[int, typer.Option(metavar="N", help="Images in a scene, 1 or more.")] = 1000,
    image_format: Annotated[
        str, typer.Option(metavar="png|jpg", help="Format of the colour images: png or jpg.")
    ] = "png",
    models_info: ModelsInfoOption = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of all random numbers, 0 or more.")] = 0,
    shard: Annotated[str, typer.Option(metavar="I/N", help="Make part I of N only: every N-th scene.")] = "1/1",
    workers: Annotated[int, typer.Option(metavar="N", help="Processes that make images, 1 or more.")] = 2,
    renderer: Annotated[
        str,
        typer.Option(
            metavar="raytracer|photoreal", help="raytracer, or photoreal: Blender's path tracer, see docs/photoreal.md."
        ),
    ] = "raytracer",
    sensor: Annotated[
        str,
        typer.Option(
            metavar="none|structured_light|stereo|time_of_flight",
            help="Also write depth as this sensor measures it, into depth_sensor/; see docs/depth.md.",
        ),
    ] = "none",
    device: DeviceOption = "cpu",
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")] = False,
) -> None:
    """Write a dataset of rendered frames in BOP's layout, with depth, masks, poses and COCO annotations.

    The same options and seed give the same files, with any number of workers and shards, interrupted or not.
    """
    from rich.console import Console

    from pose_regressor.network.runners import select_device
    from pose_regressor.types import InputError
    from pose_regressor_training.bop.reader import models_info_path
    from pose_regressor_training.generate.plan import Job, Shard
    from pose_regressor_training.generate.run import Task
    from pose_regressor_training.generate.sheet import write_sheet
    from pose_regressor_training.randomize.config import load_config, with_photographs

    console = Console()
    if image_format not in ("png", "jpg"):
        raise InputError(f"image format {image_format!r}: expected png or jpg")
    if workers < 1:
        raise InputError(f"workers: expected at least 1, got {workers}")
    part, randomization = Shard.parse(shard), with_photographs(load_config(config), photos)
    seen_by = _read_pinhole(camera) if camera else None
    names, meshes = read_names(mesh, name), read_meshes(mesh, unit, color)
    found_before = models_info_path(out)
    if models_info is None and found_before.exists():
        models_info = found_before
    models, symmetries = _describe(console, mesh, names, meshes, models_info)
    job = Job(
        split=split,
        images=images,
        scene_size=scene_size,
        width=seen_by.width if seen_by else width,
        height=seen_by.height if seen_by else height,
        objects=(fewest, most),
        camera_matrix=seen_by.matrix if seen_by else None,
        suffix=f".{image_format}",
        seed=seed,
        config=randomization,
        meshes=tuple(meshes),
        models=tuple(models),
        renderer=renderer,
        sensor=sensor,
    )
    task = Task(out, job, tuple(symmetries), part, workers, select_device(device), resume)
    said = _make(console, task)
    console.print(f"{out}: {said}; {write_sheet(task)}")


def _read_pinhole(path: Path) -> Camera:
    """The camera in a file. Raises InputError if it has distortion."""
    from pose_regressor.files.cameras import load_camera
    from pose_regressor.types import InputError

    camera = load_camera(path)
    if camera.is_distorted:
        raise InputError(f"{path}: expected a camera without distortion, since images are rendered as a pinhole sees")
    return camera


def _describe(
    console: Console, paths: Sequence[Path], names: Sequence[str], meshes: Sequence[Mesh], models_info: Path | None
) -> tuple[list[ObjectModel], list[Symmetries]]:
    """Models and symmetries of the objects, with a line printed for each."""
    from pose_regressor_training.bop.models_info import object_id, symmetries_of
    from pose_regressor_training.meshes.mesh import object_model

    models, symmetries = [], []
    for place, (path, name, mesh) in enumerate(zip(paths, names, meshes, strict=True), start=1):
        obj_id = object_id(path, place)
        symmetries.append(symmetries_of(mesh, obj_id, models_info))
        models.append(object_model(mesh, name, obj_id))
        size = " x ".join(f"{1000 * edge:.0f}" for edge in models[-1].size)
        console.print(f"object {obj_id} {name}: {size} mm, {symmetries[-1].in_words()}")
    return models, symmetries


def _make(console: Console, task: Task) -> str:
    """Make the dataset behind a progress bar. Returns in words what was made."""
    from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

    from pose_regressor_training.generate.run import generate as make

    wanted = sum(chunk.count for scene_id in task.shard.scenes(task.job) for chunk in task.job.chunks(scene_id))
    started, first = time.monotonic(), -1
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        # Before the first image, the workers draw the pictures for backgrounds and surfaces, which takes a while.
        line = bar.add_task("pictures", total=wanted)

        def progress(done: int) -> None:
            nonlocal first
            if first < 0:
                first = done
                if done:
                    bar.reset(line, total=wanted, completed=done)
            bar.update(line, completed=done, description="images" if done > first else "pictures")

        make(task, progress)
    seconds = time.monotonic() - started
    if made := wanted - max(first, 0):
        return f"{wanted} images, {made} of them in {seconds:.0f} s ({made / seconds:.1f} a second)"
    return f"{wanted} images, all there before"
