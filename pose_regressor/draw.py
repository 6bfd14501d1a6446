"""Draw poses on images: axes, box edges, a tint over the object, a line of text. And contact sheets of images.

Lines and points are cut off in 3D before they are projected, in front of the camera and at the edge of its view: a
distortion polynomial would fold far-off points back into the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.geometry.camera import project_distorted, undistorted
from pose_regressor.geometry.rigid import apply
from pose_regressor.types import Camera, FloatArray, ObjectModel, PoseEstimate

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]

AXIS_COLOURS: tuple[Colour, ...] = ((230, 40, 40), (40, 200, 40), (60, 90, 255))  # x, y, z
BOX_COLOUR: Colour = (255, 200, 0)
TRUTH_COLOUR: Colour = (255, 255, 255)
TINT = np.array(BOX_COLOUR) * 0.3
#: Corners of the box are numbered in binary, x fastest; an edge joins two that differ in one bit.
EDGES = [(a, b) for a in range(8) for b in range(8) if a < b and (a ^ b).bit_count() == 1]
#: Pieces an edge is drawn in, so that it bends as the lens bends it.
PIECES = 8
#: Least depth that is drawn, metres.
NEAR = 0.01
SUBPIXEL_BITS = 4
#: Largest coordinate that is drawn, pixels: OpenCV draws with 32-bit integers.
FAR_OFF = 1e6


def draw_poses(
    image: Image,
    camera: Camera,
    estimates: Sequence[PoseEstimate],
    truth: Sequence[tuple[ObjectModel, FloatArray]] = (),
) -> Image:
    """A copy of the image with every estimate drawn on it, and true poses as thin boxes.

    image: (H, W, 3) uint8 RGB
    truth: objects and their true cam_from_obj (4, 4)
    """
    canvas = image.copy()
    for model, cam_from_obj in truth:
        draw_box(canvas, camera, model, cam_from_obj)
    # The nearest last, on top of the others.
    for estimate in sorted(estimates, key=lambda estimate: -float(estimate.translation[2])):
        distance = float(np.linalg.norm(estimate.translation))
        label = f"{estimate.model.name} {estimate.score:.2f} {distance:.2f} m"
        draw_pose(canvas, camera, estimate.model, estimate.cam_from_obj, label)
    return canvas


def draw_pose(canvas: Image, camera: Camera, model: ObjectModel, cam_from_obj: FloatArray, label: str) -> None:
    """Draw an object on the canvas itself: tinted, with its box and axes, and `label` above it."""
    view = _View(camera)
    width = max(1, round(camera.height / 300))
    _tint(canvas, view, apply(cam_from_obj, model.points))
    corners = _box_corners(model, cam_from_obj)
    _draw_edges(canvas, view, corners, BOX_COLOUR, width)
    tips = apply(cam_from_obj, np.eye(3) * model.diameter / 2)
    for tip, colour in zip(tips, AXIS_COLOURS, strict=True):
        view.line(canvas, cam_from_obj[:3, 3], tip, colour, width + 1)
    # Above the box, where the label hides nothing of the object.
    pixels = view.project(corners)
    pixels = pixels[np.isfinite(pixels).all(axis=1)]
    draw_text(canvas, label, pixels.min(axis=0) - np.array([0.0, 8.0]) if len(pixels) else None)


def draw_box(
    canvas: Image, camera: Camera, model: ObjectModel, cam_from_obj: FloatArray, colour: Colour = TRUTH_COLOUR
) -> None:
    """Draw the thin box of a pose on the canvas itself; the default colour is that of true poses."""
    _draw_edges(canvas, _View(camera), _box_corners(model, cam_from_obj), colour, 1)


def draw_text(canvas: Image, text: str, at: FloatArray | None = None) -> None:
    """Draw outlined text, kept inside the image. at: (2,) its lower left corner, pixels; None: at the upper left."""
    scale = max(0.4, canvas.shape[0] / 900)
    (width, height), baseline = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    wanted = (6.0, 0.0) if at is None else at
    x = int(np.clip(wanted[0], 2, max(2, canvas.shape[1] - width - 2)))
    y = int(np.clip(wanted[1], height + 4, max(height + 4, canvas.shape[0] - baseline - 2)))
    for colour, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(canvas, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thickness, cv2.LINE_AA)


def contact_sheet(images: Sequence[Image], columns: int = 4, width: int = 320) -> Image:
    """The images side by side in rows of `columns`, each scaled to `width` pixels; empty places are grey."""
    if not images:
        raise ValueError("contact_sheet: expected at least one image")
    height = round(width * images[0].shape[0] / images[0].shape[1])
    cells = [np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)) for image in images]
    columns = min(columns, len(cells))
    cells += [np.full((height, width, 3), 64, np.uint8)] * (-len(cells) % columns)
    rows = [np.hstack(cells[start : start + columns]) for start in range(0, len(cells), columns)]
    return np.asarray(np.vstack(rows), dtype=np.uint8)


class _View:
    """Projection into one camera; leaves out what the camera cannot see."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        right, bottom = camera.width - 1, camera.height - 1
        corners = np.array([[0, 0], [right, 0], [0, bottom], [right, bottom]], dtype=np.float64)
        rays = undistorted(corners, camera)
        # tan of the angle to the optical axis, with a margin so that lines leave the image before they end.
        self._limit = 1.2 * float(np.linalg.norm(rays, axis=-1).max())

    def project(self, points: FloatArray) -> FloatArray:
        """(N, 3) in the camera's frame -> (N, 2) pixels; NaN for points that the camera does not see."""
        pixels = np.full((len(points), 2), np.nan)
        depth = points[:, 2]
        seen = depth >= NEAR
        seen[seen] &= np.linalg.norm(points[seen, :2], axis=1) <= self._limit * depth[seen]
        if seen.any():
            pixels[seen] = np.clip(project_distorted(points[seen], self._camera), -FAR_OFF, FAR_OFF)
        return pixels

    def line(self, canvas: Image, start: FloatArray, end: FloatArray, colour: Colour, thickness: int) -> None:
        """Draw the part in view of the straight line in space from `start` to `end`, (3,) in the camera's frame."""
        steps = np.linspace(0.0, 1.0, PIECES + 1)[:, None]
        pixels = self.project(start + (end - start) * steps)
        for a, b in pairwise(pixels):
            if np.isfinite(a).all() and np.isfinite(b).all():
                (xa, ya), (xb, yb) = np.rint(np.stack([a, b]) * 2**SUBPIXEL_BITS).astype(int).tolist()
                cv2.line(canvas, (xa, ya), (xb, yb), colour, thickness, cv2.LINE_AA, SUBPIXEL_BITS)


