"""Pictures for backgrounds and surfaces: procedural ones and photographs, made once and then cut and recoloured."""

from __future__ import annotations

import string
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor_training.randomize.photographs import squares

Image = NDArray[np.uint8]

#: Edge of the pictures, pixels; windows show half of it or more.
PICTURE_SIZE = 224
#: The first picture of every bank is a grey wall, half as bright as a white one: its number and its grey value.
PLAIN, PLAIN_GREY = 0, 188


def _noise(rng: np.random.Generator, size: int) -> Image:
    """Several octaves of smoothed random colours: from marble to carpet."""
    total = np.zeros((size, size, 3), np.float32)
    fall = rng.uniform(0.4, 1.0)
    grey = rng.random() < 0.3
    for octave in range(1, 7):
        cells = 2**octave
        shape = (cells, max(2, round(cells * rng.uniform(0.3, 1))), 1 if grey else 3)
        grid = rng.normal(0, fall**octave, shape).astype(np.float32)
        layer = cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC)
        total += layer.reshape(size, size, -1)
    total = total / (total.std() + 1e-6) * rng.uniform(5, 45) + rng.uniform(20, 235, 3)
    return total.clip(0, 255).astype(np.uint8)


def _gradient(rng: np.random.Generator, size: int) -> Image:
    corners = rng.uniform(0, 255, (2, 2, 3)).astype(np.float32)
    return cv2.resize(corners, (size, size), interpolation=cv2.INTER_LINEAR).astype(np.uint8)


def _stripes(rng: np.random.Generator, size: int) -> Image:
    """Stripes or a checkerboard, turned and foreshortened."""
    cells = int(rng.integers(2, 14))
    colors = rng.uniform(0, 255, (2, 3))
    board = np.indices((cells, cells)).sum(0) % 2 if rng.random() < 0.5 else np.indices((cells, cells))[0] % 2
    picture = cv2.resize(colors[board].astype(np.uint8), (size, size), interpolation=cv2.INTER_NEAREST)
    square = np.array([[0, 0], [size, 0], [size, size], [0, size]], np.float32)
    moved = square + rng.uniform(-0.5, 0.5, (4, 2)).astype(np.float32) * size
    warp = cv2.getPerspectiveTransform(square, moved.astype(np.float32))
    return cv2.warpPerspective(picture, warp, (size, size), borderMode=cv2.BORDER_REFLECT)


def random_material(rng: np.random.Generator, size: int) -> Image:
    """(size, size, 3) uint8: what a surface could look like."""
    kind = rng.random()
    if kind < 0.5:
        return _noise(rng, size)
    return _gradient(rng, size) if kind < 0.75 else _stripes(rng, size)


def random_outline(rng: np.random.Generator, centre: NDArray, radius: float) -> NDArray[np.int32]:
    """(N, 1, 2) closed polygon about `centre`, as cv2.fillPoly takes it: a blob, or something with corners."""
    count = int(rng.integers(3, 12))
    angle = np.sort(rng.uniform(0, 2 * np.pi, count))
    distance = radius * rng.uniform(0.4, 1.2, count)
    points = np.stack([np.cos(angle), np.sin(angle)], -1) * distance[:, None] * (1, rng.uniform(0.3, 1))
    turn = rng.uniform(0, 2 * np.pi)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return (centre + points @ rotation.T).round().astype(np.int32)[:, None]


def _blend(picture: Image, other: Image, inside: NDArray[np.uint8]) -> None:
    """Lay `other` over `picture` where `inside` is 255, partly at its edges."""
    weight = inside[..., None].astype(np.float32) / 255
    picture[...] = (picture + weight * (other.astype(np.float32) - picture)).astype(np.uint8)


def _paste_quad(picture: Image, material: Image, corners: NDArray) -> None:
    size = material.shape[0]
    square = np.array([[0, 0], [size, 0], [size, size], [0, size]], np.float32)
    warp = cv2.getPerspectiveTransform(square, corners.astype(np.float32))
    height, width = picture.shape[:2]
    warped = cv2.warpPerspective(material, warp, (width, height), borderMode=cv2.BORDER_REPLICATE)
    inside = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(inside, corners.round().astype(np.int32), 255, cv2.LINE_AA)
    _blend(picture, warped, inside)


