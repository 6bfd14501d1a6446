"""`pose-regressor record`: a recording out of images."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from pose_regressor.cli.options import CameraOption, DepthImagesOption, SourceArgument
from pose_regressor.settings import CAMERA_NAMESPACE
from pose_regressor.types import InputError


def record(
    source: SourceArgument,
    target: Annotated[Path, typer.Argument(metavar="OUT.mcap", help="Bag to write; it must not exist.")],
    camera: CameraOption = None,
    depth: DepthImagesOption = "auto",
    namespace: Annotated[
        str, typer.Option(metavar="NAME", help="Namespace of the camera's topics.")
    ] = CAMERA_NAMESPACE,
    compressed: Annotated[
        bool, typer.Option("--compressed", help="Write JPEG images to image_raw/compressed. Default: raw images.")
    ] = False,
) -> None:
    """Write SOURCE as a bag (MCAP), as if a camera were recorded: NAME/image_raw and NAME/camera_info.

    If SOURCE has depth, NAME/aligned_depth/image_raw is written too.

    A BOP scene brings its own camera, all other sources need --camera. Ctrl-C ends the recording and keeps what was
    recorded until then (exit code 130); a webcam ends in no other way.

        pose-regressor record clip.mp4 clip.mcap --camera camera.json
    """
    from pose_regressor.bag.record import record as write
    from pose_regressor.files.cameras import load_camera
    from pose_regressor.middleware.kit.interrupts import ended_by_interrupt
    from pose_regressor.sources import open_source

    if target.exists():
        raise InputError(f"{target}: exists already")
    seen_by = load_camera(camera) if camera else None
    with open_source(source, seen_by, depth) as opened, ended_by_interrupt() as stop:
        count = write(opened, target, namespace, compressed, time.time_ns(), stop)
    print(f"{count} frames; wrote {target}")
    if stop.is_set():
        raise typer.Exit(130)
