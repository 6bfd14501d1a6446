"""Depth images beside colour images, as files: 16 bits times a scale in millimetres (BOP), or 32-bit metres."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.files.bop import MILLIMETRES_PER_METRE, read_depth_scales
from pose_regressor.types import InputError

SUFFIXES = (".png", ".tif", ".tiff")


class DepthImages:
    """A folder of depth images. Each has the name of its colour image, without the ending, or of its frame's number.

    folder: of the depth images
    scene_camera: BOP's scene_camera.json with the `depth_scale` of each image; without this file, 16-bit images are in
        millimetres
    InputError: no depth image in the folder, or a scale is missing.
    """

    def __init__(self, folder: Path, scene_camera: Path | None = None) -> None:
        if not folder.is_dir():
            raise InputError(f"{folder}: expected a folder with depth images, there is none")
        self._files = {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES}
        if not self._files:
            raise InputError(f"{folder}: expected depth images ({' '.join(SUFFIXES)}), found none")
        self._numbered = {int(name): path for name, path in self._files.items() if re.fullmatch(r"[0-9]+", name)}
        self._folder, self._scene_camera = folder, scene_camera
        self._scales: Mapping[int, float] = {}
        if scene_camera and scene_camera.is_file():
            self._scales = read_depth_scales(scene_camera)

    def check(self, images: Iterable[Path]) -> None:
        """InputError if not a single one of these colour images has a depth image."""
        if not any(image.stem in self._files for image in images):
            raise InputError(f"{self._folder}: expected depth images with the names of the images, got other names")

    def check_numbers(self, count: int) -> None:
        """InputError if not a single one of the frames 0 to count - 1 has a depth image."""
        if not any(number in self._numbered for number in range(count)):
            raise InputError(f"{self._folder}: expected depth images named by the number of their frame, as 000000.png")

    def path_of(self, image: Path | None, index: int) -> Path | None:
        """The file with the depth of a frame; None if there is none.

        image: the colour image, which has the same name; None: a video's frame, whose name is its number
        index: number of the frame
        """
        return self._numbered.get(index) if image is None else self._files.get(image.stem)

    def of(self, image: Path | None, index: int) -> NDArray[np.float32] | None:
        """(H, W) float32 metres, as in Frame; None if this frame has no depth. Arguments as for `path_of`.

        InputError: the file cannot be decoded, or holds something else.
        """
        path = self.path_of(image, index)
        if path is None:
            return None
        if not self._scales or not re.fullmatch(r"[0-9]+", path.stem):
            return read_depth(path)
        scale = self._scales.get(int(path.stem))
        if scale is None:
            raise InputError(f"{self._scene_camera}: expected an entry for the depth image {path.name}")
        return read_depth(path, scale)


def scene_camera_of(folder: Path) -> Path | None:
    """The scene_camera.json that belongs to a folder of depth images: SCENE/depth, or SCENE/depth_NAME of the camera
    NAME or of a simulated sensor. None: there is none.
    """
    ending = folder.resolve().name.removeprefix("depth")
    names = (f"scene_camera{ending}.json", "scene_camera.json")
    return next((path for name in names if (path := folder.resolve().parent / name).is_file()), None)


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