def _box_corners(model: ObjectModel, cam_from_obj: FloatArray) -> FloatArray:
    low, high = model.bounds
    corners = np.array([[(high if i >> axis & 1 else low)[axis] for axis in range(3)] for i in range(8)])
    return apply(cam_from_obj, corners)


def _draw_edges(canvas: Image, view: _View, corners: FloatArray, colour: Colour, thickness: int) -> None:
    for a, b in EDGES:
        view.line(canvas, corners[a], corners[b], colour, thickness)


def _tint(canvas: Image, view: _View, points: FloatArray) -> None:
    """Tint about the object's silhouette: the pixels of its points (P, 3), camera frame, and the gaps between them."""
    pixels = view.project(points)
    pixels = np.rint(pixels[np.isfinite(pixels).all(axis=1)]).astype(int)
    inside = ((pixels >= 0) & (pixels < (canvas.shape[1], canvas.shape[0]))).all(axis=1)
    if not inside.any():
        return
    pixels = pixels[inside]
    (left, top), (right, bottom) = pixels.min(axis=0), pixels.max(axis=0) + 1
    mask = np.zeros((bottom - top, right - left), np.uint8)
    mask[pixels[:, 1] - top, pixels[:, 0] - left] = 1
    # Closes gaps as wide as the average distance between points.
    size = 1 + 2 * round(np.sqrt(mask.size / len(pixels)))
    mask = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((size, size), np.uint8)))
    patch = canvas[top:bottom, left:right]
    patch[mask > 0] = (patch[mask > 0] * 0.7 + TINT).astype(np.uint8)
