"""``pose-regressor generate``: a randomization's frames as a BOP dataset."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from pose_regressor_training.cli.options import ColorOption, ConfigOption, ModelsInfoOption, UnitOption, read_meshes


def generate(
    mesh: Annotated[
        list[Path],
        typer.Option(
            metavar="FILE",
            help="Mesh of an object; give it again for more. obj_000010.ply gets the id 10, "
            "others their place in the list.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Dataset to write.")],
    unit: UnitOption = None,
    color: ColorOption = None,
    config: ConfigOption = "complete",
    images: Annotated[int, typer.Option(help="Of the whole dataset.")] = 1000,
    width: Annotated[int, typer.Option(help="Of an image, pixels.")] = 640,
    height: Annotated[int, typer.Option(help="Of an image, pixels.")] = 480,
    camera: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Camera of all images, with its size: BOP camera.json or ROS calibration. "
            "Without it each image gets a focal length of its own.",
        ),
    ] = None,
    fewest: Annotated[int, typer.Option(help="Objects in an image, at least.")] = 1,
    most: Annotated[int, typer.Option(help="Objects in an image, at most; those that find no room are left out.")] = 5,
    split: Annotated[str, typer.Option(help="Folder of the scenes within the dataset.")] = "train_synt",
    scene_size: Annotated[int, typer.Option(help="Images of a scene.")] = 1000,
    image_format: Annotated[str, typer.Option(help="Of the colour images: png or jpg.")] = "png",
    models_info: ModelsInfoOption = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    shard: Annotated[str, typer.Option(metavar="I/N", help="Make part I of N: every N-th scene.")] = "1/1",
    workers: Annotated[int, typer.Option(help="Processes that make images.")] = 2,
    renderer: Annotated[
        str,
        typer.Option(help="raytracer, or photoreal: Blender's path tracer, see docs/photoreal.md."),
    ] = "raytracer",
    device: Annotated[str, typer.Option(help="Where images are rendered: auto, cpu, cuda or cuda:N.")] = "cpu",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")] = False,
) -> None:
    """Write a dataset of rendered frames in BOP's layout, with depth, masks, poses and COCO annotations.

    The same options and seed give the same files, on any number of workers and shards, interrupted or not.
    """  # fmt: skip
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

    from pose_regressor.estimation.estimator import select_device
    from pose_regressor.files.cameras import load_camera
    from pose_regressor.types import InputError
    from pose_regressor_training.bop.models_info import object_id, symmetries_of
    from pose_regressor_training.bop.reader import models_info_path
    from pose_regressor_training.generate.plan import Job, Shard
    from pose_regressor_training.generate.run import Task
    from pose_regressor_training.generate.run import generate as make
    from pose_regressor_training.generate.sheet import write_sheet
    from pose_regressor_training.meshes.mesh import object_model
    from pose_regressor_training.randomize.config import load_config

    console = Console()
    if image_format not in ("png", "jpg"):
        raise InputError(f"image format {image_format!r}: expected png or jpg")
    if workers < 1:
        raise InputError(f"workers: expected at least 1, got {workers}")
    part, randomization = Shard.parse(shard), load_config(config)
    seen_by = load_camera(camera) if camera else None
    if seen_by is not None and seen_by.is_distorted:
        raise InputError(f"{camera}: expected a camera without distortion, images are rendered as a pinhole sees them")
    meshes = read_meshes(mesh, unit, color)
    found_before = models_info_path(out)
    if models_info is None and found_before.exists():
        models_info = found_before
    models, symmetries = [], []
    for place, (path, loaded) in enumerate(zip(mesh, meshes, strict=True), start=1):
        obj_id = object_id(path, place)
        symmetries.append(symmetries_of(loaded, obj_id, models_info))
        models.append(object_model(loaded, path.stem, obj_id))
        size = " x ".join(f"{1000 * edge:.0f}" for edge in models[-1].size)
        console.print(f"object {obj_id} {path.stem}: {size} mm, {symmetries[-1].in_words()}")
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
    )
    task = Task(out, job, tuple(symmetries), part, workers, str(select_device(device)), resume)
    wanted = sum(chunk.count for scene_id in part.scenes(job) for chunk in job.chunks(scene_id))
    started, first = time.monotonic(), -1
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        line = bar.add_task("pictures", total=wanted)  # which take a while before there is an image

        def progress(done: int) -> None:
            nonlocal first
            if first < 0:
                first = done
                if done:
                    bar.reset(line, total=wanted, completed=done)
            bar.update(line, completed=done, description="images" if done > first else "pictures")

        make(task, progress)
    seconds = time.monotonic() - started
    sheet = write_sheet(task)
    made = wanted - max(first, 0)
    rate = f", {made} of them in {seconds:.0f} s ({made / seconds:.1f} a second)" if made else ", all there before"
    console.print(f"{out}: {wanted} images{rate}; {sheet}")
