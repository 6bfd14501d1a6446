"""Meshes of simple shapes: vertices (V, 3) in metres and faces, counter-clockwise from outside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pose_regressor.types import FloatArray

Faces = list[list[int]]


@dataclass(frozen=True)
class Capsules:
    """Round-ended rods.

    rods: (from, to, radius) of each, metres
    melt: whether they flow together into one skin
    """

    rods: tuple[tuple[tuple[float, float, float], tuple[float, float, float], float], ...]
    melt: bool = False


def cuboid(size: tuple[float, float, float]) -> tuple[FloatArray, Faces]:
    """A cuboid around the origin."""
    corners = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)]) * size
    faces = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    return corners, faces


def turned(profile: FloatArray, segments: int = 48) -> tuple[FloatArray, Faces]:
    """A profile (P, 2) of (radius, z) turned about z; both of its ends lie on the axis."""
    angles = np.arange(segments) * (2 * np.pi / segments)
    ring = np.stack([np.cos(angles), np.sin(angles)], 1)
    bottom, top = [0.0, 0.0, profile[0, 1]], [0.0, 0.0, profile[-1, 1]]
    rings = [np.column_stack([radius * ring, np.full(segments, z)]) for radius, z in profile[1:-1]]
    vertices = np.vstack([[bottom], *rings, [top]])
    faces = []
    for k in range(segments):
        after = (k + 1) % segments
        faces.append([0, 1 + after, 1 + k])
        for level in range(len(rings) - 1):
            low, high = 1 + level * segments, 1 + (level + 1) * segments
            faces.append([low + k, low + after, high + after, high + k])
        low = 1 + (len(rings) - 1) * segments
        faces.append([low + k, low + after, len(vertices) - 1])
    return vertices, faces


def capsules(shape: Capsules) -> tuple[FloatArray, Faces]:
    """The rods' meshes side by side. They overlap where the rods do."""
    parts, faces, count = [], [], 0
    for start, end, radius in shape.rods:
        axis = np.subtract(end, start)
        length = float(np.linalg.norm(axis))
        bend = np.linspace(-np.pi / 2, np.pi / 2, 18)
        shift = np.where(bend > 0, length, 0.0)
        vertices, own = turned(np.column_stack([radius * np.cos(bend), radius * np.sin(bend) + shift]), 24)
        parts.append(vertices @ _frame_along(axis / length) + start)
        faces += [[count + index for index in face] for face in own]
        count += len(vertices)
    return np.vstack(parts), faces


def _frame_along(axis: FloatArray) -> FloatArray:
    """(3, 3) whose rows are a right-handed frame with the unit vector `axis` last."""
    side = np.cross(axis, np.eye(3)[np.argmin(np.abs(axis))])
    side /= np.linalg.norm(side)
    return np.stack([side, np.cross(axis, side), axis])
