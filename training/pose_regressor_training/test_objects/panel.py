"""A printed panel: shapes and lettering in millimetres, drawn enlarged and averaged down.

The lettering is a stroke font of our own: OpenCV 4 and 5 draw the text of ``cv2.putText`` with different fonts, and a
    texture must be the same wherever it is made.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Color = tuple[int, int, int]  # RGB
Point = tuple[float, float]

_OVERSAMPLE = 4
_SHIFT = 4  # fractional bits of the coordinates that OpenCV's drawing functions take

# Strokes on a grid 4 wide and 6 high, y down: "xy" pairs joined by lines; spaces separate strokes.
_GLYPHS = {
    "A": "062046 1434",
    "B": "06003041423303 3344453606",
    "C": "41301001051636 3645",
    "D": "0600304145360600",
    "E": "40000646 0333",
    "F": "400006 0333",
    "G": "4130100105163645432343",
    "H": "0006 4046 0343",
    "I": "2026",
    "K": "0006 400346",
    "L": "000646",
    "M": "0600234046",
    "N": "06004640",
    "O": "103041453616050110",
    "P": "06003041423303",
    "R": "06003041423303 2346",
    "S": "4130100102133344453616 1605",
    "T": "0040 2026",
    "U": "000516364540",
    "V": "002640",
    "X": "0046 4006",
    "Y": "002340 2326",
    "Z": "00400646",
    "0": "103041453616050110",
    "1": "112026",
    "2": "01103041420646",
    "3": "01103041423313 334445361605",
    "4": "36300444",
    "5": "400003334445361605",
    "7": "004016",
}


class Panel:
    """A canvas of `width` × `height` millimetres, origin at its upper left corner, x right, y down."""

    def __init__(self, width: float, height: float, color: Color, pixels_per_mm: int) -> None:
        self.width, self.height = width, height
        self._scale = pixels_per_mm * _OVERSAMPLE
        self._size = round(width * pixels_per_mm), round(height * pixels_per_mm)
        self._canvas = np.empty((self._size[1] * _OVERSAMPLE, self._size[0] * _OVERSAMPLE, 3), np.uint8)
        self._canvas[:] = color

    def pixels(self) -> NDArray[np.uint8]:
        """(height, width, 3) RGB at the panel's pixels per millimetre."""
        return np.asarray(cv2.resize(self._canvas, self._size, interpolation=cv2.INTER_AREA), np.uint8)

    def polygon(self, points: Sequence[Point], color: Color) -> None:
        cv2.fillPoly(self._canvas, [self._fixed(points)], color, cv2.LINE_8, _SHIFT)

    def rectangle(self, x: float, y: float, width: float, height: float, color: Color) -> None:
        self.polygon([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], color)

    def circle(self, x: float, y: float, radius: float, color: Color) -> None:
        angles = np.linspace(0, 2 * np.pi, 128, endpoint=False)
        self.polygon([(x + radius * float(np.cos(a)), y + radius * float(np.sin(a))) for a in angles], color)

    def line(self, points: Sequence[Point], thickness: float, color: Color) -> None:
        """A line through `points` with round ends and joints."""
        pixels = max(1, round(thickness * self._scale))
        cv2.polylines(self._canvas, [self._fixed(points)], False, color, pixels, cv2.LINE_8, _SHIFT)

    def text(self, x: float, y: float, height: float, text: str, color: Color, weight: float = 0.2) -> None:
        """Capitals and digits. height: mm; (x, y): upper left corner; weight: stroke over height."""
        stroke = weight * height
        unit = (height - stroke) / 6
        cursor = x + stroke / 2
        for letter in text:
            strokes = _GLYPHS[letter].split() if letter != " " else []
            digits = [int(digit) for part in strokes for digit in part[::2]]
            for part in strokes:
                points = [
                    (cursor + (int(part[i]) - min(digits)) * unit, y + stroke / 2 + int(part[i + 1]) * unit)
                    for i in range(0, len(part), 2)
                ]
                self.line(points, stroke, color)
            width = max(digits) - min(digits) if digits else 1.5
            cursor += width * unit + 1.6 * stroke

    def _fixed(self, points: Sequence[Point]) -> NDArray[np.int32]:
        """(N, 2) in OpenCV's fixed-point pixels, whose integer coordinates are pixel centres."""
        pixels = np.array(points, np.float64) * self._scale - 0.5
        return np.round(pixels * 2**_SHIFT).astype(np.int32)
