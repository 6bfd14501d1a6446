"""`pose-regressor export`: a bundle's network as ONNX files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pose_regressor.cli.options import BundleArgument
from pose_regressor.types import InputError

if TYPE_CHECKING:
    from pose_regressor.network.bundle import Bundle

#: Largest relative deviation from torch that is accepted: a hundred times the rounding errors of float32.
TOLERANCE = 1e-3
#: Batch sizes that are compared with torch.
BATCHES = (1, 2, 4)
FORMAT_VERSION = 1


def export(
    bundle: BundleArgument,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FOLDER", help="Folder to write to. Default: the current one."),
    ] = None,
) -> None:
    """Write a bundle's network as two ONNX files. Each is compared with torch before it is written.

    NAME.find.onnx finds objects in a whole frame, NAME.look.onnx looks at the crops around them. The metadata of each
    describes its inputs, its outputs and its objects. Exit code 1: the outputs differ from torch's.

        pose-regressor export box --out onnx
    """
    from pose_regressor.assets import find_model
    from pose_regressor.files.io import replacing
    from pose_regressor.network.bundle import Bundle
    from pose_regressor.network.graph import network_graph
    from pose_regressor.network.runners import choose_execution, open_engine

    path = find_model(bundle)
    loaded = Bundle.load(path)
    choose_execution("torch", "cpu")  # the error says that it is missing
    import numpy as np

    from pose_regressor.network.torch_runner import largest_deviation

    rng = np.random.default_rng(0)
    for entry in ("find", "look"):
        graph = network_graph(loaded.weights, entry, describe(loaded, path, entry))
        size = loaded.config.find_size if entry == "find" else loaded.config.crop_size
        # A frame is wider than high.
        height = size * 3 // 4 // 32 * 32 if entry == "find" else size
        images = [rng.integers(0, 256, (batch, 3, height, size), np.uint8) for batch in BATCHES]
        deviation = largest_deviation(loaded.weights, entry, open_engine(graph), images)
        target = (out or Path()) / f"{path.stem}.{entry}.onnx"
        if deviation > TOLERANCE:
            print(f"{target}: not written, deviates from torch by {deviation:.1e} (at most {TOLERANCE:.0e})")
            raise typer.Exit(1)
        with replacing(target) as temporary:
            temporary.write_bytes(graph)
        print(f"{target}: {len(graph) / 1e6:.1f} MB, deviates from torch by {deviation:.1e}")


def describe(bundle: Bundle, path: Path, entry: str) -> dict[str, Any]:
    """The metadata of an ONNX file: all that is needed to use it without this package."""
    config = bundle.config
    look = {
        "certainty": "(B, O, S/2, S/2) minus the log of the scale of the scaled coordinates' errors",
        "coordinates": "(B, O, 3, S/2, S/2) object coordinates, each axis scaled to [-1, 1] over the object's bounds",
        "mask": "(B, O, S/2, S/2) logits of 'this cell shows the object'",
        "rotation_6d": "(B, O, 6) first two columns of the allocentric rotation",
        "location": "(B, O, 3) projected centre from the crop's centre over S, and log(f diameter / (z S))",
    }
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    return {
        "version": FORMAT_VERSION,
        "entry": entry,
        "bundle": {"name": path.stem, "sha256": digest},
        "input": {
            "image": "(B, 3, H, W) uint8 RGB of an undistorted pinhole camera; the mean and deviation are in the graph",
            "size": config.find_size if entry == "find" else config.crop_size,
            "multiple_of": 32,
        },
        "outputs": {
            "box_logits": "(B, O, H/8, W/8) presence of an object's centre; cell (i, j) is at pixel (8 j, 8 i)",
            "box_boxes": "(B, O, 4, H/8, W/8) centre from the cell over 8 (x, y), log of size over 8 (width, height)",
            **(look if entry == "look" else {}),
        },
        "network": config.to_dict(),
        "objects": [
            {
                "name": model.name,
                "obj_id": model.obj_id,
                "diameter": model.diameter,
                "bounds": model.bounds.tolist(),
                "unit": "m",
            }
            for model in bundle.objects
        ],
        "depth_scale": bundle.depth_scale,
        "turns": bundle.turns,
        "training": bundle.training,
        "metrics": bundle.metrics,
    }
