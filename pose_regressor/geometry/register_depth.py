"""Depth that another camera measured, seen from the camera of the image.

Each measured point is a small piece of a plane. It covers the pixels of the image that lie between it and its
neighbours, so that no holes appear where the image has more pixels. At each of these pixels, depth is where the pixel's
ray meets the plane. Where several pieces cover a pixel, the nearest one counts.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pose_regressor.geometry.camera import project_distorted, undistorted
from pose_regressor.geometry.lens_table import LensTable, PinholeLens, focal_length, with_depth
from pose_regressor.types import Camera, FloatArray, InputError

Floats = NDArray[np.float32]
#: Left, top, right, bottom, pixels.
Area = tuple[int, int, int, int]

#: Two neighbours whose depths differ by a larger share belong to different surfaces.
SAME_SURFACE = np.float32(0.05)
#: A measured point covers at most this many pixels of the image to each side.
MOST_COVERED = np.float32(8.0)
#: Covered areas are so much larger than they would have to be, against gaps from rounding.
OVERLAP = np.float32(1.02)
#: Points nearer to the image's camera, in metres along z, are left out.
NEAREST = np.float32(0.01)
#: To find the points that an area of the image shows, every so many along both axes are tried, against an area that is
#: larger by so many pixels to each side: as many as a point may cover, and those between two that are tried.
SAMPLED, BESIDE = 4, 16
#: Rows that are worked on at a time, so that what is computed for them stays in the processor's cache.
BAND = 32
#: OpenCV stops early when it takes a distortion out: so many corrections may follow, up to this error in pixels.
CORRECTIONS, CLOSE = 20, 0.01


class DepthRegistration:
    """Registers the depth images of one camera to the images of another. What depends on the two alone is kept.

    depth_camera: of the depth images. image_camera: of the images. image_shape: (H, W) of these.
    """

    def __init__(self, depth_camera: Camera, image_camera: Camera) -> None:
        self._shape = (depth_camera.height, depth_camera.width)
        self.image_shape = (image_camera.height, image_camera.width)
        rays, image_rays = _rays(depth_camera), _rays(image_camera)
        self._rays = with_depth(rays.reshape(-1, 2)).reshape(*self._shape, 3)
        self._rays_ab = np.ascontiguousarray(np.moveaxis(rays, 2, 0), np.float32)
        self._image_rays = with_depth(image_rays.reshape(-1, 2))
        self._pixels_from_ray = _pixels_from_ray(rays)
        self._lens: PinholeLens | LensTable = (
            LensTable(image_camera) if image_camera.is_distorted else PinholeLens(image_camera)
        )
        self._scale = np.float32(focal_length(image_camera) / focal_length(depth_camera))
        self._place(np.eye(4))

    def __call__(self, depth: Floats, image_from_depth: FloatArray) -> Floats:
        """(H, W) float32 metres along z of the image's camera, in its own pixels; 0 where nothing was measured.

        depth: (h, w) float32 metres along z of the depth camera; 0, NaN and infinite: nothing was measured.
        image_from_depth: (4, 4) rigid transform.

        InputError: `depth` has another size than its camera.
        """
        self._check(depth, image_from_depth)
        return self._registered(depth, slice(0, self._shape[0]), slice(0, self._shape[1]))

    def within(self, depth: Floats, image_from_depth: FloatArray, area: Area) -> Floats:
        """The same, right in an area of the image only: this takes less time.

        area: left, top, right, bottom, pixels; without right and bottom.
        """
        self._check(depth, image_from_depth)
        left, top, right, bottom = area
        seen = self._sampled(depth, (left - BESIDE, top - BESIDE, right + BESIDE, bottom + BESIDE))
        rows, columns = (_around(np.flatnonzero(seen.any(1 - axis)), size) for axis, size in enumerate(self._shape))
        return self._registered(depth, rows, columns)

    def seen_share(self, depth: Floats, image_from_depth: FloatArray) -> float:
        """About which share of a depth image is measured and seen in the image."""
        self._check(depth, image_from_depth)
        return float(self._sampled(depth, (0, 0, self.image_shape[1], self.image_shape[0])).mean())

    def _check(self, depth: Floats, image_from_depth: FloatArray) -> None:
        if depth.shape != self._shape:
            got = f"got {depth.shape[1]}x{depth.shape[0]}, expected {self._shape[1]}x{self._shape[0]}"
            raise InputError("depth: size differs from its camera info", got)
        if not np.array_equal(image_from_depth, self._image_from_depth):
            self._place(image_from_depth)

    def _sampled(self, depth: Floats, area: Area) -> NDArray[np.bool_]:
        """Which of every SAMPLED-th point, along both axes, lie in an area of the image."""
        metres = depth[::SAMPLED, ::SAMPLED]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            x, y, z = (
                metres * axis[::SAMPLED, ::SAMPLED] + shift
                for axis, shift in zip(self._turned, self._shift, strict=True)
            )
            column, row = self._lens.project(x, y, np.maximum(z, NEAREST))
            left, top, right, bottom = area
            inside = (column > left - 0.5) & (column < right - 0.5) & (row > top - 0.5) & (row < bottom - 0.5)
            return inside & (metres > 0) & (metres < np.inf) & (z > NEAREST)

    def _registered(self, depth: Floats, rows: slice, columns: slice) -> Floats:
        """What a part of the depth image shows, in the image's pixels."""
        nearest = np.full(self.image_shape[0] * self.image_shape[1], np.inf, np.float32)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            for top in range(rows.start, rows.stop, BAND):
                for pixels, z in self._band(depth, slice(top, min(top + BAND, rows.stop)), columns):
                    np.minimum.at(nearest, pixels, z)
        nearest[nearest == np.inf] = 0
        return nearest.reshape(self.image_shape)

    def _place(self, image_from_depth: FloatArray) -> None:
        """Works out what depends on the transform."""
        rotation, shift = image_from_depth[:3, :3], image_from_depth[:3, 3]
        self._image_from_depth = image_from_depth.copy()
        self._turned = np.ascontiguousarray(np.moveaxis(self._rays @ rotation.T, 2, 0), np.float32)
        self._shift, self._turned_shift = shift.astype(np.float32), (rotation.T @ shift).astype(np.float32)
        self._turned_image_rays = np.ascontiguousarray((self._image_rays @ rotation).T, np.float32)

    def _band(self, depth: Floats, rows: slice, columns: slice) -> Iterator[tuple[NDArray[np.int64], Floats]]:
        """Pixels of the image and their depths, from these rows and columns of the depth image."""
        part, own = zip(*(_with_neighbours(*of) for of in zip((rows, columns), self._shape, strict=True)), strict=True)
        measured = (depth[part] > 0) & (depth[part] < np.inf)
        metres = np.where(measured, depth[part], np.float32(1))
        inverse = np.where(measured, 1 / metres, np.float32(0))
        px, py, pz = (metres * axis[part] + shift for axis, shift in zip(self._turned, self._shift, strict=True))
        x, y = self._lens.project(px, py, np.maximum(pz, NEAREST))
        by_u, *steps_u = _differences(inverse, x, y, 1)
        by_v, *steps_v = _differences(inverse, x, y, 0)
        # Also a point without neighbours covers what it would cover on a surface that faces the depth camera.
        least = self._scale * metres / np.maximum(pz, NEAREST)
        wide, high = (
            np.minimum(np.maximum(u + v, least) * (OVERLAP / 2), MOST_COVERED)[own]
            for u, v in zip(steps_u, steps_v, strict=True)
        )
        plane = self._planes(part, inverse, by_u, by_v)
        usable = measured & (pz > NEAREST)
        for pixels, covering in self._covered(x[own], y[own], wide, high, usable[own]):
            yield pixels, self._met(pixels, [values[own].reshape(-1)[covering] for values in (*plane, pz)])

    def _planes(self, part: tuple[slice, ...], inverse: Floats, by_u: Floats, by_v: Floats) -> list[Floats]:
        """Four numbers n and c of each point: its plane is n . p = c, with p from the image's camera along the depth
        camera's axes.

        From the depth camera a plane is n . p = 1. Its inverse depth is n . (a, b, 1) with a = x / z and b = y / z, so
        the derivatives by a and b are the first two numbers of n.
        """
        u_a, u_b, v_a, v_b = (values[part] for values in self._pixels_from_ray)
        a, b = by_u * u_a + by_v * v_a, by_u * u_b + by_v * v_b
        rest = inverse - a * self._rays_ab[0][part] - b * self._rays_ab[1][part]
        tx, ty, tz = self._turned_shift
        return [a, b, rest, 1 + a * tx + b * ty + rest * tz]

    def _covered(
        self, x: Floats, y: Floats, wide: Floats, high: Floats, usable: NDArray[np.bool_]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Numbers of pixels of the image, and of the points that cover them, each point at most once at a time.

        x, y: where the points are in the image; wide, high: how far each covers it to both sides; pixels.
        """
        height, width = self.image_shape
        left, top = np.maximum(np.ceil(x - wide), 0), np.maximum(np.ceil(y - high), 0)
        columns = np.minimum(np.floor(x + wide), width - 1) - left
        rows = np.minimum(np.floor(y + high), height - 1) - top
        columns = np.where(usable & (columns >= 0) & (rows >= 0), columns, np.float32(-1))  # also where x or y is NaN
        corner = top.astype(np.int64) * width + left.astype(np.int64)
        for row in range(int(np.max(rows, where=columns >= 0, initial=-1)) + 1):
            for column in range(int(columns.max(initial=-1)) + 1):
                covering = np.flatnonzero((rows >= row) & (columns >= column))
                yield corner.reshape(-1)[covering] + (row * width + column), covering

    def _met(self, pixels: NDArray[np.int64], points: list[Floats]) -> Floats:
        """Depth at which the rays of pixels meet the planes of points: four numbers of each, and its own depth."""
        x, y, z, c, near = points
        ray_x, ray_y, ray_z = (axis[pixels] for axis in self._turned_image_rays)
        met = c / (x * ray_x + y * ray_y + z * ray_z)
        # Where the ray runs along the plane, the point's own depth is better.
        return np.where(np.abs(met - near) <= SAME_SURFACE * near, met, near)


def register_depth(depth: Floats, depth_camera: Camera, image_camera: Camera, image_from_depth: FloatArray) -> Floats:
    """One depth image in the image's own pixels; arguments as for `DepthRegistration`, which is faster for many."""
    return DepthRegistration(depth_camera, image_camera)(depth, image_from_depth)


def _differences(inverse: Floats, x: Floats, y: Floats, axis: int) -> tuple[Floats, Floats, Floats]:
    """From each pixel to its neighbours along an axis: the derivative of the inverse depth, and the largest steps in x
    and in y. Only neighbours on the same surface count. 0 without any.

    All (h, w). inverse: inverse depth, 0 where nothing was measured; x, y: where the points are in the image, pixels.
    """
    height, width = inverse.shape
    before, behind, inner = _part(axis, None, -1), _part(axis, 1, None), _part(axis, 1, -1)
    # One more than there are pixels: what lies before the first and behind the last stays 0.
    shape = (height, width + 1) if axis else (height + 1, width)
    joined, step, *ways = (np.zeros(shape, np.float32) for _ in range(4))
    np.subtract(inverse[behind], inverse[before], out=step[inner])
    joined[inner] = np.abs(step[inner]) <= SAME_SURFACE * np.minimum(inverse[behind], inverse[before])
    step *= joined
    slope = (step[before] + step[behind]) / np.maximum(joined[before] + joined[behind], 1)
    for way, places in zip(ways, (x, y), strict=True):
        np.abs(places[behind] - places[before], out=way[inner])
        way *= joined
    return slope, *(np.maximum(way[before], way[behind]) for way in ways)


def _part(axis: int, start: int | None, stop: int | None) -> tuple[slice, ...]:
    """What takes so much of an array along an axis."""
    return (slice(None), slice(start, stop)) if axis else (slice(start, stop),)


def _around(hits: NDArray[np.int64], size: int) -> slice:
    """The rows or columns around those of the samples that hit, with one more sample to each side."""
    if not len(hits):
        return slice(0, 0)
    return slice(max(SAMPLED * (int(hits[0]) - 2), 0), min(SAMPLED * (int(hits[-1]) + 3), size))


def _with_neighbours(own: slice, size: int) -> tuple[slice, slice]:
    """The part with one more at both ends, where there is one; and where `own` lies in it."""
    first, last = max(own.start - 1, 0), min(own.stop + 1, size)
    return slice(first, last), slice(own.start - first, own.stop - first)


def _rays(camera: Camera) -> FloatArray:
    """(H, W, 2) x / z and y / z of each pixel."""
    x, y = np.meshgrid(np.arange(camera.width, dtype=np.float64), np.arange(camera.height, dtype=np.float64))
    pixels = np.stack([x, y], axis=-1).reshape(-1, 2)
    rays = undistorted(pixels, camera)
    if camera.is_distorted and not camera.is_fisheye:
        to_ray = np.linalg.inv(camera.matrix[:2, :2]).T
        for _ in range(CORRECTIONS):
            missed = pixels - project_distorted(with_depth(rays), camera)
            if np.abs(missed).max() < CLOSE:
                break
            rays = rays + missed @ to_ray
    return rays.reshape(camera.height, camera.width, 2)


def _pixels_from_ray(rays: FloatArray) -> list[Floats]:
    """Derivatives du/da, du/db, dv/da, dv/db, each (h, w): u, v pixels, a, b = x / z, y / z."""
    if min(rays.shape[:2]) < 2:
        return [np.zeros(rays.shape[:2], np.float32)] * 4
    by_v, by_u = (np.asarray(np.gradient(rays, axis=axis)) for axis in (0, 1))
    (a_u, b_u), (a_v, b_v) = np.moveaxis(by_u, 2, 0), np.moveaxis(by_v, 2, 0)
    with np.errstate(divide="ignore", invalid="ignore"):  # beyond a fisheye's largest angle all rays are the same
        determinant = a_u * b_v - a_v * b_u
        return [(value / determinant).astype(np.float32) for value in (b_v, -a_v, -b_u, a_u)]
