"""What every experiment leaves behind: a table on the terminal, NAME.json with all figures, NAME.png."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """The first column is text, the others are right-aligned; floats are printed with three digits."""
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    for row in rows:
        table.add_row(*(f"{value:.3g}" if isinstance(value, float) else str(value) for value in row))
    # A file or a pipe has no width to wrap at.
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def write_json(folder: Path, name: str, settings: dict[str, Any], rows: Sequence[dict[str, Any]]) -> Path:
    """NAME.json: the command, what it was run with, and one object a row."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    content = {"command": " ".join(["python", "-m", f"{__package__}.{name}", *sys.argv[1:]]), "settings": settings}
    path.write_text(json.dumps(content | {"rows": list(rows)}, indent=1) + "\n")
    return path


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Figure, Any]:
    """A figure of inches that needs no display, and its axes as an array (rows, columns)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False)


def write_figure(folder: Path, name: str, figure: Figure) -> Path:
    """NAME.png, small enough for the documentation."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    figure.savefig(path, dpi=110)
    return path
