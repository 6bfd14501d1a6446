"""``python -m pose_regressor_training.blender.surroundings OUT``: makes photographs for backgrounds from HDRI
panoramas.

Blender's module ``bpy`` brings eight panoramas (CC0) and reads any others. Every panorama is cut into views of a
pinhole camera. `OUT` can then be the `folder` of the randomization's background part.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from pose_regressor.color import srgb_from_linear
from pose_regressor.types import FloatArray, InputError
from pose_regressor_training.figures import write_picture
from pose_regressor_training.scenes import looking_at

SIZE = 512
PANORAMAS = {".exr", ".hdr"}
#: Exposure: the median light of a view is brought to this, as by a camera's meter.
_MIDDLE = 0.2


def pinhole_view(panorama: NDArray[np.float32], rotation: FloatArray, focal: float, size: int) -> NDArray[np.float32]:
    """The view of a camera in an equirectangular panorama (H, W, 3): (size, size, 3) of the same light.

    rotation: (3, 3) world_from_camera, world z up
    focal: pixels

    The panorama's middle is the world's +x axis; its left half is towards +y.
    """
    height, width = panorama.shape[:2]
    at = np.arange(size) - (size - 1) / 2
    x, y = np.meshgrid(at / focal, at / focal)
    ray = np.stack([x, y, np.ones_like(x)], axis=-1) @ rotation.T
    azimuth = np.arctan2(ray[..., 1], ray[..., 0])
    elevation = np.arctan2(ray[..., 2], np.hypot(ray[..., 0], ray[..., 1]))
    column = (0.5 - azimuth / (2 * np.pi)) * width - 0.5
    row = (0.5 - elevation / np.pi) * height - 0.5
    wrapped = cv2.copyMakeBorder(panorama, 0, 0, 1, 1, cv2.BORDER_WRAP)
    return np.asarray(
        cv2.remap(
            wrapped,
            (column % width + 1).astype(np.float32),
            row.astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        np.float32,
    )


def random_views(rng: np.random.Generator, panorama: NDArray[np.float32], count: int) -> list[NDArray[np.uint8]]:
    """sRGB pictures of level cameras, 50 to 90 degrees wide, each exposed for its median light."""
    views = []
    for _ in range(count):
        azimuth, elevation = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(-50, 25))
        towards = np.array([np.cos(azimuth), np.sin(azimuth), np.tan(elevation)])
        pose = looking_at(np.zeros((1, 3)), towards[None])[0]
        focal = SIZE / (2 * np.tan(np.radians(rng.uniform(25, 45))))
        light = pinhole_view(panorama, pose[:3, :3], focal, SIZE)
        views.append(srgb_from_linear(light * (_MIDDLE / max(float(np.median(light)), 1e-6))))
    return views


def _read(path: Path) -> NDArray[np.float32]:
    import bpy

    try:
        image = bpy.data.images.load(str(path))
    except RuntimeError as error:
        raise InputError(f"{path}: cannot be read as a panorama ({' '.join(str(error).split())})") from error
    width, height = image.size
    values = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(values)
    bpy.data.images.remove(image)
    if not values.size:
        raise InputError(f"{path}: cannot be read as a panorama")
    return np.ascontiguousarray(values.reshape(height, width, 4)[::-1, :, :3])  # Blender's first row is the lowest


def _bundled() -> Path:
    try:
        import bpy
    except ImportError as error:
        raise InputError(
            "HDRI panoramas are read by Blender: pip install bpy (Python 3.11 only, best in an environment of its own)"
        ) from error
    return Path(bpy.utils.system_resource("DATAFILES")) / "studiolights" / "world"


def cut_panoramas(folder: Path, out: Path, views: int, seed: int) -> int:
    """Write `views` views of every panorama in `folder`. Returns how many were written."""
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in PANORAMAS)
    if not paths:
        raise InputError(f"{folder}: expected panoramas ({', '.join(sorted(PANORAMAS))}), found none")
    for number, path in enumerate(track(paths, description="surroundings")):
        rng = np.random.default_rng((seed, number))
        for index, view in enumerate(random_views(rng, _read(path), views)):
            write_picture(out / f"{path.stem}_{index:03d}.jpg", view)
    return len(paths) * views


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pose_regressor_training.blender.surroundings", description=__doc__)
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write to, made if missing")
    parser.add_argument("--views", type=int, default=24, help="views of each panorama (default: %(default)s)")
    parser.add_argument("--hdri", type=Path, metavar="FOLDER", help="panoramas, .exr or .hdr (default: Blender's own)")
    parser.add_argument("--seed", type=int, default=0, help="seed of where the views look (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.views < 1:
        parser.error(f"--views: expected at least 1, got {arguments.views}")
    try:
        written = cut_panoramas(arguments.hdri or _bundled(), arguments.out, arguments.views, arguments.seed)
    except (InputError, OSError) as error:
        parser.exit(2, f"error: {error}\n")
    print(f"{arguments.out}: {written} pictures")


if __name__ == "__main__":
    main()
