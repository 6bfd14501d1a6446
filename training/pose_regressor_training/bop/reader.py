"""Reads scenes in BOP's layout: images, depth, masks, poses, cameras. Files have millimetres, the code has metres.

The layout is DATASET/models/obj_000001.ply, DATASET/SPLIT/000000/{rgb,depth,mask,mask_visib}/000000.png, scene_gt.json
and others. bop_toolkit describes it in docs/bop_datasets_format.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.files.bop import (
    MILLIMETRES_PER_METRE,
    TruePose,
    choose_camera,
    read_scene_camera,
    read_scene_gt,
    scene_cameras,
)
from pose_regressor.files.images import read_image
from pose_regressor.files.io import read_json
from pose_regressor.types import InputError

#: A scene that has this file is complete: it is written last.
SCENE_GT = "scene_gt.json"
#: Suffixes of images in published datasets: ITODD's are TIFF.
SUFFIXES = (".png", ".jpg", ".tif", ".tiff", ".jpeg")


def scene_folder(split: Path, scene_id: int) -> Path:
    return split / f"{scene_id:06d}"


def image_path(scene: Path, im_id: int, suffix: str) -> Path:
    return scene / "rgb" / f"{im_id:06d}{suffix}"


def depth_path(scene: Path, im_id: int, measured: bool = False) -> Path:
    """measured: the one of a simulated sensor, which BOP does not have; else BOP's, which is true here."""
    return scene / ("depth_sensor" if measured else "depth") / f"{im_id:06d}.png"


def mask_path(scene: Path, im_id: int, index: int, visible: bool) -> Path:
    """index: place of the object in the image's list in scene_gt.json."""
    return scene / ("mask_visib" if visible else "mask") / f"{im_id:06d}_{index:06d}.png"


def model_path(dataset: Path, obj_id: int) -> Path:
    return dataset / "models" / f"obj_{obj_id:06d}.ply"


def models_info_path(dataset: Path) -> Path:
    return dataset / "models" / "models_info.json"


@dataclass(frozen=True)
class Visibility:
    """How much of an object an image shows, from scene_gt_info.json.

    pixels: of its whole silhouette, also beyond the image
    valid: pixels of the silhouette within the image that have a depth
    visible: pixels that are visible
    fraction: visible / pixels
    box: x, y, width, height of the whole silhouette, as BOP counts them (last minus first column); all -1 if nothing is
        visible
    visible_box: the same of the visible part
    """

    pixels: int
    valid: int
    visible: int
    fraction: float
    box: tuple[int, ...]
    visible_box: tuple[int, ...]


