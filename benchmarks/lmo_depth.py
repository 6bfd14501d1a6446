"""Depth for LM-O's frames, simulated from their given poses: the eight objects on a table, seen by a sensor."""

from __future__ import annotations

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

    def true_depth(self, poses: list[TruePose], camera: Camera) -> NDArray[np.float32]:
        """(H, W) metres: of the objects, and of the table below them."""
        scenes = blank_scenes(1, len(poses))
        scenes.camera_matrix[0] = camera.matrix
        for place, pose in enumerate(poses):
            scenes.mesh[0, place], scenes.cam_from_obj[0, place] = self._number[pose.obj_id], pose.cam_from_obj
        depth = self._raytracer.render(scenes, camera.height, camera.width).depth[0].numpy()
        table = self.table(poses)
        rows, columns = np.indices(depth.shape)
        rays = np.stack([columns, rows, np.ones_like(rows)], -1) @ np.linalg.inv(camera.matrix).T
        with np.errstate(divide="ignore"):
            ground = -table[3] / (rays @ table[:3])
        # Beyond three metres the table has ended.
        ground = np.where((ground > 0) & (ground < 3), ground, 0)
        seen = (depth > 0) & ((ground == 0) | (depth < ground))
        return np.where(seen, depth, ground).astype(np.float32)

    def table(self, poses: list[TruePose]) -> FloatArray:
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

    def depth(self, poses: list[TruePose], camera: Camera, rng: np.random.Generator) -> NDArray[np.float32]:
        """(H, W) float32 metres, 0 where the sensor says nothing."""
        return self._sensor.measure(self.true_depth(poses, camera), camera.matrix, rng)
