"""Members of the family, drawn by number: each has a body, colours and a size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from pose_regressor_training.family.bodies import Body, carton, extrusion, figure, lathe, machined, primitive
from pose_regressor_training.family.paint import blended, coated, labelled, plain, printed
from pose_regressor_training.meshes.mesh import Mesh
from pose_regressor_training.randomize.draw import log_uniform, pick

_Maker = Callable[[np.random.Generator], Body]
_Painter = Callable[[np.random.Generator, Body], Mesh]

#: How each kind of body is made, and how often it is drawn.
KINDS: dict[str, tuple[_Maker, float]] = {
    "carton": (carton, 0.18),
    "primitive": (primitive, 0.15),
    "lathe": (lathe, 0.17),
    "extrusion": (extrusion, 0.12),
    "machined": (machined, 0.18),
    "figure": (figure, 0.2),
}
#: How often bodies are painted in each way: coarse ones, whose triangles are too large for coats and blends; fine ones;
#: and those that are round about z.
_COARSE: dict[_Painter, float] = {printed: 0.8, plain: 0.2}
_FINE: dict[_Painter, float] = {printed: 0.25, plain: 0.15, coated: 0.4, blended: 0.2}
_TURNED: dict[_Painter, float] = {labelled: 0.55, printed: 0.1, plain: 0.1, coated: 0.15, blended: 0.1}
#: Longest edge, metres.
SIZE = (0.03, 0.4)


@dataclass(frozen=True, eq=False)
class Member:
    """One object of the family.

    mesh: closed, with colours, about the middle of its bounding box
    kind: one of KINDS
    paint: how it is coloured
    """

    mesh: Mesh
    kind: str
    paint: str


def draw_member(seed: int, number: int) -> Member:
    """The member of that number. It depends on nothing but the seed and the number."""
    rng = np.random.default_rng((seed, number))
    kind = list(KINDS)[int(pick(rng, tuple(share for _, share in KINDS.values()), 1)[0])]
    body = _sized(KINDS[kind][0](rng), float(log_uniform(rng, SIZE, 1)[0]))
    painters = _TURNED if body.turned else _FINE if body.fine else _COARSE
    paint = list(painters)[int(pick(rng, tuple(painters.values()), 1)[0])]
    return Member(paint(rng, body), kind, paint.__name__)


def _sized(body: Body, longest: float) -> Body:
    """The body with its middle at the origin, and its longest edge so many metres long."""
    low, high = body.vertices.min(0), body.vertices.max(0)
    return replace(body, vertices=(body.vertices - (low + high) / 2) * (longest / (high - low).max()))
