"""From `Scenes` to the records that the ray tracer's kernels read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import InputError
from pose_regressor_training.raytracer.lighting import AMBIENT_FACTORS
from pose_regressor_training.raytracer.structs import THING_DTYPE, VIEW_DTYPE
from pose_regressor_training.scenes import NONE, Scenes, axes_of_plane

#: A corner of a box at a smaller depth counts as beside or behind the camera.
NEAR = 1e-4
#: Bits of `Rendering.covered`.
MAX_THINGS = 31
#: Pixels or faces that one thread works through on a CPU.
RUN = 64
#: A thing is scanned rather than traced if faces ** 0.75 is below this times the pixels of its rectangle. The cost of
#: scanning a face does not depend on the number of faces; that of a ray grows with its fourth root. Measured on spheres
#: of 5 k to 1.3 M triangles.
SCAN_LIMIT = 3.0


@dataclass(frozen=True, eq=False)
class Bounds:
    """Bounds of M meshes, in their own frames.

    corners: (M, 8, 3) of their boxes
    centre: (M, 3) of balls around them
    radius: (M,) of the balls
    faces: (M,) number of faces
    """

    corners: NDArray[np.float64]
    centre: NDArray[np.float64]
    radius: NDArray[np.float64]
    faces: NDArray[np.int64]


def checked(scenes: Scenes, meshes: int, pictures: int) -> None:
    """Raises InputError if the scenes name a mesh or picture that the renderer does not have."""
    places = scenes.mesh.shape[1]
    if places > MAX_THINGS:
        raise InputError(f"scenes: expected at most {MAX_THINGS} things in a scene, got {places}")
    if scenes.mesh.size and not NONE <= scenes.mesh.min() <= scenes.mesh.max() < meshes:
        raise InputError(f"scenes: expected meshes from {NONE} to {meshes - 1}, got {scenes.mesh.max()}")
    used = scenes.mesh != NONE
    for name, asked in (
        ("material", scenes.material["picture"][used]),
        ("ground", scenes.ground["picture"]),
        ("background", scenes.background["picture"]),
    ):
        if asked.size and not NONE <= asked.min() <= asked.max() < pictures:
            raise InputError(f"scenes: {name}: expected pictures from {NONE} to {pictures - 1}, got {asked.max()}")
    if not np.isfinite(scenes.cam_from_obj[used]).all() or not np.isfinite(scenes.camera_matrix).all():
        raise InputError("scenes: expected finite poses and camera matrices")


@dataclass(frozen=True, eq=False)
class Packed:
    """Scenes ready for the kernels.

    things: (B, K) of THING_DTYPE: in each scene first those to find by rays, then those to scan, then empty places
    count: (B,) number of things
    traced: (B,) how many of them to find by rays
    runs: (N, 3) scene, place in `things` and first face of every RUN faces to scan
    """

    things: NDArray[np.void]
    count: NDArray[np.int32]
    traced: NDArray[np.int32]
    runs: NDArray[np.int32]


def pack_things(scenes: Scenes, bounds: Bounds, height: int, width: int, may_scan: bool) -> Packed:
    used = scenes.mesh != NONE
    mesh = np.where(used, scenes.mesh, 0)
    cam_from_obj = np.where(used[..., None, None], scenes.cam_from_obj, np.eye(4))
    linear, shift = cam_from_obj[..., :3, :3], cam_from_obj[..., :3, 3]
    inverse = np.linalg.inv(linear)
    things = np.zeros(mesh.shape, THING_DTYPE)
    things["cam_from_obj"], things["shift"] = linear, shift
    things["obj_from_cam"] = inverse
    things["origin"] = -(inverse @ shift[..., None])[..., 0]
    things["centre"] = (linear @ bounds.centre[mesh][..., None])[..., 0] + shift
    things["radius"] = bounds.radius[mesh] * np.sqrt((linear**2).sum(-2)).max(-1)
    corners = bounds.corners[mesh] @ np.swapaxes(linear, -1, -2) + shift[..., None, :]
    rectangle = _rectangles(corners, scenes.camera_matrix, height, width)
    things["rectangle"] = rectangle
    things["mesh"], things["place"] = mesh, np.arange(mesh.shape[1])
    for name in ("tint", "offset", "picture", "picture_scale", "specular", "roughness"):
        things[name] = scenes.material[name]
    pixels = (rectangle[..., 2:] - rectangle[..., :2] + 1).clip(0).prod(-1)
    scan = used & (corners[..., 2] > NEAR).all(-1) & (bounds.faces[mesh] ** 0.75 < SCAN_LIMIT * pixels) & may_scan
    order = np.argsort(np.where(used, scan, 2), axis=1, kind="stable")
    things, scan, mesh = (np.take_along_axis(array, order, 1) for array in (things, scan, mesh))
    count = used.sum(1).astype(np.int32)
    scene, index = np.nonzero(scan)
    runs = _runs(scene, index, bounds.faces[mesh[scan]])
    return Packed(things, count, count - scan.sum(1).astype(np.int32), runs)


def _runs(scene: NDArray[np.int64], index: NDArray[np.int64], faces: NDArray[np.int64]) -> NDArray[np.int32]:
    """(N, 3), see `Packed`, of things with this many faces."""
    count = -(-faces // RUN)
    first = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return np.stack([np.repeat(scene, count), np.repeat(index, count), RUN * first], 1).astype(np.int32)


def _rectangles(corners: NDArray, camera_matrix: NDArray, height: int, width: int) -> NDArray[np.int32]:
    """(B, K, 4) first and last column and row of boxes (B, K, 8, 3) in the camera frame."""
    depth = corners[..., 2]
    scale = camera_matrix[:, None, None, [0, 1], [0, 1]]
    pixels = corners[..., :2] / depth.clip(NEAR)[..., None] * scale + camera_matrix[:, None, None, :2, 2]
    low, high = pixels.min(2), pixels.max(2)
    box = np.concatenate([np.floor(low), np.ceil(high)], -1)
    box[(depth < NEAR).any(-1)] = (0, 0, width - 1, height - 1)
    box[(depth < NEAR).all(-1)] = (0, 0, -1, -1)
    limit = np.array([width, height, width, height])
    return box.clip(-1, limit).astype(np.int32)


def pack_views(scenes: Scenes, packed: Packed) -> NDArray[np.void]:
    """(B,) of VIEW_DTYPE."""
    views = np.zeros(len(scenes), VIEW_DTYPE)
    views["focal"] = scenes.camera_matrix[:, [0, 1], [0, 1]]
    views["inverse_focal"] = 1 / scenes.camera_matrix[:, [0, 1], [0, 1]]
    views["centre"] = scenes.camera_matrix[:, :2, 2]
    views["things"], views["traced"] = packed.count, packed.traced
    views["shift"] = _hash(scenes)
    black = (scenes.light["color"] == 0).all(-1)
    light = np.take_along_axis(scenes.light, np.argsort(black, axis=1, kind="stable"), 1)
    views["lights"] = (~black).sum(1)
    for name in ("direction", "color", "radius", "shadow"):
        views[f"light_{name}"] = light[name]
    ground = scenes.ground
    views["ground"], views["ground_picture"] = ground["plane"], ground["picture"]
    views["ground_scale"], views["ground_tint"] = ground["picture_scale"], ground["tint"]
    views["ground_x"], views["ground_y"] = axes_of_plane(ground["plane"][:, :3])
    background = scenes.background
    from_pixel = background["from_pixel"]
    views["background_picture"], views["background_tint"] = background["picture"], background["tint"]
    views["background_x"], views["background_y"] = from_pixel[:, 0], from_pixel[:, 1]
    views["background_footprint"] = np.sqrt(np.abs(np.linalg.det(from_pixel[:, :, :2])))
    return views


def pack_ambient(scenes: Scenes) -> NDArray[np.float32]:
    """(B, 9, 3)."""
    return np.ascontiguousarray(scenes.ambient * AMBIENT_FACTORS[:, None], np.float32)


def _hash(scenes: Scenes) -> NDArray[np.float64]:
    """(B,) a number in [0, 1) of what is in a scene, so that its noise does not depend on its place in the batch."""
    words = np.concatenate(
        [np.ascontiguousarray(part).reshape(len(scenes), -1).view(np.uint32)
         for part in (scenes.camera_matrix, scenes.cam_from_obj, scenes.light)], axis=1
    )  # fmt: skip
    odd = np.random.default_rng(1).integers(0, 2**31, words.shape[1], np.uint32) * np.uint32(2) + np.uint32(1)
    return (words * odd).sum(1, dtype=np.uint32) / 2.0**32
