"""Boxes compared with a plane that objects stand on: what is as large as the object would be there."""

from __future__ import annotations

import numpy as np

from pose_regressor.types import Camera, FloatArray, ObjectModel, Plane

#: How far a box's size may be off, as a factor.
SIZE_ERROR = 2.0
#: How steeply the way to the camera must rise above the plane: at the horizon nothing stands.
LEAST_SLOPE = 1e-3


def standing_box(
    box: FloatArray, model: ObjectModel, heights: tuple[float, float], camera: Camera, plane: Plane
) -> FloatArray | None:
    """The box (4,), scaled to a size that the object can have there if it stands on the plane. None: it cannot.

    box: x0, y0, x1, y1 in ideal pinhole pixels
    heights: least and greatest height of the object's centre above the plane, metres
    """
    centre, edge = (box[:2] + box[2:]) / 2, float(max(box[2:] - box[:2]))
    ray = np.linalg.solve(camera.matrix, np.append(centre, 1.0))
    slope = -float(plane.normal @ ray)
    # Depths of the points on the ray that are as high above the plane as the centre may be.
    nearest, farthest = sorted(-(plane.offset + height) / max(slope, LEAST_SLOPE) for height in heights)
    if slope < LEAST_SLOPE or farthest <= 0:
        return None
    nearest = max(nearest, model.diameter / 2)  # a camera may be lower than the object is high
    farthest = max(nearest, farthest)
    # Seen along its longest axis, the object shows the second longest.
    focal = float(np.sqrt(camera.matrix[0, 0] * camera.matrix[1, 1]))
    smallest, largest = focal * np.sort(model.size)[1] / farthest, focal * model.diameter / nearest
    if not smallest / SIZE_ERROR < edge < largest * SIZE_ERROR:
        return None
    scale = np.clip(edge, smallest, largest) / edge
    return np.concatenate([centre + scale * (box[:2] - centre), centre + scale * (box[2:] - centre)])
