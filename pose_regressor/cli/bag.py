"""`pose-regressor bag`: poses of the objects in a recording."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from pose_regressor.cli.node_options import node_config
from pose_regressor.cli.options import CameraOption, NodeDeviceOption, NodeModelOption, ParametersOption, SettingsOption
from pose_regressor.types import InputError


def bag(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="IN", help="Bag to read: a file of rosbag2, MCAP or SQLite (.db3), or a folder of them."
        ),
    ],
    target: Annotated[Path, typer.Argument(metavar="OUT.mcap", help="Bag to write.")],
    model: NodeModelOption = None,
    image: Annotated[
        list[str] | None,
        typer.Option("--image", metavar="TOPIC", help="Topic of images, once for each camera. Default: all but depth."),
    ] = None,
    camera_info: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TOPIC", help="Camera info of each --image, in the same order. Default: the topic beside it."
        ),
    ] = None,
    camera: CameraOption = None,
    depth: Annotated[
        str,
        typer.Option(
            metavar="auto|off",
            help="auto: use the depth that is aligned to the images, or has a camera info beside it and a place on TF.",
        ),
    ] = "auto",
    depth_topic: Annotated[
        list[str] | None,
        typer.Option(metavar="TOPIC", help="Depth of each camera, in the same order. Default: found as --depth says."),
    ] = None,
    depth_info_topic: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TOPIC",
            help="Camera info of each --depth-topic that is not aligned to the images. Default: the topic beside it.",
        ),
    ] = None,
    every: Annotated[int, typer.Option(min=1, help="Use every N-th image only.", metavar="N")] = 1,
    device: NodeDeviceOption = None,
    config: ParametersOption = None,
    settings: SettingsOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT.mcap if it exists.")] = False,
) -> None:
    """Copy a bag and add the poses of the objects in its images, on /tf and /pose_regressor/detections.

    Depth of the recording is used. Needs no ROS 2. OUT.mcap holds every message of IN unchanged; Foxglove and `ros2 bag
    play` open it. The same command continues a run that was killed. Exit code 1: nothing was found.

        pose-regressor bag drive.mcap poses.mcap --model box
    """
    from pose_regressor.bag.process import Options, add_poses

    parameters = node_config(config, model, camera, device, settings)
    if depth not in ("auto", "off"):
        raise InputError(f"--depth: expected auto or off, got {depth!r}; name a topic with --depth-topic")
    options = Options(
        tuple(image or ()),
        tuple(camera_info or ()),
        depth == "auto",
        tuple(depth_topic or ()),
        tuple(depth_info_topic or ()),
        every,
        overwrite,
    )
    with _progress(f"{source}") as progress:
        result = add_poses(source, target, parameters, options, progress, _warn, _say)
    trouble = {
        "skipped": result.dropped,
        "without depth": result.without_depth,
        "without support plane": result.without_plane,
    }
    for what, reasons in trouble.items():
        if reasons:
            said = "; ".join(f"{count} {reason}" for reason, count in reasons.most_common())
            _warn(f"images that were {what}: {said}")
    by_depth = ""
    if result.with_depth:
        by_depth = f", depth for {result.with_depth} and in the poses of {result.found_by_depth}"
    again = f", {result.remembered} answers from an earlier run" if result.remembered else ""
    speed = result.recorded / max(result.seconds, 1e-9)
    print(
        f"{result.answered} images, a pose in {result.found} ({100 * result.found / result.answered:.1f} %){by_depth}; "
        f"{result.recorded:.1f} s of recording in {result.seconds:.1f} s ({speed:.1f} x real time{again}); "
        f"wrote {target}"
    )
    if not result.found:
        raise typer.Exit(1)


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int], object]]:
    from rich.console import Console
    from rich.progress import Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn(what), TextColumn("{task.completed} images"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=None)
        yield lambda count: progress.update(task, completed=count)
