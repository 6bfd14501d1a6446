"""The test object `symmetric`: a turned and painted bottle, 128 mm high, 58 mm wide.

Object frame: origin in the middle of its bounding box, y up the axis. It looks the same after any turn about that axis,
    and different upside down.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.interpolate import PchipInterpolator

from pose_regressor.types import FloatArray
from pose_regressor_training.test_objects.paint import write_painted
from pose_regressor_training.test_objects.skin import Color, Skin

_SEGMENTS = 64
_STEP = 2.8  # mm, largest distance between two rings of vertices

#: (height, radius) in mm along the outside. A ledge has one height twice.
_SIDE = (
    (0, 20), (2, 24), (6, 26.5), (22, 28.5), (40, 29), (56, 27), (68, 21.5), (78, 15), (84, 12.4), (92, 11.2),
    (100, 11), (103, 11.6), (103, 14), (106, 15), (114, 15), (122, 14.2), (126, 12), (128, 8),
)  # fmt: skip

#: Upper edge in mm, colour at the lower and at the upper edge.
_BANDS: tuple[tuple[float, Color, Color], ...] = (
    (6, (70, 40, 24), (112, 66, 34)),
    (18, (12, 60, 110), (30, 110, 170)),
    (22, (244, 240, 228), (244, 240, 228)),
    (33, (196, 36, 34), (228, 76, 40)),
    (36, (250, 208, 60), (250, 208, 60)),
    (50, (10, 112, 104), (60, 170, 140)),
    (53, (28, 30, 40), (28, 30, 40)),
    (60, (244, 240, 228), (246, 214, 150)),
    (78, (128, 44, 122), (206, 120, 190)),
    (82, (250, 208, 60), (250, 208, 60)),
    (103, (40, 60, 130), (130, 170, 220)),
    (109, (220, 110, 24), (240, 150, 40)),
    (114, (28, 30, 40), (28, 30, 40)),
    (128, (200, 40, 36), (244, 120, 90)),
)


def make_symmetric(folder: str | Path) -> Path:
    """Write ``symmetric.obj`` (metres), ``.mtl`` and ``.png`` to `folder`, made if missing; returns the mesh's path.
    OSError if the folder cannot be written.
    """
    height, radius = _profile()
    angle = np.arange(_SEGMENTS) * (2 * np.pi / _SEGMENTS)
    around = np.stack([np.cos(angle), np.zeros(_SEGMENTS), -np.sin(angle)], 1)
    rings = radius[:, None, None] * around + height[:, None, None] * np.array([0.0, 1, 0])
    vertices = np.concatenate([rings.reshape(-1, 3), [[0, 0, 0], [0, height[-1], 0]]])
    here, after = np.arange(_SEGMENTS), np.roll(np.arange(_SEGMENTS), -1)
    low = _SEGMENTS * np.arange(len(height) - 1)[:, None]
    high = low + _SEGMENTS
    side = np.concatenate([np.stack(np.broadcast_arrays(low + here, low + after, high + after), -1),
                           np.stack(np.broadcast_arrays(low + here, high + after, high + here), -1)], 1)  # fmt: skip
    last, count = _SEGMENTS * (len(height) - 1), len(vertices)
    bottom = np.stack([np.full(_SEGMENTS, count - 2), after, here], 1)
    top = np.stack([np.full(_SEGMENTS, count - 1), last + here, last + after], 1)
    faces = np.concatenate([bottom, side.reshape(-1, 3), top])
    edges = np.array([0.0, *(upper for upper, *_ in _BANDS)])
    levels = vertices[faces, 1]
    coat = np.searchsorted(edges, levels.mean(1)).clip(1, len(_BANDS)) - 1
    shade = (levels - edges[coat][:, None]) / np.diff(edges)[coat][:, None]
    skin = Skin(vertices, faces, coat, shade.clip(0, 1))
    return write_painted(folder, "symmetric", skin, [(lower, upper) for _, lower, upper in _BANDS], 1e-3)


def _profile() -> tuple[FloatArray, FloatArray]:
    """Heights and radii of the rings of vertices: smooth between ledges, and one at every edge of a band."""
    ledge = next(i for i in range(1, len(_SIDE)) if _SIDE[i][0] == _SIDE[i - 1][0])
    heights, radii = [], []
    for part in (_SIDE[:ledge], _SIDE[ledge:]):
        knots, values = np.array(part).T
        bounds = sorted({*knots, *(upper for upper, *_ in _BANDS if knots[0] < upper < knots[-1])})
        pieces = [np.linspace(a, b, int(np.ceil((b - a) / _STEP)), endpoint=False) for a, b in pairwise(bounds)]
        heights.append(np.append(np.concatenate(pieces), bounds[-1]))
        radii.append(PchipInterpolator(knots, values)(heights[-1]))
    return np.concatenate(heights), np.concatenate(radii)
