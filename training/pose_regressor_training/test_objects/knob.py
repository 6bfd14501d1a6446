"""The test object `knob`: a star knob with four lobes on a threaded stud, 104 × 62 × 104 mm.

Object frame: origin in the middle of its bounding box, y along the stud, out of the top. It looks the same after each
    quarter turn about y, and different upside down.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pose_regressor.types import FloatArray
from pose_regressor_training.test_objects.paint import write_painted
from pose_regressor_training.test_objects.skin import Coat, Color, Field, skin
from pose_regressor_training.test_objects.solids import ball, common, ellipsoid, half_space, ring, rising, rod, union

_CELL = 2.8
_LOBE = 40.0  # distance of a lobe's centre from the axis

STEEL: Color = (120, 126, 136)
BRIGHT_STEEL: Color = (206, 212, 220)
RED: Color = (196, 30, 30)
DARK_RED: Color = (104, 10, 20)
ORANGE: Color = (244, 150, 30)
CREAM: Color = (246, 236, 206)
NAVY: Color = (24, 40, 92)
BLUE: Color = (70, 130, 210)


def make_knob(folder: str | Path) -> Path:
    """Write ``knob.obj`` (metres), ``.mtl`` and ``.png`` to `folder`, made if missing; returns the mesh's path.
    OSError if the folder cannot be written.
    """
    lobes = [(_LOBE * x, 0.0, _LOBE * z) for x, z in ((1, 0), (0, 1), (-1, 0), (0, -1))]
    star = union(
        ellipsoid((0, 0, 0), (27, 15, 27)),
        *(union(rod((0, 0, 0), lobe, 11, 8), ball(lobe, 12)) for lobe in lobes),
        melt=10,
    )
    stud = common(rod((0, 0, 0), (0, -60, 0), 11, 11), half_space((0, -44, 0), (0, -1, 0)), melt=4)
    collar = ring((0, -17, 0), (0, 1, 0), 14, 5, 4)
    dome = ellipsoid((0, 10, 0), (15, 8, 15))
    shape = union(star, stud, collar, dome, melt=2)
    band = common(half_space((28, 0, 0), (-1, 0, 0)), half_space((33, 0, 0), (1, 0, 0)))
    tips = union(*(ball(lobe, 13.5) for lobe in np.multiply(lobes, 1.18)))
    coats = [
        Coat(_nowhere, DARK_RED, RED, rising((0, -12, 0), (0, 12, 0))),
        Coat(_on_every_lobe(band), CREAM, CREAM, _nowhere),
        Coat(tips, ORANGE, CREAM, rising((0, -12, 0), (0, 12, 0))),
        Coat(common(rod((0, 0, 0), (0, -60, 0), 24, 24), half_space((0, -13.5, 0), (0, 1, 0))), STEEL, BRIGHT_STEEL,
             rising((0, -44, 0), (0, -14, 0))),
        Coat(half_space((0, -36, 0), (0, 1, 0)), NAVY, NAVY, _nowhere),
        Coat(common(rod((0, 0, 0), (0, 30, 0), 15, 15), half_space((0, 9, 0), (0, -1, 0))), NAVY, BLUE,
             rising((0, 10, 0), (0, 17, 0))),
    ]  # fmt: skip
    half = np.array([58.0, 0, 58])
    painted = skin(shape, coats, -half - (0, 50, 0), half + (0, 26, 0), _CELL)
    return write_painted(folder, "knob", painted, [coat.colors for coat in coats], 1e-3)


def _on_every_lobe(field: Field) -> Field:
    """The field of the lobe along x, repeated on all four lobes."""
    quarter = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    turns = [np.linalg.matrix_power(quarter, k) for k in range(4)]
    return lambda points: np.min([field(points @ turn) for turn in turns], axis=0)


def _nowhere(points: FloatArray) -> FloatArray:
    return np.zeros(len(points))
