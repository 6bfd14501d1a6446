"""Writes images and annotations into a scene of a BOP dataset. Every file appears whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.files.bop import MILLIMETRES_PER_METRE
from pose_regressor.files.io import replacing
from pose_regressor_training.bop.coco import annotation_of, scene_coco
from pose_regressor_training.bop.reader import SCENE_GT, Visibility, depth_path, image_path, mask_path
from pose_regressor_training.bop.records import camera_entry, one_line_each, pose_entry, visibility_entry
from pose_regressor_training.generate.annotate import AnnotatedImage, Annotation

#: Millimetres for each unit of the depth images. They reach to 6.5 m; depths beyond are left out.
DEPTH_SCALE = 0.1
_JPEG_QUALITY = 95

#: All that the JSON files say of one image.
ImageRecord = dict[str, Any]


class SceneWriter:
    """Writes one scene.

    folder: of the scene
    workplace: folder on the same disk where files are made before they are moved to their place
    suffix: of the colour images, .png or .jpg
    """

    def __init__(self, folder: Path, workplace: Path, suffix: str) -> None:
        self._folder, self._workplace, self._suffix = folder, workplace, suffix

    def write_image(self, im_id: int, image: AnnotatedImage) -> ImageRecord:
        """Write an image, its depth and its masks; returns its record. Raises InputError if a file cannot be
        written.
        """
        stored = _steps(image.depth)
        self._image(image_path(self._folder, im_id, self._suffix), image.color[..., ::-1])
        self._image(depth_path(self._folder, im_id), stored)
        if image.measured is not None:
            self._image(depth_path(self._folder, im_id, measured=True), _steps(image.measured))
        shown = [_visibility(annotation, stored) for annotation in image.objects]
        for index, annotation in enumerate(image.objects):
            for visible, mask in ((False, annotation.mask), (True, annotation.mask_visible)):
                self._image(mask_path(self._folder, im_id, index, visible), mask.astype(np.uint8) * 255)
        return {
            "camera": camera_entry(image.camera_matrix, DEPTH_SCALE),
            "poses": [pose_entry(annotation.obj_id, annotation.cam_from_obj) for annotation in image.objects],
            "visibility": [visibility_entry(entry) for entry in shown],
            "size": [image.color.shape[1], image.color.shape[0]],
            "coco": [
                found
                for annotation, entry in zip(image.objects, shown, strict=True)
                if (found := annotation_of(
                    annotation.obj_id, annotation.mask, annotation.mask_visible, entry.fraction)) is not None
            ],
        }  # fmt: skip

    def write_lists(self, dataset: str, names: Mapping[int, str], records: Mapping[int, ImageRecord]) -> None:
        """Write the scene's JSON files. scene_gt.json is the last, and says that the scene is complete.

        dataset: its name
        names: of the objects, by id
        records: of `write_image`, by image
        """
        ordered = {im_id: records[im_id] for im_id in sorted(records)}

        def column(key: str) -> str:
            return one_line_each({str(im_id): record[key] for im_id, record in ordered.items()})

        images = {
            im_id: (f"rgb/{im_id:06d}{self._suffix}", *record["size"], record["coco"])
            for im_id, record in ordered.items()
        }
        self.write(self._folder / "scene_camera.json", column("camera").encode())
        self.write(self._folder / "scene_gt_info.json", column("visibility").encode())
        self.write(self._folder / "scene_gt_coco.json", one_line_each(scene_coco(dataset, names, images)).encode())
        self.write(self._folder / SCENE_GT, column("poses").encode())

    def write(self, path: Path, content: bytes) -> None:
        """Raises InputError if the file cannot be written. Then the one from before stays, if there is one."""
        with replacing(path, self._workplace) as temporary:
            temporary.write_bytes(content)

    def _image(self, path: Path, pixels: NDArray) -> None:
        # PNG compression 1: three times as fast as OpenCV's default, and the files are little larger.
        parameters = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY, cv2.IMWRITE_PNG_COMPRESSION, 1]
        wanted = parameters[:2] if path.suffix == ".jpg" else parameters[2:]
        ok, encoded = cv2.imencode(path.suffix, np.ascontiguousarray(pixels), wanted)
        assert ok, f"OpenCV could not encode a {path.suffix} in memory"
        self.write(path, encoded.tobytes())


def _steps(depth: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Depth (H, W), metres, in units of DEPTH_SCALE; 0 for what is beyond their reach."""
    steps = np.round(depth * (MILLIMETRES_PER_METRE / DEPTH_SCALE))
    return np.where(steps <= np.iinfo(np.uint16).max, steps, 0).astype(np.uint16)


def _visibility(annotation: Annotation, depth: NDArray[np.uint16]) -> Visibility:
    visible = int(annotation.mask_visible.sum())
    nothing = (-1, -1, -1, -1)
    x0, y0, x1, y1 = annotation.box
    columns, rows = np.flatnonzero(annotation.mask_visible.any(0)), np.flatnonzero(annotation.mask_visible.any(1))
    return Visibility(
        pixels=annotation.pixels,
        valid=int((depth[annotation.mask] > 0).sum()),
        visible=visible,
        fraction=visible / annotation.pixels,
        box=(x0, y0, x1 - x0, y1 - y0) if visible else nothing,
        visible_box=(int(columns[0]), int(rows[0]), int(np.ptp(columns)), int(np.ptp(rows))) if visible else nothing,
    )
