"""Random colours for bodies: plain ones, pictures, prints, labels, coats and colours that run into each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import FloatArray
from pose_regressor_training.family.bodies import Body
from pose_regressor_training.meshes.mesh import Mesh
from pose_regressor_training.randomize.pictures import Image, random_picture
from pose_regressor_training.test_objects.panel import Panel

#: Edge of the picture on one side of a body, and texels by which it goes on beyond that side.
_TILE, _BLEED = 192, 8
#: Millimetres of a panel's edge, in whose units prints are drawn, and letters that it can print.
_PANEL, _LETTERS = 64, "ABCDEFGHIKLMNOPRSTUVXYZ0123457"
_PATCH = 16


def plain(rng: np.random.Generator, body: Body) -> Mesh:
    """One colour everywhere."""
    return _mesh(body, colors=np.tile(_color(rng), (len(body.vertices), 1)))


def printed(rng: np.random.Generator, body: Body) -> Mesh:
    """A print or a picture of its own on each of the six sides."""
    corners = body.vertices[body.faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    axis = np.abs(normal).argmax(1)
    side = 2 * axis + (normal[np.arange(len(axis)), axis] > 0)
    ground = _color(rng)
    alike = rng.random() < 0.5  # the sides of a packet share their ground colour
    tiles = [_tile(rng, ground if alike else _color(rng)) for _ in range(6)]
    atlas = np.concatenate([np.concatenate(tiles[row : row + 3], axis=1) for row in (0, 3)], axis=0)
    low, edge = body.vertices.min(0), np.ptp(body.vertices, axis=0).max()
    share = (corners - low) / edge
    flat = np.take_along_axis(share, np.stack([(axis + 1) % 3, (axis + 2) % 3], 1)[:, None].repeat(3, 1), axis=2)
    whole = _TILE + 2 * _BLEED
    x = ((side % 3) * whole + _BLEED)[:, None] + flat[..., 0] * _TILE
    y = ((side // 3) * whole + _BLEED)[:, None] + (1 - flat[..., 1]) * _TILE
    uv = np.stack([x / atlas.shape[1], 1 - y / atlas.shape[0]], -1)
    return _mesh(body, texture=atlas, uv=uv)


def labelled(rng: np.random.Generator, body: Body) -> Mesh:
    """A label around a body that is round about z, between two plain ends."""
    low, high = body.vertices[:, 2].min(), body.vertices[:, 2].max()
    corners = body.vertices[body.faces]
    angle = np.arctan2(corners[..., 1], corners[..., 0])
    on_axis = np.hypot(corners[..., 0], corners[..., 1]) < 1e-9
    first = np.where(on_axis[:, 0], angle[:, 1], angle[:, 0])[:, None]
    turn = first + (angle - first + np.pi) % (2 * np.pi) - np.pi  # without a jump within a face
    turn = np.where(on_axis, first, turn)
    height = (corners[..., 2] - low) / (high - low)
    sheet = np.concatenate([_tile(rng, _color(rng))] * 1 + [_tile(rng, _color(rng))], axis=1)
    cut = np.sort(rng.uniform(0, 1, 2)) * sheet.shape[0]
    if rng.random() < 0.7:
        sheet[: int(cut[0] / 2)] = _color(rng)
        sheet[int((sheet.shape[0] + cut[1]) / 2) :] = _color(rng)
    inset = 1 / sheet.shape[0]  # textures repeat, so the ends must not touch their edges
    return _mesh(body, texture=sheet, uv=np.stack([turn / (2 * np.pi) + 1, inset + height * (1 - 2 * inset)], -1))


def coated(rng: np.random.Generator, body: Body) -> Mesh:
    """Up to five plain colours, each in a part of space: bands, caps and spots. Every triangle has one of them."""
    centres = body.vertices[body.faces].mean(1)
    low, size = body.vertices.min(0), np.ptp(body.vertices, axis=0)
    share = (centres - low) / size
    coat = np.zeros(len(centres), np.int64)
    count = int(rng.integers(2, 6))
    for number in range(1, count):
        kind = rng.random()
        at = share[rng.integers(len(share))]
        if kind < 0.4:
            there = np.linalg.norm(share - at, axis=1) < rng.uniform(0.12, 0.4)
        elif kind < 0.7:
            axis = rng.integers(3)
            there = np.abs(share[:, axis] - at[axis]) < rng.uniform(0.04, 0.2)
        else:
            there = (share - at) @ rng.normal(size=3) > 0
        coat[there] = number
    palette = np.concatenate([np.tile(_color(rng), (_PATCH, _PATCH, 1)) for _ in range(count)], axis=1)
    u = (coat + 0.5) / count
    uv = np.stack([np.repeat(u[:, None], 3, 1), np.full((len(u), 3), 0.5)], -1)
    return _mesh(body, texture=palette.astype(np.uint8), uv=uv)


def blended(rng: np.random.Generator, body: Body) -> Mesh:
    """Two or three colours that run into each other, at the corners of the triangles."""
    share = (body.vertices - body.vertices.min(0)) / np.ptp(body.vertices, axis=0).max()
    color = np.tile(_color(rng).astype(np.float64), (len(share), 1))
    for _ in range(int(rng.integers(1, 4))):
        wave = rng.normal(0, rng.uniform(2, 7), 3)
        weight = 0.5 + 0.5 * np.sin(share @ wave + rng.uniform(0, 2 * np.pi))
        steep = rng.uniform(1, 6)
        weight = np.clip(0.5 + steep * (weight - 0.5), 0, 1)[:, None]
        color = color * (1 - weight) + _color(rng) * weight
    return _mesh(body, colors=color.round().astype(np.uint8))


def _tile(rng: np.random.Generator, ground: NDArray[np.uint8]) -> Image:
    """A square picture for one side, with its margin."""
    kind = rng.random()
    if kind < 0.1:
        inner = np.tile(ground, (_TILE, _TILE, 1))
    elif kind < 0.75:
        inner = _print(rng, ground)
    else:
        inner = random_picture(rng, _TILE)
    return np.pad(inner, ((_BLEED, _BLEED), (_BLEED, _BLEED), (0, 0)), mode="edge")


def _print(rng: np.random.Generator, ground: NDArray[np.uint8]) -> Image:
    """What is printed on packets: areas, words, bars and dots on a ground of one colour."""

    def color() -> tuple[int, int, int]:
        red, green, blue = _color(rng).tolist()
        return red, green, blue

    panel = Panel(_PANEL, _PANEL, (int(ground[0]), int(ground[1]), int(ground[2])), _TILE // _PANEL)
    for _ in range(int(rng.integers(1, 9))):
        kind, (x, y) = rng.random(), rng.uniform(0, _PANEL, 2)
        if kind < 0.3:
            letters = "".join(_LETTERS[i] for i in rng.integers(len(_LETTERS), size=int(rng.integers(1, 7))))
            panel.text(x / 2, y, float(rng.uniform(6, 24)), letters, color(), float(rng.uniform(0.12, 0.25)))
        elif kind < 0.5:
            panel.rectangle(x / 2, y, float(rng.uniform(5, 50)), float(rng.uniform(2, 30)), color())
        elif kind < 0.65:
            panel.circle(x, y, float(rng.uniform(2, 16)), color())
        elif kind < 0.85:
            corners = rng.uniform(-0.2 * _PANEL, 1.2 * _PANEL, (int(rng.integers(3, 5)), 2))
            panel.polygon([(float(a), float(b)) for a, b in corners], color())
        else:
            end = rng.uniform(0, _PANEL, 2)
            panel.line([(x, y), (float(end[0]), float(end[1]))], float(rng.uniform(1, 5)), color())
    return panel.pixels()


def _color(rng: np.random.Generator) -> NDArray[np.uint8]:
    """(3,) sRGB: from black over strong colours to white."""
    color = rng.uniform(10, 245, 3)
    if rng.random() < 0.35:  # greys, creams and other pale colours
        color = color.mean() + 0.25 * (color - color.mean())
    return color.round().astype(np.uint8)


def _mesh(
    body: Body,
    texture: Image | None = None,
    uv: FloatArray | None = None,
    colors: NDArray[np.uint8] | None = None,
) -> Mesh:
    return Mesh(
        body.vertices.astype(np.float32),
        body.faces.astype(np.int32),
        None if texture is None else np.ascontiguousarray(texture),
        None if uv is None else uv.astype(np.float32),
        colors,
    )
