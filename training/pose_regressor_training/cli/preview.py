"""``pose-regressor preview``: what a randomization draws."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from pose_regressor_training.cli.options import (
    ColorOption,
    ConfigOption,
    MeshOption,
    ModelsInfoOption,
    NameOption,
    PhotosOption,
    UnitsOption,
    read_meshes,
    read_names,
)


def preview(
    mesh: MeshOption,
    unit: UnitsOption = None,
    color: ColorOption = None,
    name: NameOption = None,
    models_info: ModelsInfoOption = None,
    config: ConfigOption = "complete",
    photos: PhotosOption = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Picture to write: .png or .jpg.")] = Path(
        "out/preview.png"
    ),
    labels: Annotated[
        bool, typer.Option("--labels", help="Draw boxes, and outlines of what is visible. Default: images only.")
    ] = False,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seed of all random numbers.")] = 0,
) -> None:
    """Write a picture of a mesh from six sides, beside random training images of it.

    Crops are above, whole frames below. Look here for wrong textures and colours.
    """
    import cv2

    from pose_regressor.files.io import replacing
    from pose_regressor.types import InputError
    from pose_regressor_training.bop.models_info import object_id, symmetries_of
    from pose_regressor_training.generate.preview import preview_sheet
    from pose_regressor_training.meshes.mesh import object_model
    from pose_regressor_training.randomize.config import load_config, with_photographs

    started = time.monotonic()
    randomize = with_photographs(load_config(config), photos)
    (known,) = read_names([mesh], name)
    (loaded,) = read_meshes([mesh], unit, color)
    model = object_model(loaded, known, object_id(mesh, 1))
    if models_info is not None:
        print(f"{models_info}: {symmetries_of(loaded, model.obj_id, models_info).in_words()}")
    sheet = preview_sheet(loaded, model, randomize, seed, labels)
    with replacing(out) as temporary:
        try:
            written = cv2.imwrite(str(temporary), sheet[..., ::-1])
        except cv2.error:
            written = False
        if not written:
            raise InputError(f"{out}: cannot be written as a picture, expected a name that ends in .png or .jpg")
    print(f"{out}: {sheet.shape[1]}x{sheet.shape[0]}, {config}, {time.monotonic() - started:.1f} s")
