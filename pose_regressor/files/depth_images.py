"""Depth images beside colour images, as files: 16 bits times a scale in millimetres (BOP), or 32-bit metres."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.files.bop import MILLIMETRES_PER_METRE, read_depth_scales
from pose_regressor.types import InputError

SUFFIXES = (".png", ".tif", ".tiff")


class DepthImages:
    """A folder of depth images whose names, without their endings, are those of the colour images.

    folder: of the depth images
    scene_camera: BOP's scene_camera.json with the `depth_scale` of each image; without this file, 16-bit images are in
        millimetres
    InputError: no depth image in the folder, or a scale is missing.
    """

    def __init__(self, folder: Path, scene_camera: Path) -> None:
        if not folder.is_dir():
            raise InputError(f"{folder}: expected a folder with depth images, there is none")
        self._files = {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES}
        if not self._files:
            raise InputError(f"{folder}: expected depth images ({' '.join(SUFFIXES)}), found none")
        self._scales: Mapping[int, float] = read_depth_scales(scene_camera) if scene_camera.is_file() else {}

    def of(self, image: Path, index: int) -> NDArray[np.float32] | None:
        """(H, W) float32 metres, as in Frame; None if this image has no depth.

        image: the colour image; index: its frame number
        InputError: the file cannot be decoded, or holds something else.
        """
        path = self._files.get(image.stem)
        return None if path is None else read_depth(path, self._scales.get(index, 1.0))


def read_depth(path: Path, scale: float = 1.0) -> NDArray[np.float32]:
    """(H, W) float32 metres of one file. scale: millimetres for each step of a 16-bit image."""
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise InputError(f"{path}: expected a depth image, this cannot be decoded")
    if image.ndim == 2 and image.dtype == np.uint16:
        return image.astype(np.float32) * np.float32(scale / MILLIMETRES_PER_METRE)
    if image.ndim == 2 and image.dtype == np.float32:
        return np.asarray(image)
    raise InputError(
        f"{path}: expected a depth image of one channel, 16-bit or 32-bit float, got {image.dtype} {image.shape}"
    )
