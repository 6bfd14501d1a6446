"""Results for people: tables on the terminal, figures, pictures, and NAME.json with all numbers of an experiment."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from pose_regressor.files import io

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """The first column is text; the others are right-aligned, floats with three digits."""
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    for row in rows:
        table.add_row(*(f"{value:.3g}" if isinstance(value, float) else str(value) for value in row))
    # A file or a pipe has no width to wrap at.
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def write_json(folder: Path, name: str, settings: dict[str, Any], rows: Sequence[dict[str, Any]]) -> Path:
    """Write NAME.json of an experiment: its command, its settings, and one object for each row."""
    path = folder / f"{name}.json"
    command = " ".join(["python", "-m", f"{__package__}.experiments.{name}", *sys.argv[1:]])
    io.write_json(path, {"command": command, "settings": settings, "rows": list(rows)})
    return path


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Figure, Any]:
    """A figure that needs no display, and its axes as an array (rows, columns). width, height: inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False)


def write_figure(folder: Path, name: str, figure: Figure, dpi: int = 110) -> Path:
    """Write NAME.png, small enough for the documentation."""
    path = folder / f"{name}.png"
    with io.replacing(path) as temporary:
        figure.savefig(temporary, dpi=dpi)
    return path


def write_picture(path: Path, image: NDArray[np.uint8], quality: int = 95) -> None:
    """Write an RGB image. quality: of a JPEG file, 0 to 100."""
    import cv2

    ok, encoded = cv2.imencode(path.suffix, image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert ok, f"OpenCV could not encode a {path.suffix} in memory"
    with io.replacing(path) as temporary:
        temporary.write_bytes(encoded.tobytes())
