"""The demo on the terminal: its progress, its table, and what the figures mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pose_regressor.demo.results import CLOSE, LEAST_CLOSE, LEAST_FOUND, LEAST_WITH_DEPTH, Summary
from pose_regressor.middleware.kit.pacing import RATES

#: If the node answers a smaller share of the images, the report calls the machine too slow.
MANY_ANSWERED = 0.9


@contextmanager
def reporting() -> Iterator[Callable[[int, int], None]]:
    """A progress bar for the images answered, of all images."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("demo", total=None)

        def report(answered: int, frames: int) -> None:
            # Until the first answer the node is starting, and nobody knows how long that takes.
            text = "images answered" if answered else "starting the node"
            progress.update(task, description=text, completed=min(answered, frames), total=frames if answered else None)

        yield report


def print_summary(summary: Summary, out: Path, rate: float | None) -> None:
    """rate: images a second that the user asked for; None if the player was free to choose."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title="pose of the box, image to /tf", title_justify="left")
    for heading in ("", "measured", "wanted"):
        table.add_column(heading, justify="right" if heading else "left")

    def row(name: str, value: float | None, form: str, wanted: str = "") -> None:
        table.add_row(name, "-" if value is None else format(value, form), wanted)

    row("images played", summary.played, "d")
    row("images answered, of those played", summary.answered, ".1%")
    if summary.with_depth is not None:
        row("with depth, of those answered", summary.with_depth, ".1%", f">= {LEAST_WITH_DEPTH:.0%}")
    row("found, of those answered", summary.found, ".1%", f">= {LEAST_FOUND:.0%}")
    row(f"ADD < {CLOSE:g} diameter, of those found", summary.close, ".1%", f">= {LEAST_CLOSE:.0%}")
    row("ADD / diameter, median", summary.add_median, ".3f")
    row("rotation error, median (deg)", summary.rotation_deg_median, ".2f")
    row("translation error, median (mm)", summary.translation_mm_median, ".1f")
    row("images played a second", summary.played_per_second, ".1f")
    row("latency p50 (ms)", summary.latency_ms_p50, ".1f")
    row("latency p99 (ms)", summary.latency_ms_p99, ".1f")
    Console().print(table)
    print(f"wrote {out}/overlay.mp4, contact_sheet.png, result.json")
    for sentence in sentences(summary, rate):
        print(sentence)


def sentences(summary: Summary, rate: float | None) -> list[str]:
    """What the table does not say: how fast the clip was played and why, whether the machine is slow, what failed."""
    unanswered = f"{1 - summary.answered:.0%}"
    if rate is not None:
        said = [f"Played at {rate:g} images a second, as --rate says."]
        if summary.answered < MANY_ANSWERED:
            said.append(
                f"This machine is too slow or too busy for that: {unanswered} of the images were not looked at. "
                "Without --rate the player goes only as fast as the node answers."
            )
    else:
        rates = ", then ".join(f"{value:g}" for value in summary.rates)
        said = [f"Played at {rates} images a second: the fastest that the node kept up with, up to {RATES[0]:g}."]
        if summary.rates[-1] == RATES[-1] and summary.answered < MANY_ANSWERED:
            said = [
                f"Played at {rates} images a second. {RATES[-1]:g} is the slowest, and still {unanswered} of the "
                "images were not looked at."
            ]
        if summary.rates[-1] < RATES[0]:
            said.append(
                f"This machine is slow or busy: the clip's own rate is {RATES[0]:g}. Close other programs, or try a "
                "machine with more cores or a GPU."
            )
    if summary.failure:
        said.append(f"demo failed: {summary.failure}")
    return said