class BopScene:
    """A scene of a BOP dataset. Raises InputError that names the file if one is missing or not in BOP's format.

    folder: of the scene
    camera: name of the camera that the rest is of; "": the scene has only one
    cameras: (3, 3) camera matrix by image id
    poses: of each image's objects
    visibility: of each image's objects; empty for a scene without scene_gt_info.json
    """

    def __init__(self, folder: str | Path, camera: str | None = None) -> None:
        """camera: as for `choose_camera`."""
        self.folder = Path(folder)
        self._files = choose_camera(self.folder, camera, "name one with --sensor")
        self.camera = self._files.camera
        self.cameras = read_scene_camera(self._files.json("scene_camera"))
        self._depth_scales = _read_depth_scales(self._files.json("scene_camera"))
        self.poses: dict[int, list[TruePose]] = read_scene_gt(self._files.json("scene_gt"))
        info = self._files.json("scene_gt_info")
        self.visibility = _read_visibility(info) if info.exists() else {}
        for im_id, poses in self.poses.items():
            if im_id not in self.cameras:
                raise InputError(f"{self._files.json('scene_camera')}: expected an entry for image {im_id}")
            if self.visibility and len(self.visibility.get(im_id, ())) != len(poses):
                raise InputError(
                    f"{info}: expected {len(poses)} entries for image {im_id}, "
                    f"got {len(self.visibility.get(im_id, ()))}"
                )

    @property
    def im_ids(self) -> list[int]:
        return sorted(self.poses)

    def image(self, im_id: int) -> NDArray[np.uint8]:
        """(H, W, 3) RGB; of a grey image all three are equal."""
        found = _file(self._files.images, f"{im_id:06d}")
        if found is None:
            names = ", ".join(SUFFIXES)
            raise InputError(f"{self._files.images}: expected image {im_id:06d} with one of {names}, found none")
        return read_image(found)

    def has_depth(self, im_id: int) -> bool:
        """Whether the image has a depth image."""
        return _file(self._files.subfolder("depth"), f"{im_id:06d}") is not None

    def depth(self, im_id: int) -> NDArray[np.float32]:
        """(H, W) metres, 0 where the depth is unknown."""
        folder = self._files.subfolder("depth")
        path = _file(folder, f"{im_id:06d}") or folder / f"{im_id:06d}.png"
        raw = _read(path, cv2.IMREAD_UNCHANGED)
        if raw.ndim != 2 or raw.dtype != np.uint16:
            raise InputError(f"{path}: expected a depth image of 16 bits and one channel, got {raw.dtype} {raw.shape}")
        return (raw * (self._depth_scales[im_id] / MILLIMETRES_PER_METRE)).astype(np.float32)

    def mask(self, im_id: int, index: int, visible: bool = False) -> NDArray[np.bool_]:
        """(H, W) of an object's whole silhouette within the image, or of its visible part.

        index: place of the object in the image's list in scene_gt.json
        """
        folder = self._files.subfolder("mask_visib" if visible else "mask")
        return _read(folder / f"{im_id:06d}_{index:06d}.png", cv2.IMREAD_GRAYSCALE) > 0


def scene_folders(split: Path) -> list[Path]:
    """The numbered folders of a split that have true poses, in order."""
    folders = sorted(path for path in split.glob("*/") if path.name.isdecimal())
    return [path for path in folders if any(files.json("scene_gt").exists() for files in scene_cameras(path))]


def open_split(split: str | Path, camera: str | None = None) -> list[BopScene]:
    """All complete scenes of a split, such as DATASET/train_pbr. camera: as for `choose_camera`."""
    scenes = scene_folders(Path(split))
    if not scenes:
        raise InputError(f"{split}: expected numbered folders with a {SCENE_GT}, found none")
    return [BopScene(scene, camera) for scene in scenes]


def _file(folder: Path, stem: str) -> Path | None:
    """The image of this name, whatever its suffix."""
    return next((path for suffix in SUFFIXES if (path := folder / f"{stem}{suffix}").exists()), None)


def _read_depth_scales(path: Path) -> dict[int, float]:
    """By image id, from a file that `read_scene_camera` has checked."""
    scales = {int(key): entry.get("depth_scale", 1.0) for key, entry in read_json(path).items()}
    for im_id, scale in scales.items():
        if not isinstance(scale, int | float) or not 0 < scale < np.inf:
            raise InputError(f"{path}: expected a depth_scale above 0 for image {im_id}, got {scale!r}")
    return scales


def _read_visibility(path: Path) -> dict[int, list[Visibility]]:
    content = read_json(path)
    try:
        return {
            int(im_id): [
                Visibility(entry["px_count_all"], entry["px_count_valid"], entry["px_count_visib"],
                           entry["visib_fract"], tuple(entry["bbox_obj"]), tuple(entry["bbox_visib"]))
                for entry in entries
            ]
            for im_id, entries in content.items()
        }  # fmt: skip
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: expected the entries of BOP's scene_gt_info.json ({error!r})") from None


def _read(path: Path, how: int) -> NDArray:
    image = cv2.imread(str(path), how)
    if image is None:
        reason = "this cannot be decoded" if path.exists() else "there is no such file"
        raise InputError(f"{path}: expected an image, {reason}")
    return np.asarray(image)
