"""Views, drawn for a batch: windows with one object or none, and whole frames with several objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import FloatArray, ObjectModel
from pose_regressor_training.randomize.draw import pick
from pose_regressor_training.randomize.pose import PosePart, draw_apparent, draw_focal, draw_places, draw_rotations
from pose_regressor_training.randomize.shapes import support_of

#: Frame of the camera that every window is cut from, pixels; only ratios to it matter.
FRAME_WIDTH, FRAME_HEIGHT = 640, 480


class Kind(IntEnum):
    """Kinds of windows.

    LOOK: the crop around a found object
    FIND: a part of the whole frame
    EMPTY: either of them, without the object
    IGNORE: too little of the object is visible to call it present or absent
    """

    LOOK = 0
    FIND = 1
    EMPTY = 2
    IGNORE = 3


@dataclass(frozen=True, eq=False)
class WindowSpec:
    """The windows that a network looks at.

    size: edge of the square window, pixels
    find_scale: window pixels for each pixel of the frame, where objects are searched for
    margin: edge of a crop over the longer edge of the object's box
    """

    size: int
    find_scale: float
    margin: float


@dataclass(frozen=True, eq=False)
class Views:
    """B windows or frames with T objects each.

    kind: (B,) of Kind
    model: (B, T) which object
    cam_from_obj: (B, T, 4, 4) metres
    camera_matrix: (B, 3, 3) pixels
    frame: (B, 4) x0, y0, x1, y1 of the camera's frame in pixels of the view; there is no image outside
    detail: (B,) camera pixels for each pixel of the view, at most 1
    """

    kind: NDArray[np.int64]
    model: NDArray[np.int64]
    cam_from_obj: FloatArray
    camera_matrix: FloatArray
    frame: FloatArray
    detail: FloatArray


class Models:
    """Measures of M objects as arrays, metres.

    models: the objects
    targets: how many of them, from the first on, a network is to know; the others only stand around. Default: all

    diameter: (M,)
    centre: (M, 3) middle of the bounding box, in the object's frame
    points: (M, P, 3) points of the surface
    support: (M, SUPPORT, 3) points of the convex hull, about the centre
    """

    def __init__(self, models: Sequence[ObjectModel], targets: int | None = None) -> None:
        self.targets = len(models) if targets is None else targets
        count = min(len(model.points) for model in models)
        self.diameter = np.array([model.diameter for model in models])
        self.centre = np.stack([model.bounds.mean(0) for model in models])
        self.points = np.stack([model.points[:count] for model in models])
        self.support = np.stack([support_of(model.points - model.bounds.mean(0)) for model in models])

    def centres(self, cam_from_obj: FloatArray, model: NDArray[np.int64]) -> FloatArray:
        """(..., 3) middles of the objects `model` (...) with poses (..., 4, 4), in the camera frame, metres."""
        return (cam_from_obj[..., :3, :3] @ self.centre[model][..., None])[..., 0] + cam_from_obj[..., :3, 3]


def projected_boxes(points: NDArray, cam_from_obj: NDArray, camera_matrix: NDArray) -> FloatArray:
    """(..., 4) boxes x0, y0, x1, y1 around the projections of points (..., P, 3), pixels.

    All points must be in front of the camera.
    """
    pixels = points @ np.swapaxes(cam_from_obj[..., :3, :3], -1, -2) + cam_from_obj[..., None, :3, 3]
    pixels = pixels @ np.swapaxes(camera_matrix, -1, -2)
    pixels = pixels[..., :2] / pixels[..., 2:]
    return np.concatenate([pixels.min(-2), pixels.max(-2)], axis=-1)


def draw_windows(part: PosePart, rng: np.random.Generator, models: Models, spec: WindowSpec, count: int) -> Views:
    """`count` windows with one object each, or none."""
    model = rng.integers(0, models.targets, count)
    kind = pick(rng, part.kinds, count)
    looks = (kind == Kind.LOOK) | ((kind == Kind.EMPTY) & (rng.random(count) < 0.5))
    camera = _cameras(draw_focal(part, rng, count), FRAME_WIDTH, FRAME_HEIGHT)
    pixel = draw_places(part, rng, (count,)) * (FRAME_WIDTH, FRAME_HEIGHT)
    cam_from_obj = _poses(part, rng, models, model, camera, pixel, draw_apparent(part, rng, looks))

    jitter = rng.uniform(-1, 1, (5, count)) * (1.0 if part.random else 0.0)
    box = projected_boxes(models.points[model], cam_from_obj, camera)
    edge = (box[:, 2:] - box[:, :2]).max(1)
    scale = np.where(
        looks,
        spec.size / (edge * spec.margin * np.exp(part.crop_scale * jitter[0])),
        spec.find_scale * np.exp(part.find_scale * jitter[0]),
    )
    centred = (box[:, :2] + box[:, 2:]) / 2 + part.crop_shift * jitter[1:3].T * edge[:, None]
    somewhere = pixel - spec.size * jitter[3:5].T / 2 / scale[:, None]
    corner = np.where(looks[:, None], centred, somewhere) - spec.size / scale[:, None] / 2
    window = np.zeros((count, 3, 3))
    window[:, 0, 0] = window[:, 1, 1] = scale
    window[:, :2, 2] = -scale[:, None] * corner - 0.5
    window[:, 2, 2] = 1
    limits = np.array([-0.5, -0.5, FRAME_WIDTH - 0.5, FRAME_HEIGHT - 0.5])
    frame = limits * scale[:, None] + np.tile(window[:, :2, 2], 2)
    return Views(kind, model[:, None], cam_from_obj[:, None], window @ camera, frame, np.minimum(1, 1 / scale))


def draw_frame_cameras(part: PosePart, rng: np.random.Generator, count: int, width: int, height: int) -> FloatArray:
    """(count, 3, 3) camera matrices of whole frames."""
    return _cameras(draw_focal(part, rng, count) * width / FRAME_WIDTH, width, height)


def draw_frames(
    part: PosePart,
    rng: np.random.Generator,
    models: Models,
    model: NDArray[np.int64],
    camera_matrix: FloatArray,
    size: tuple[int, int],
) -> Views:
    """Whole frames with objects all over them. The objects may overlap.

    model: (B, T) which objects, NONE for none
    camera_matrix: (B, 3, 3) pixels
    size: (width, height), pixels
    """
    width, height = size
    pixel = draw_places(part, rng, model.shape) * size
    apparent = draw_apparent(part, rng, np.zeros(model.shape, bool)) * width / FRAME_WIDTH
    each = np.broadcast_to(camera_matrix[:, None], (*model.shape, 3, 3))
    cam_from_obj = _poses(part, rng, models, model, each, pixel, apparent)
    count = len(model)
    frame = np.tile(np.array([-0.5, -0.5, width - 0.5, height - 0.5]), (count, 1))
    return Views(np.full(count, Kind.FIND), model, cam_from_obj, camera_matrix, frame, np.ones(count))


def _cameras(focal: FloatArray, width: int, height: int) -> FloatArray:
    """(B, 3, 3) camera matrices with the principal point in the frame's middle."""
    camera = np.zeros((len(focal), 3, 3))
    camera[:, 0, 0] = camera[:, 1, 1] = focal
    camera[:, :, 2] = (width / 2 - 0.5, height / 2 - 0.5, 1)
    return camera


def _poses(
    part: PosePart,
    rng: np.random.Generator,
    models: Models,
    model: NDArray[np.int64],
    camera: FloatArray,
    pixel: FloatArray,
    apparent: FloatArray,
) -> FloatArray:
    """(..., 4, 4) cam_from_obj: each object's middle is seen at its pixel, at the distance that gives it its apparent
    diameter.
    """
    diameter = models.diameter[model]
    focal = camera[..., 0, 0]
    distance = np.maximum(focal / apparent, part.nearest) * diameter
    ray = (pixel - camera[..., :2, 2]) / camera[..., [0, 1], [0, 1]]
    centre = distance[..., None] * np.concatenate([ray, np.ones_like(ray[..., :1])], axis=-1)
    pose = np.zeros((*model.shape, 4, 4))
    pose[..., :3, :3] = draw_rotations(part, rng, model.shape)
    pose[..., :3, 3] = centre - (pose[..., :3, :3] @ models.centre[model][..., None])[..., 0]
    pose[..., 3, 3] = 1
    return pose