def _draw_cuboid(rng: np.random.Generator, picture: Image) -> None:
    """A box in perspective, with three visible faces. Nothing else here is as easily taken for an object."""
    size = picture.shape[0]
    axes = np.linalg.qr(rng.normal(size=(3, 3)))[0] * rng.uniform(0.3, 1.0, 3)
    centre = np.array([0, 0, rng.uniform(3, 8)])
    focal = size * rng.uniform(0.5, 1.5)
    at = rng.uniform(0, size, 2)
    for axis in axes[np.argsort(-np.abs(axes[:, 2]))]:
        normal = axis if axis @ centre < 0 else -axis
        u, v = (other for other in axes if other is not axis and not np.array_equal(other, axis))
        corners = centre + normal + np.array([-u - v, u - v, u + v, v - u])
        if (corners[:, 2] > 0.5).all():
            shade = rng.uniform(0.5, 1.0)
            material = (random_material(rng, 64) * shade).astype(np.uint8)
            if rng.random() < 0.6:
                _draw_shapes(rng, material, int(rng.integers(1, 6)))
            _paste_quad(picture, material, at + focal * corners[:, :2] / corners[:, 2:] / 2)


def _draw_shapes(rng: np.random.Generator, picture: Image, count: int) -> None:
    size = picture.shape[0]
    for _ in range(count):
        color = rng.uniform(0, 255, 3).tolist()
        at = rng.uniform(0, size, 2)
        radius = size * 0.5 * rng.beta(1, 3) + 2
        kind = rng.random()
        if kind < 0.35:
            cv2.fillPoly(picture, [random_outline(rng, at, radius)], color, cv2.LINE_AA)
        elif kind < 0.55:
            axes = (int(radius), int(radius * rng.uniform(0.2, 1)) + 1)
            thickness = -1 if rng.random() < 0.7 else int(rng.integers(1, 6))
            cv2.ellipse(
                picture, at.astype(int).tolist(), axes, rng.uniform(0, 360), 0, 360, color, thickness, cv2.LINE_AA
            )
        elif kind < 0.75:
            end = (at + rng.normal(0, size / 3, 2)).astype(int).tolist()
            cv2.line(picture, at.astype(int).tolist(), end, color, int(rng.integers(1, 10)), cv2.LINE_AA)
        elif kind < 0.85:
            text = "".join(rng.choice(list(string.ascii_letters + string.digits), int(rng.integers(1, 9))))
            cv2.putText(picture, text, at.astype(int).tolist(), int(rng.integers(0, 7)), rng.uniform(0.3, 1.5), color,
                        int(rng.integers(1, 4)), cv2.LINE_AA)  # fmt: skip
        else:
            corners = at + rng.normal(0, radius, (4, 2))
            _paste_quad(picture, random_material(rng, 32), cv2.convexHull(corners.astype(np.float32))[[0, 1, 2, -1], 0])


def random_picture(rng: np.random.Generator, size: int) -> Image:
    """(size, size, 3) uint8: one or two surfaces with shapes, lines, letters and boxes, more or less sharp."""
    picture = random_material(rng, size)
    if rng.random() < 0.5:  # a table against a wall
        edge = random_outline(rng, rng.uniform(0, size, 2), size)
        inside = np.zeros((size, size), np.uint8)
        cv2.fillPoly(inside, [edge], 255, cv2.LINE_AA)
        _blend(picture, random_material(rng, size), inside)
    _draw_shapes(rng, picture, int(rng.integers(0, 16)))
    for _ in range(int(rng.integers(0, 3))):
        _draw_cuboid(rng, picture)
    _draw_shapes(rng, picture, int(rng.integers(0, 5)))
    if rng.random() < 0.5:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 2.5))
    # Rooms are greyer than these pictures. Otherwise a network could tell a grey object by its missing colour.
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    colorfulness = rng.uniform(0, 1)
    return cv2.addWeighted(picture, colorfulness, grey, 1 - colorfulness, 0)


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures by number. Number PLAIN is a grey wall.

    bank: (P, S, S, 3) uint8 sRGB
    procedural, photographs: which of them are drawn, and which are photographs
    """

    bank: NDArray[np.uint8]
    procedural: range
    photographs: range


def make_pictures(
    seed: int, count: int, size: int = PICTURE_SIZE, folder: Path | None = None, squares_each: int = 1
) -> Pictures:
    """The bank of `count` procedural pictures, drawn from `seed`, and of squares of the photographs in `folder`.

    size: edge of the pictures, pixels
    squares_each: squares of each photograph

    Raises InputError if the folder holds no photographs, or one that cannot be read.
    """
    plain = np.full((1, size, size, 3), PLAIN_GREY, np.uint8)
    drawn = [random_picture(np.random.default_rng((seed, i)), size) for i in range(count)]
    taken = [] if folder is None else list(squares(folder, size, squares_each, seed))
    bank = np.concatenate([plain, np.stack([*drawn, *taken])])
    return Pictures(bank, range(1, 1 + count), range(1 + count, len(bank)))
