"""From rendered frames to the annotations of a BOP dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_regressor.geometry.camera import project
from pose_regressor.geometry.rigid import apply
from pose_regressor.types import FloatArray
from pose_regressor_training.meshes.mesh import Mesh
from pose_regressor_training.raytracer.renderer import Raytracer
from pose_regressor_training.samples.generator import Samples
from pose_regressor_training.samples.labels import masks
from pose_regressor_training.scenes import NONE, Scenes, blank_scenes


@dataclass(frozen=True, eq=False)
class Annotation:
    """One object in one image.

    obj_id: BOP's
    cam_from_obj: (4, 4) pose, metres
    mask: (H, W) bool, the silhouette within the image, as if the object stood alone
    mask_visible: (H, W) bool, its visible part
    pixels: of the whole silhouette, also beyond the image
    box: x0, y0, x1, y1 of the whole silhouette, first and last column and row
    """

    obj_id: int
    cam_from_obj: FloatArray
    mask: NDArray[np.bool_]
    mask_visible: NDArray[np.bool_]
    pixels: int
    box: tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class AnnotatedImage:
    """An image with its annotations.

    color: (H, W, 3) uint8 RGB
    depth: (H, W) float32 metres, 0 on the background
    camera_matrix: (3, 3)
    objects: in the image
    measured: (H, W) float32 metres, the depth as a simulated sensor measures it, 0 where it has none; None: no sensor
    """

    color: NDArray[np.uint8]
    depth: NDArray[np.float32]
    camera_matrix: FloatArray
    objects: tuple[Annotation, ...]
    measured: NDArray[np.float32] | None = None


class Annotator:
    """Reads annotations off renderings.

    raytracer: that rendered them
    meshes: the first of the ray tracer's
    obj_ids: BOP ids of the meshes
    """

    def __init__(self, raytracer: Raytracer, meshes: Sequence[Mesh], obj_ids: Sequence[int]) -> None:
        self._raytracer, self._meshes, self._obj_ids = raytracer, meshes, obj_ids

    def images(self, samples: Samples) -> Iterator[AnnotatedImage]:
        """The images with every object that would show within the image if it stood alone."""
        scenes, target = samples.drawn.scenes, samples.drawn.target
        color = samples.image.permute(0, 2, 3, 1).contiguous().cpu().numpy()
        depth = samples.rendering.depth.cpu().numpy()
        whole, seen = (mask.cpu().numpy() for mask in masks(samples.rendering, target.shape[1]))
        for b in range(len(target)):
            objects = []
            for place in np.flatnonzero(target[b] != NONE):
                if not whole[b, place].any():
                    continue
                pixels, box = self._whole(scenes, b, int(place), whole[b, place])
                obj_id = self._obj_ids[target[b, place]]
                pose = scenes.cam_from_obj[b, place]
                objects.append(Annotation(obj_id, pose, whole[b, place], seen[b, place], pixels, box))
            yield AnnotatedImage(color[b], depth[b], scenes.camera_matrix[b], tuple(objects))

    def _whole(self, scenes: Scenes, b: int, place: int, mask: NDArray) -> tuple[int, tuple[int, int, int, int]]:
        """Pixels and box of a silhouette, also beyond the image.

        A silhouette that reaches the edge is rendered again on a larger canvas, up to three times as wide and high as
        the image, which is as far as BOP looks.
        """
        x0, y0, x1, y1 = _box_of(mask)
        height, width = mask.shape
        if x0 > 0 and y0 > 0 and x1 < width - 1 and y1 < height - 1:
            return int(mask.sum()), (x0, y0, x1, y1)
        pose, camera = scenes.cam_from_obj[b, place], scenes.camera_matrix[b]
        points = apply(pose, self._meshes[scenes.mesh[b, place]].vertices)
        pixels = project(points, camera, least_depth=1e-6)
        low = np.maximum(np.floor(pixels.min(0)), (-width, -height)).astype(int)
        high = np.minimum(np.ceil(pixels.max(0)), (2 * width - 1, 2 * height - 1)).astype(int)
        if (points[:, 2] <= 0).any():
            low, high = np.array([-width, -height]), np.array([2 * width - 1, 2 * height - 1])
        columns, rows = (high - low + 1).tolist()
        canvas = self._raytracer.render(_alone(scenes, b, place, low), rows, columns).covered[0].cpu().numpy() > 0
        x0, y0, x1, y1 = _box_of(canvas)
        return int(canvas.sum()), (x0 + int(low[0]), y0 + int(low[1]), x1 + int(low[0]), y1 + int(low[1]))


def _alone(scenes: Scenes, b: int, place: int, corner: NDArray) -> Scenes:
    """The thing in place `place` of scene `b`, alone, in an image that begins at the pixel `corner` (x, y)."""
    scene = blank_scenes(1, 1)
    scene.mesh[0, 0] = scenes.mesh[b, place]
    scene.cam_from_obj[0, 0] = scenes.cam_from_obj[b, place]
    scene.camera_matrix[0] = scenes.camera_matrix[b]
    scene.camera_matrix[0, :2, 2] -= corner
    return scene


def _box_of(mask: NDArray) -> tuple[int, int, int, int]:
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])
