"""Things at rest on a plane: they lie on a side that has their centre of mass above it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from pose_regressor.types import FloatArray
from pose_regressor_training.randomize.pose import looking_from
from pose_regressor_training.scenes import NONE

#: Sides kept of each thing: the most likely ones.
SIDES = 32


class Solids:
    """M things that can lie on a plane.

    things: (P, 3) points of the surface of each; their mean stands for the centre of mass
    """

    def __init__(self, things: Sequence[NDArray]) -> None:
        hulls = [ConvexHull(np.asarray(points, np.float64)) for points in things]
        self._centre = np.stack([hull.points.mean(0) for hull in hulls])
        most = max(len(hull.vertices) for hull in hulls)
        self._hull = np.stack([hull.points[np.resize(hull.vertices, most)] for hull in hulls])
        sides = [_stable(hull) for hull in hulls]
        self._normal = np.stack([normal for normal, _ in sides])
        self._likelihood = np.stack([np.cumsum(share) / share.sum() for _, share in sides])

    def at_rest(
        self, rng: np.random.Generator, mesh: NDArray[np.int32], pose: FloatArray, plane: NDArray
    ) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Poses of things that lie on planes below the places where they were.

        mesh: (B, K) which thing, or NONE
        pose: (B, K, 4, 4) cam_from_thing; a scale along the thing's axes is kept
        plane: (B, 4) unit normal and offset, as in GROUND

        Returns the new poses, and (B, K) which things touch none of those before them and keep away from the camera.
        """
        up, offset = plane[:, None, :3].astype(np.float64), plane[:, None, 3].astype(np.float64)
        there = mesh != NONE
        thing = np.where(there, mesh, 0)
        scale = np.linalg.norm(pose[..., :3, :3], axis=-2)
        scale = np.where(there[..., None], scale, 1)
        centre = (pose[..., :3, :3] @ self._centre[thing][..., None])[..., 0] + pose[..., :3, 3]
        linear = self._turned(rng, thing, up, scale) * scale[..., None, :]
        around = (self._hull[thing] - self._centre[thing][..., None, :]) @ np.swapaxes(linear, -1, -2)
        height = (around @ up[..., None])[..., 0]
        centre = centre - ((centre * up).sum(-1) + offset + height.min(-1))[..., None] * up
        reach = np.linalg.norm(around - height[..., None] * up[..., None, :], axis=-1).max(-1)
        lying = np.zeros_like(pose)
        lying[..., :3, :3], lying[..., 3, 3] = linear, 1
        lying[..., :3, 3] = centre - (linear @ self._centre[thing][..., None])[..., 0]
        free = there & ((around[..., 2].min(-1) + centre[..., 2]) > 0.1 * centre[..., 2])
        for place in range(1, mesh.shape[1]):
            aside = centre[:, place, None] - centre[:, :place]
            aside = aside - (aside * up).sum(-1, keepdims=True) * up
            gap = np.linalg.norm(aside, axis=-1) - reach[:, place, None] - reach[:, :place]
            free[:, place] &= (gap > 0).all(1, where=free[:, :place])
        return lying, free

    def _turned(
        self, rng: np.random.Generator, thing: NDArray[np.integer], up: FloatArray, scale: FloatArray
    ) -> FloatArray:
        """(B, K, 3, 3) rotations that put a stable side of each thing on planes with unit normals `up` (B, 1, 3)."""
        side = (rng.random((*thing.shape, 1)) > self._likelihood[thing]).sum(-1).clip(0, SIDES - 1)
        down = self._normal[thing, side] / scale
        down /= np.linalg.norm(down, axis=-1, keepdims=True)
        turn = rng.uniform(0, 2 * np.pi, thing.shape)
        plane_from_cam = _standing(up, np.zeros(up.shape[:-1]))
        return np.asarray(np.swapaxes(plane_from_cam, -1, -2) @ _standing(-down, turn))


def _standing(up: FloatArray, turn: FloatArray) -> FloatArray:
    """(..., 3, 3) rotations that take the unit vectors `up` (..., 3) to +z, and turn by `turn` radians about it."""
    azimuth, elevation = np.arctan2(up[..., 1], up[..., 0]), np.arcsin(up[..., 2].clip(-1, 1))
    # A level camera in the direction of `up` looks against it: its -z is `up`.
    level = looking_from(azimuth, elevation) * np.array([1.0, -1.0, -1.0])[:, None]
    spin = np.zeros_like(level)
    spin[..., 0, 0] = spin[..., 1, 1] = np.cos(turn)
    spin[..., 1, 0] = np.sin(turn)
    spin[..., 0, 1] = -spin[..., 1, 0]
    spin[..., 2, 2] = 1
    return spin @ level


def _stable(hull: ConvexHull) -> tuple[FloatArray, FloatArray]:
    """Sides on which a thing can lie: the triangles of the hull that have the centre of mass straight above them.

    Returns their outward normals (SIDES, 3) and how likely each is (SIDES,), not normalised: the lower the centre of
    mass, the likelier. Missing sides have a likelihood of 0.
    """
    centre = hull.points.mean(0)
    normal = hull.equations[:, :3]
    height = -(normal @ centre + hull.equations[:, 3])
    foot = centre + height[:, None] * normal
    corners = hull.points[hull.simplices]
    edges = np.roll(corners, -1, 1) - corners
    # The hull's triangles may have either orientation: the foot is inside if it is on one side of all three edges.
    side = np.einsum("fci,fi->fc", np.cross(edges, foot[:, None] - corners), normal)
    stable = (side >= 0).all(1) | (side <= 0).all(1)
    best = np.flatnonzero(stable)[np.argsort(height[stable])][:SIDES]
    share, normals = np.zeros(SIDES), np.zeros((SIDES, 3))
    share[: len(best)], normals[: len(best)] = height[best] ** -2.0, normal[best]
    return normals, share
