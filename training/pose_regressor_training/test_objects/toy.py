"""The test object `toy`: a small dinosaur with a scarf, 111 × 85 × 45 mm, in many shades.

Object frame: origin in the middle of its bounding box, x towards the head, y up, z towards a viewer who sees it walk to
    the right. It looks at its viewer, wags its tail away from him, and has spots on one flank and stripes on the other:
    neither shape nor colour has a symmetry.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pose_regressor.types import FloatArray
from pose_regressor_training.test_objects.paint import write_painted
from pose_regressor_training.test_objects.skin import Coat, Color, Field, skin
from pose_regressor_training.test_objects.solids import (
    ball,
    chain,
    common,
    ellipsoid,
    half_space,
    ring,
    rising,
    rod,
    union,
)

_METRES = 0.00075  # of one unit of the drawing below
_CELL = 3.0

CREAM: Color = (246, 226, 170)
TEAL: Color = (8, 122, 118)
PLUM: Color = (122, 40, 120)
LILAC: Color = (196, 120, 200)
NAVY: Color = (20, 42, 96)
BLUE: Color = (60, 120, 200)
RED: Color = (206, 32, 34)
DARK_RED: Color = (128, 12, 24)
WHITE: Color = (244, 244, 240)
BLACK: Color = (18, 18, 22)
PINK: Color = (238, 130, 140)
BROWN: Color = (112, 66, 34)
SAND: Color = (190, 140, 84)
ORANGE: Color = (240, 122, 20)
YELLOW: Color = (250, 208, 40)
GREEN: Color = (110, 170, 40)

_NECK = ((20, 50, 0), (36, 74, 3), (43, 94, 7))
_TAIL = ((-24, 46, 0), (-47, 36, -4), (-62, 31, -14), (-71, 34, -27))
_HEAD, _HEAD_RADII = (52, 99, 11), (16, 12.5, 13)
_EYES = ((57, 105, 22), (62, 105, 3))
_LEGS = ((-18, 13), (-17, -13), (17, 13), (18, -13))
#: Foot and tip of the spikes along the spine, and their colours from foot to tip.
_SPIKES: tuple[tuple[tuple[float, float, float], tuple[float, float, float], Color, Color], ...] = (
    ((-47, 40, -4), (-52, 54, -5), NAVY, BLUE),
    ((-27, 56, -1), (-33, 77, -1), PLUM, LILAC),
    ((-8, 62, 0), (-11, 89, 0), DARK_RED, ORANGE),
    ((11, 62, 0), (10, 85, 0), ORANGE, YELLOW),
    ((36, 94, 6), (25, 110, 4), GREEN, YELLOW),
)
_KNOT = (40, 68, 11.5)
_SCARF = union(
    ring((33.5, 69.5, 2.6), (16, 24, 3), 9.5, 3.6, 5.2),
    chain((_KNOT, (45, 57, 20), (43, 42, 25)), (4.5, 4.0, 5.0)),
    melt=2,
)  # fmt: skip


def make_toy(folder: str | Path) -> Path:
    """Write ``toy.obj`` (metres), ``.mtl`` and ``.png`` to `folder`, made if missing; returns the mesh's path.
    OSError if the folder cannot be written.
    """
    coats = _coats()
    painted = skin(_shape(), coats, np.array([-82.0, -4, -38]), np.array([76.0, 120, 34]), _CELL)
    return write_painted(folder, "toy", painted, [coat.colors for coat in coats], _METRES)


def _shape() -> Field:
    body = union(ellipsoid((0, 45, 0), (33, 22, 19.5)), chain(_NECK, (12, 8.5, 8)), chain(_TAIL, (14, 9, 5.5, 3.4)),
                 melt=8)  # fmt: skip
    head = union(ellipsoid(_HEAD, _HEAD_RADII), ellipsoid((64, 94, 14), (10, 7.5, 9)), melt=6)
    legs = [rod((x, 36, 0.9 * z), (1.08 * x, 7, 1.12 * z), 9, 9.5) for x, z in _LEGS]
    spikes = [_spike(foot, tip) for foot, tip, *_ in _SPIKES]
    eyes = [ball(eye, 4.6) for eye in _EYES]
    whole = union(union(body, head, melt=5), *legs, melt=6)
    return common(union(whole, *spikes, *eyes, _SCARF, melt=1.5), half_space((0, 0, 0), (0, -1, 0)), melt=1.5)


def _spike(foot: Sequence[float], tip: Sequence[float]) -> Field:
    return rod(foot, tip, 8.0, 3.2)


def _coats() -> list[Coat]:
    """From the bottom coat to the top one."""
    coats = [
        Coat(_everywhere, CREAM, TEAL, rising((0, 26, 0), (0, 66, 0))),
        Coat(rod(_TAIL[2], _TAIL[3], 7, 7), PLUM, PINK, rising(_TAIL[2], _TAIL[3])),
    ]
    for x, y, radius in ((-14, 52, 7.5), (2, 41, 6), (-27, 43, 5), (17, 54, 5.5), (-9, 33, 3.6)):
        coats.append(Coat(ball((x, y, 18), radius), PLUM, LILAC, rising((0, y - 7, 0), (0, y + 7, 0))))
    for x, width in ((-26, 3), (-13, 4), (2, 4), (16, 3)):
        band = common(half_space((x + width, 0, 0), (1, 0.25, 0)), half_space((x - width, 0, 0), (-1, -0.25, 0)),
                      half_space((0, 0, -5), (0, 0, 1)), half_space((0, 30, 0), (0, -1, 0)))  # fmt: skip
        coats.append(Coat(band, NAVY, BLUE, rising((0, 30, 0), (0, 66, 0))))
    coats.append(Coat(half_space((0, 7, 0), (0, 1, 0)), BROWN, SAND, rising((-24, 0, 0), (24, 0, 0))))
    for foot, tip, low, high in _SPIKES:
        middle = np.add(foot, 0.25 * np.subtract(tip, foot))
        painted = common(rod(foot, tip, 11, 5), half_space(middle, np.subtract(foot, tip)))
        coats.append(Coat(painted, low, high, rising(foot, tip)))
    scarf = _grown(_SCARF, 1.2)
    coats.append(Coat(scarf, DARK_RED, RED, rising((0, 36, 0), (0, 70, 0))))
    for height in (43, 51):
        stripe = common(scarf, half_space((0, height + 2, 0), (0, 1, 0)), half_space((0, height - 2, 0), (0, -1, 0)))
        coats.append(Coat(stripe, WHITE, YELLOW, rising((0, 40, 0), (0, 55, 0))))
    coats.append(Coat(ball((58, 92, 25), 5), PINK, RED, rising((50, 0, 0), (70, 0, 0))))
    coats.append(Coat(ball((68, 91, 5), 4), PINK, RED, rising((50, 0, 0), (80, 0, 0))))
    coats.append(Coat(ball((74, 97, 18), 3.2), NAVY, BLACK, rising((70, 0, 0), (80, 0, 0))))
    for eye, look in zip(_EYES, ((3.0, 0.8, 4.2), (4.4, 0.8, -1.5)), strict=True):
        coats.append(Coat(ball(eye, 5.4), WHITE, WHITE, _everywhere))
        coats.append(Coat(ball(np.add(eye, look), 3.4), BLACK, BLACK, _everywhere))
    return coats


def _everywhere(points: FloatArray) -> FloatArray:
    return np.full(len(points), -np.inf)


def _grown(field: Field, by: float) -> Field:
    return lambda points: field(points) - by
