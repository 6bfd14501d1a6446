"""BOP's Visible Surface Discrepancy, with depth images from our own ray tracer.

Hodaň et al., BOP: Benchmark for 6D Object Pose Estimation (ECCV 2018), section 3.2, with BOP'19's visibility: where the
test image has no depth, the object counts as visible.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import FloatArray
from pose_regressor_training.evaluate.matching import TAUS
from pose_regressor_training.meshes.mesh import Mesh
from pose_regressor_training.raytracer.renderer import Raytracer
from pose_regressor_training.scenes import blank_scenes

#: How much farther than the test depth a surface may be and still count as visible, metres; BOP's value for all
#: datasets but ITODD (0.005).
DELTA = 0.015
#: Images rendered at a time. The buffers of one with 640 x 480 pixels take 15 MB.
_BATCH = 8


class DepthRenderer:
    """Depth images of single objects."""

    def __init__(self, meshes: Sequence[Mesh], device: str = "cpu") -> None:
        self._raytracer = Raytracer(meshes, device=device)

    def render(
        self, which: Sequence[int], cam_from_obj: FloatArray, camera_matrix: FloatArray, height: int, width: int
    ) -> NDArray[np.float32]:
        """(N, height, width) metres along z, 0 on the background: the surface on the ray through each pixel's centre.

        which: (N,) number of the mesh
        cam_from_obj: (N, 4, 4)
        camera_matrix: (3, 3)
        """
        depth = np.empty((len(which), height, width), np.float32)
        for first in range(0, len(which), _BATCH):
            part = slice(first, first + _BATCH)
            scenes = blank_scenes(len(which[part]), 1)
            scenes.mesh[:, 0] = which[part]
            scenes.cam_from_obj[:, 0] = cam_from_obj[part]
            scenes.camera_matrix[:] = camera_matrix
            depth[part] = self._raytracer.render(scenes, height, width).depth.cpu().numpy()
        return depth


def distances(depth: NDArray, camera_matrix: FloatArray) -> FloatArray:
    """(..., H, W) distances from the camera's centre, from depths along z; 0 stays 0."""
    height, width = depth.shape[-2:]
    x = (np.arange(width) - camera_matrix[0, 2]) / camera_matrix[0, 0]
    y = (np.arange(height) - camera_matrix[1, 2]) / camera_matrix[1, 1]
    return depth * np.sqrt(1 + x**2 + y[:, None] ** 2)


def vsd(
    estimate: FloatArray, truth: FloatArray, test: FloatArray, diameter: float, taus: FloatArray = TAUS
) -> FloatArray:
    """(T,) errors in [0, 1], one for each tolerance.

    estimate, truth: (H, W) distances (see `distances`) of the object in either pose; 0 where it is not
    test: (H, W) distances of the test image; 0 where unknown
    diameter: of the object, metres
    taus: (T,) tolerances, in diameters
    """
    here = (estimate > 0) | (truth > 0)
    estimate, truth, test = estimate[here], truth[here], test[here]
    unmeasured = test == 0
    in_truth = (truth > 0) & (unmeasured | (truth - test <= DELTA))
    in_estimate = (estimate > 0) & (unmeasured | (estimate - test <= DELTA) | in_truth)
    union = int((in_truth | in_estimate).sum())
    if union == 0:
        return np.ones(len(taus))
    both = in_truth & in_estimate
    off = np.abs(truth[both] - estimate[both]) / diameter
    wrong = (off >= np.asarray(taus)[:, None]).sum(1)
    return np.asarray((wrong + union - both.sum()) / union)
