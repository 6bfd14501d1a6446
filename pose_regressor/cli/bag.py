"""`pose-regressor bag` and `record`: poses into a recording, and a recording out of a video."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from pose_regressor.cli.options import CameraOption, NodeDeviceOption, NodeModelOption, ParametersOption, SettingsOption
from pose_regressor.cli.run import node_config
from pose_regressor.types import InputError


def bag(
    source: Annotated[Path, typer.Argument(metavar="IN", help="MCAP file, or a rosbag2 folder with metadata.yaml.")],
    target: Annotated[Path, typer.Argument(metavar="OUT.mcap", help="Bag to write.")],
    model: NodeModelOption = None,
    image: Annotated[
        list[str] | None,
        typer.Option("--image", metavar="TOPIC", help="Topic of the images; once for each camera (default: found)."),
    ] = None,
    camera_info: Annotated[
        list[str] | None,
        typer.Option(metavar="TOPIC", help="Its camera info, in the same order (default: the one beside the images)."),
    ] = None,
    camera: CameraOption = None,
    every: Annotated[int, typer.Option(min=1, help="Look at each so-many-th image only.")] = 1,
    device: NodeDeviceOption = None,
    config: ParametersOption = None,
    settings: SettingsOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT.mcap if it is there.")] = False,
) -> None:
    """Add the poses of the objects in a bag's images to it: /tf and /pose_regressor/detections. Needs no ROS 2.

    OUT.mcap holds every message of IN unchanged, and opens in Foxglove and `ros2 bag play`. A run that was killed is
    taken up where it was, by the same command. Exit code 1: nothing was found.

        pose-regressor bag drive.mcap poses.mcap --model box
    """
    from pose_regressor.bag.process import Options, add_poses

    parameters = node_config(config, model, camera, device, settings)
    options = Options(tuple(image or ()), tuple(camera_info or ()), every, overwrite)
    with _progress(f"{source}") as progress:
        result = add_poses(source, target, parameters, options, progress)
    if result.dropped:
        reasons = "; ".join(f"{count} {reason}" for reason, count in result.dropped.most_common())
        print(f"warning: images without an answer: {reasons}", file=sys.stderr)
    again = f", {result.remembered} answers from an earlier run" if result.remembered else ""
    speed = result.recorded / max(result.seconds, 1e-9)
    print(
        f"{result.answered} images, a pose in {result.found} ({100 * result.found / result.answered:.1f} %); "
        f"{result.recorded:.1f} s of recording in {result.seconds:.1f} s ({speed:.1f} x real time{again}); "
        f"wrote {target}"
    )
    if not result.found:
        raise typer.Exit(1)


def record(
    source: Annotated[
        str,
        typer.Argument(metavar="SOURCE", help="Video, image, folder of images, BOP scene, webcam:N or /dev/videoN."),
    ],
    target: Annotated[Path, typer.Argument(metavar="OUT.mcap", help="Bag to write.")],
    camera: CameraOption = None,
    namespace: Annotated[str, typer.Option(metavar="NAME", help="Where the camera's topics are.")] = "/camera",
    compressed: Annotated[
        bool, typer.Option("--compressed", help="JPEG images on image_raw/compressed instead of raw ones.")
    ] = False,
) -> None:
    """Write SOURCE as a bag (MCAP), as if a camera had been recorded: NAME/image_raw and NAME/camera_info.

    Ctrl-C ends it (exit code 130), which is the only way to end a webcam: what was recorded until then is kept.

        pose-regressor record clip.mp4 clip.mcap --camera camera.json
    """
    from pose_regressor.bag.record import record as write
    from pose_regressor.files.cameras import load_camera
    from pose_regressor.middleware.kit.interrupts import ended_by_interrupt
    from pose_regressor.sources import open_source

    if target.exists():
        raise InputError(f"{target}: exists already")
    with open_source(source, load_camera(camera) if camera else None) as opened, ended_by_interrupt() as stop:
        count = write(opened, target, namespace, compressed, time.time_ns(), stop)
    print(f"{count} frames; wrote {target}")
    if stop.is_set():
        raise typer.Exit(130)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int], object]]:
    from rich.console import Console
    from rich.progress import Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn(what), TextColumn("{task.completed} images"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=None)
        yield lambda count: progress.update(task, completed=count)
