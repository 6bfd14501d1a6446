"""``pose-regressor preview``: what a randomization draws."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from pose_regressor_training.cli.options import ColorOption, ConfigOption, MeshOption, UnitOption, read_meshes


def preview(
    mesh: MeshOption,
    unit: UnitOption = None,
    color: ColorOption = None,
    config: ConfigOption = "complete",
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Picture to write: .png or .jpg.")] = Path(
        "out/preview.png"
    ),
    labels: Annotated[
        bool, typer.Option("--labels", help="Draw boxes, and outlines of what is visible. Default: images only.")
    ] = False,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seed of all random numbers.")] = 0,
) -> None:
    """Write a picture of random training images of a mesh: crops above, whole frames below."""
    import cv2

    from pose_regressor.files.io import replacing
    from pose_regressor.types import InputError
    from pose_regressor_training.generate.preview import preview_sheet
    from pose_regressor_training.meshes.mesh import object_model
    from pose_regressor_training.randomize.config import load_config

    started = time.monotonic()
    randomize = load_config(config)
    (loaded,) = read_meshes([mesh], unit, color)
    sheet = preview_sheet(loaded, object_model(loaded, "object", 1), randomize, seed, labels)
    with replacing(out) as temporary:
        try:
            written = cv2.imwrite(str(temporary), sheet[..., ::-1])
        except cv2.error:
            written = False
        if not written:
            raise InputError(f"{out}: cannot be written as a picture, expected a name that ends in .png or .jpg")
    print(f"{out}: {sheet.shape[1]}x{sheet.shape[0]}, {config}, {time.monotonic() - started:.1f} s")
