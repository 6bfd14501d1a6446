"""The test object `box`: a printed carton of breakfast oats, 160 × 110 × 60 mm.

Object frame: origin at the centre, x to the right and y up as seen from the front, z out of the front. All faces differ
    and none looks the same upside down, so the carton has no symmetry.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor_training.test_objects.panel import Color, Panel

SIZE = (0.160, 0.110, 0.060)  # metres along x, y, z

_PIXELS_PER_MM = 3
_ATLAS = (1024, 768)  # width, height
_BLEED = 8  # pixels by which each face continues over its edge, so that filtering never mixes two faces

CREAM: Color = (240, 228, 200)
WHITE: Color = (242, 242, 238)
INK: Color = (28, 30, 40)
TEAL: Color = (12, 112, 116)
NAVY: Color = (24, 46, 108)
RED: Color = (200, 42, 36)
ORANGE: Color = (236, 128, 26)
YELLOW: Color = (244, 200, 44)
GREEN: Color = (62, 146, 58)
LIME: Color = (176, 208, 70)
PURPLE: Color = (112, 44, 122)
PINK: Color = (232, 132, 164)
BROWN: Color = (120, 74, 40)


def _front(panel: Panel) -> None:
    panel.polygon([(0, 0), (160, 0), (160, 46), (90, 62), (0, 52)], TEAL)
    panel.polygon([(0, 52), (90, 62), (160, 46), (160, 54), (90, 70), (0, 60)], YELLOW)
    panel.text(10, 11, 29, "NOVA", WHITE, 0.24)
    panel.circle(138, 25, 18, RED)
    panel.text(125, 17, 16, "5X", WHITE, 0.2)
    panel.text(9, 73, 11, "OAT CRUNCH", INK, 0.2)
    panel.rectangle(9, 92, 62, 9, RED)
    panel.text(12, 94, 5, "HONEY AND NUTS", WHITE, 0.18)
    # The bowl, heaped.
    panel.circle(127, 82, 17, ORANGE)
    for x, y in ((118, 74), (127, 70), (135, 75), (123, 79), (132, 80)):
        panel.circle(x, y, 2.6, BROWN)
    panel.polygon([(104, 82), (150, 82), (145, 97), (137, 104), (117, 104), (109, 97)], NAVY)
    panel.rectangle(104, 82, 46, 4, WHITE)


def _back(panel: Panel) -> None:
    panel.polygon([(0, 0), (70, 0), (0, 70)], NAVY)
    panel.polygon([(82, 0), (96, 0), (0, 96), (0, 82)], RED)
    panel.text(5, 6, 13, "MMM", WHITE, 0.22)
    # A table of nutrition facts, its title a black bar.
    panel.rectangle(92, 6, 62, 76, INK)
    panel.rectangle(94, 24, 58, 56, WHITE)
    panel.text(97, 9, 12, "FACTS", WHITE, 0.22)
    for row, width in enumerate((34, 26, 40, 22, 30)):
        panel.rectangle(97, 28 + 10.5 * row, width, 5, INK)
        panel.rectangle(140 - row, 28 + 10.5 * row, 9 + row, 5, RED if row % 2 else INK)
    # An ear of oats and a line of small print.
    panel.line([(36, 102), (56, 40)], 2.5, GREEN)
    for step in range(4):
        x, y = 54 - 3.4 * step, 46 + 10.5 * step
        panel.polygon([(x, y), (x + 20, y - 12), (x + 14, y + 3)], GREEN)
        panel.polygon([(x - 1, y), (x - 12, y - 14), (x - 14, y + 1)], GREEN)
    panel.rectangle(60, 88, 94, 5, BROWN)
    panel.rectangle(60, 96, 70, 5, BROWN)


def _right(panel: Panel) -> None:
    panel.rectangle(0, 0, 60, 34, CREAM)
    panel.text(8, 8, 20, "450", INK, 0.22)
    panel.polygon([(0, 34), (60, 34), (60, 44), (30, 54), (0, 44)], ORANGE)
    panel.rectangle(6, 62, 48, 40, WHITE)
    bars = "1101001011001101011001010011011010010110011"
    for index, bar in enumerate(bars):
        if bar == "1":
            panel.rectangle(8.5 + index, 65, 1.05, 27 if index not in (0, 42) else 33, INK)
    panel.text(11, 94, 5.5, "4 012345 00", INK, 0.15)


def _left(panel: Panel) -> None:
    panel.polygon([(0, 110), (0, 62), (60, 40), (60, 110)], GREEN)
    panel.polygon([(0, 62), (60, 40), (60, 46), (0, 68)], WHITE)
    # A leaf, then the word up the side.
    panel.polygon([(12, 40), (14, 20), (30, 8), (48, 6), (47, 22), (36, 36), (22, 42)], GREEN)
    panel.line([(8, 48), (20, 34), (44, 10)], 2.5, WHITE)
    panel.text(7, 72, 16, "ECO", WHITE, 0.24)
    panel.rectangle(7, 95, 30, 8, YELLOW)
    panel.circle(49, 99, 6, NAVY)


def _top(panel: Panel) -> None:
    panel.polygon([(0, 60), (0, 44), (160, 52), (160, 60)], PINK)
    panel.text(7, 11, 24, "OPEN", WHITE, 0.24)
    for x in (96, 112, 128):
        panel.polygon([(x, 8), (x + 14, 23), (x, 38), (x + 8, 38), (x + 22, 23), (x + 8, 8)], YELLOW)
    for x in range(4, 160, 12):
        panel.rectangle(x, 43, 7, 2.5, WHITE)


def _bottom(panel: Panel) -> None:
    for row in range(4):
        for column in range(4):
            if (row + column) % 2 == 0:
                panel.rectangle(15 * column, 15 * row, 15, 15, INK)
    panel.polygon([(66, 52), (86, 8), (106, 52)], RED)
    panel.polygon([(79, 46), (86, 28), (93, 46)], WHITE)
    panel.text(112, 9, 17, "27", INK, 0.24)
    panel.rectangle(112, 36, 42, 6, NAVY)
    panel.rectangle(112, 47, 26, 6, NAVY)


# Face: (outward normal, right, up as printed), upper left corner in the atlas, ground colour, drawing.
_Axis = tuple[int, int, int]
_FACES: tuple[tuple[tuple[_Axis, _Axis, _Axis], tuple[int, int], Color, Callable[[Panel], None]], ...] = (
    (((0, 0, 1), (1, 0, 0), (0, 1, 0)), (8, 8), CREAM, _front),
    (((0, 0, -1), (-1, 0, 0), (0, 1, 0)), (504, 8), YELLOW, _back),
    (((1, 0, 0), (0, 0, -1), (0, 1, 0)), (8, 354), RED, _right),
    (((-1, 0, 0), (0, 0, 1), (0, 1, 0)), (204, 354), LIME, _left),
    (((0, 1, 0), (1, 0, 0), (0, 0, -1)), (400, 354), PURPLE, _top),
    (((0, -1, 0), (1, 0, 0), (0, 0, 1)), (400, 550), WHITE, _bottom),
)

_MATERIAL = """newmtl box
Ka 0 0 0
Kd 1 1 1
Ks 0.04 0.04 0.04
Ns 40
map_Kd box.png
"""


def make_box(folder: str | Path) -> Path:
    """Write ``box.obj`` (metres), ``.mtl`` and ``.png`` to `folder`, made if missing; returns the mesh's path.
    OSError if the folder cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    atlas = np.full((_ATLAS[1], _ATLAS[0], 3), 128, np.uint8)
    vertices, texture, normals, faces = [], [], [], []
    for number, ((normal, right, up), corner, ground, draw) in enumerate(_FACES):
        half_width, half_height = (abs(np.dot(axis, SIZE)) / 2 for axis in (right, up))
        panel = Panel(2000 * half_width, 2000 * half_height, ground, _PIXELS_PER_MM)
        draw(panel)
        pixels = panel.pixels()
        _paste(atlas, pixels, corner)
        middle = np.multiply(normal, SIZE) / 2
        for side, rise in ((-1, -1), (1, -1), (1, 1), (-1, 1)):  # counter-clockwise from outside
            vertices.append(middle + side * half_width * np.array(right) + rise * half_height * np.array(up))
            u = corner[0] + pixels.shape[1] * (side + 1) / 2
            v = corner[1] + pixels.shape[0] * (1 - rise) / 2
            texture.append((u / _ATLAS[0], 1 - v / _ATLAS[1]))
        normals.append(normal)
        first = 4 * number + 1
        faces += [[(first + k, first + k, number + 1) for k in triangle] for triangle in ((0, 1, 2), (0, 2, 3))]

    ok, encoded = cv2.imencode(".png", cv2.cvtColor(atlas, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    assert ok, "OpenCV could not encode a PNG in memory"
    (folder / "box.png").write_bytes(encoded.tobytes())
    (folder / "box.mtl").write_text(_MATERIAL)
    lines = ["# pose_regressor test object, metres", "mtllib box.mtl", "o box", "usemtl box"]
    # Shared corners are written once, so that the mesh is closed.
    corners, index = np.unique(np.round(vertices, 6) + 0.0, axis=0, return_inverse=True)
    lines += [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in corners]
    lines += [f"vt {u:.8f} {v:.8f}" for u, v in texture]
    lines += [f"vn {x} {y} {z}" for x, y, z in normals]
    shared = np.reshape(index, -1) + 1
    lines += ["f " + " ".join(f"{shared[v - 1]}/{t}/{n}" for v, t, n in face) for face in faces]
    path = folder / "box.obj"
    path.write_text("\n".join(lines) + "\n")
    return path


def _paste(atlas: NDArray[np.uint8], pixels: NDArray[np.uint8], corner: tuple[int, int]) -> None:
    """Put a face into the atlas, its edge pixels continued by the bleed."""
    x, y = corner
    height, width = pixels.shape[:2]
    around = np.pad(pixels, ((_BLEED, _BLEED), (_BLEED, _BLEED), (0, 0)), mode="edge")
    atlas[y - _BLEED : y + height + _BLEED, x - _BLEED : x + width + _BLEED] = around
