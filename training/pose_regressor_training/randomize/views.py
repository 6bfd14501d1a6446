"""Which window of which camera looks at the object, and from where."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from pose_regressor.types import FloatArray, ObjectModel

#: The camera that is imagined around every window, in pixels; only ratios to it matter.
FRAME_WIDTH, FRAME_HEIGHT = 640, 480
#: Its focal length: a field of view from 71 down to 32 degrees.
FOCAL_RANGE = (450.0, 1100.0)
#: Apparent diameter of the object in the imagined frame, where it is looked at and where it is looked for.
LOOK_RANGE = (50.0, 320.0)
FIND_RANGE = (28.0, 260.0)
#: No closer than this many diameters, so that the object never reaches the camera.
MIN_DISTANCE = 1.5


class Kind(IntEnum):
    """LOOK: the crop around a found object. FIND: a part of the full frame. EMPTY: either, without the object."""

    LOOK = 0
    FIND = 1
    EMPTY = 2
    #: Too little is left of the object to call it present or absent.
    IGNORE = 3


@dataclass(frozen=True, eq=False)
class View:
    """camera_matrix: (3, 3) of the window; frame: (4,) x0, y0, x1, y1 of the camera's frame in window pixels (beyond it
    the window is padding); detail: camera pixels for each window pixel, at most 1.
    """

    kind: Kind
    cam_from_obj: FloatArray
    camera_matrix: FloatArray
    frame: FloatArray
    detail: float


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def projected_box(model: ObjectModel, cam_from_obj: NDArray, camera_matrix: NDArray) -> FloatArray:
    """(4,) x0, y0, x1, y1 around the projected surface points, in pixels."""
    points = model.points @ cam_from_obj[:3, :3].T + cam_from_obj[:3, 3]
    pixels = points @ camera_matrix.T
    pixels = pixels[:, :2] / pixels[:, 2:]
    return np.concatenate([pixels.min(0), pixels.max(0)])


def random_view(rng: np.random.Generator, model: ObjectModel, size: int, find_scale: float, margin: float) -> View:
    """One window of `size` pixels square.

    find_scale: window pixels per frame pixel when objects are looked for in the full frame; margin: edge of the crop
    over the longer edge of the object's box. Rotation is uniform over SO(3).
    """
    kind = Kind(rng.choice(3, p=(0.74, 0.16, 0.1)))
    focal = log_uniform(rng, *FOCAL_RANGE)
    looks = kind == Kind.LOOK or (kind == Kind.EMPTY and rng.random() < 0.5)
    apparent = log_uniform(rng, *(LOOK_RANGE if looks else FIND_RANGE))
    distance = max(focal / apparent, MIN_DISTANCE) * model.diameter
    camera = np.array([[focal, 0, FRAME_WIDTH / 2 - 0.5], [0, focal, FRAME_HEIGHT / 2 - 0.5], [0, 0, 1]])
    pixel = rng.uniform(0.06, 0.94, 2) * (FRAME_WIDTH, FRAME_HEIGHT)
    cam_from_obj = np.eye(4)
    cam_from_obj[:3, :3] = Rotation.random(random_state=rng).as_matrix()
    centre = distance * np.array([*((pixel - camera[:2, 2]) / focal), 1])
    cam_from_obj[:3, 3] = centre - cam_from_obj[:3, :3] @ model.bounds.mean(0)

    if looks:
        box = projected_box(model, cam_from_obj, camera)
        edge = max(box[2:] - box[:2])
        scale = size / (edge * margin * np.exp(rng.uniform(-0.25, 0.25)))
        corner = (box[:2] + box[2:]) / 2 + rng.uniform(-0.12, 0.12, 2) * edge - size / scale / 2
    else:
        scale = find_scale * np.exp(rng.uniform(-0.1, 0.1))
        corner = pixel - rng.uniform(0, size, 2) / scale
    window = np.array([[scale, 0, -scale * corner[0] - 0.5], [0, scale, -scale * corner[1] - 0.5], [0, 0, 1]])
    limits = np.array([-0.5, -0.5, FRAME_WIDTH - 0.5, FRAME_HEIGHT - 0.5])
    frame = limits * scale + np.tile(window[:2, 2], 2)
    return View(kind, cam_from_obj, window @ camera, frame, min(1.0, 1 / scale))
