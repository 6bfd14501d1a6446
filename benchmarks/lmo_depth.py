"""Depth for LM-O's frames, simulated from their given poses: the eight objects on a table, seen by a sensor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pose_regressor.files.bop import TruePose
from pose_regressor.types import Camera, FloatArray
from pose_regressor_training.meshes.mesh import load_mesh
from pose_regressor_training.raytracer.renderer import Raytracer
from pose_regressor_training.samples.sensor_depth import SensorDepth
from pose_regressor_training.scenes import blank_scenes

#: An object stands on the table if its lowest point is within this of the plane, metres.
STANDS = 0.01
#: Something hides an object where it is measured before it by more than this, metres: BOP's tolerance.
HIDES = 0.015


class DepthSimulator:
    """Renders the true depth of annotated frames and measures it with a sensor.

    folder: of the meshes, obj_000001.ply and so on, in millimetres
    sensor: that measures
    """

    def __init__(self, folder: Path, sensor: SensorDepth) -> None:
        files = sorted(folder.glob("obj_*.ply"))
        self.meshes = {int(path.stem[4:]): load_mesh(path, "mm") for path in files}
        self._number = {obj_id: number for number, obj_id in enumerate(self.meshes)}
        self._raytracer = Raytracer(list(self.meshes.values()))
        self._sensor = sensor

    def drawn(self, poses: Sequence[TruePose], camera: Camera) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """(H, W) metres of the objects, 0 where there is none, and (H, W) which of the poses is seen, -1: none."""
        scenes = blank_scenes(1, len(poses))
        scenes.camera_matrix[0] = camera.matrix
        for place, pose in enumerate(poses):
            scenes.mesh[0, place], scenes.cam_from_obj[0, place] = self._number[pose.obj_id], pose.cam_from_obj
        rendering = self._raytracer.render(scenes, camera.height, camera.width)
        return rendering.depth[0].numpy(), rendering.thing[0].numpy()

    def true_depth(self, poses: Sequence[TruePose], camera: Camera) -> NDArray[np.float32]:
        """(H, W) metres: of the objects, and of the table below them."""
        depth, _ = self.drawn(poses, camera)
        table = self.table(poses)
        rows, columns = np.indices(depth.shape)
        rays = np.stack([columns, rows, np.ones_like(rows)], -1) @ np.linalg.inv(camera.matrix).T
        with np.errstate(divide="ignore"):
            ground = -table[3] / (rays @ table[:3])
        # Beyond three metres the table has ended.
        ground = np.where((ground > 0) & (ground < 3), ground, 0)
        seen = (depth > 0) & ((ground == 0) | (depth < ground))
        return np.where(seen, depth, ground).astype(np.float32)

    def disagreement(self, poses: Sequence[TruePose], depth: NDArray[np.float32], camera: Camera) -> FloatArray:
        """(N, 2) of each pose: the median of measured minus drawn depth, metres, over its seen pixels, and their share.

        A pixel of an object is seen if nothing is measured more than HIDES before it, as in BOP. The share is of the
        pixels that the pose would show if it were alone.
        depth: (H, W) measured
        """
        rows = []
        for pose in poses:
            drawn, number = self.drawn([pose], camera)
            own = number == 0
            seen = own & (depth > drawn - HIDES) & (depth > 0)
            rows.append((np.median((depth - drawn)[seen]) if seen.any() else np.nan, seen.sum() / max(own.sum(), 1)))
        return np.array(rows, np.float64)

    def table(self, poses: Sequence[TruePose]) -> FloatArray:
        """(4,) the plane n, d with n @ x + d = 0 that most objects stand on, n upwards.

        Objects stand along their z axis, so each proposes its own; the one with most objects on it is fitted to them.
        """
        up = np.array([pose.cam_from_obj[:3, 2] for pose in poses])
        lowest = []
        for pose in poses:
            points = self.meshes[pose.obj_id].vertices @ pose.cam_from_obj[:3, :3].T + pose.cam_from_obj[:3, 3]
            lowest.append(points)
        best = np.zeros(4), -1.0
        for normal in [*up, np.median(up, axis=0) / np.linalg.norm(np.median(up, axis=0))]:
            heights = np.array([(points @ normal).min() for points in lowest])
            level = np.median(heights)
            standing = np.abs(heights - level) < STANDS
            if standing.sum() > best[1]:
                best = np.array([*normal, -heights[standing].mean()]), float(standing.sum())
        return best[0]

    def depth(self, poses: Sequence[TruePose], camera: Camera, rng: np.random.Generator) -> NDArray[np.float32]:
        """(H, W) float32 metres, 0 where the sensor says nothing."""
        return self._sensor.measure(self.true_depth(poses, camera), camera.matrix, rng)
