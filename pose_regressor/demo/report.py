"""The demo on the terminal: its progress, and its table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pose_regressor.demo.results import CLOSE, LEAST_CLOSE, LEAST_FOUND, Summary


@contextmanager
def reporting() -> Iterator[Callable[[int, int], None]]:
    """A progress bar for the frames answered, of all frames."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("demo", total=None)

        def report(answered: int, frames: int) -> None:
            # Until the first pose the node is starting, and nobody knows how long that takes.
            text = "poses received" if answered else "starting the node"
            progress.update(task, description=text, completed=answered, total=frames if answered else None)

        yield report


def print_summary(summary: Summary, out: Path, rate: float) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="pose of the box, image to /tf", title_justify="left")
    for heading in ("", "measured", "wanted"):
        table.add_column(heading, justify="right" if heading else "left")

    def row(name: str, value: float | None, form: str, wanted: str = "") -> None:
        table.add_row(name, "-" if value is None else format(value, form), wanted)

    row("frames", summary.frames, "d")
    row("found", summary.found, ".1%", f">= {LEAST_FOUND:.0%}")
    row(f"ADD < {CLOSE:g} diameter", summary.close, ".1%", f">= {LEAST_CLOSE:.0%}")
    row("ADD / diameter, median", summary.add_median, ".3f")
    row("rotation error, median (deg)", summary.rotation_deg_median, ".2f")
    row("translation error, median (mm)", summary.translation_mm_median, ".1f")
    row("frames/s", summary.frames_per_second, ".1f", f"{rate:g}")
    row("latency p50 (ms)", summary.latency_ms_p50, ".1f")
    row("latency p99 (ms)", summary.latency_ms_p99, ".1f")
    Console().print(table)
    print(f"wrote {out}/overlay.mp4, contact_sheet.png, result.json")
    if not summary.good:
        print("demo failed: found or accurate in too few frames; if this machine is slow, try a lower --rate")
