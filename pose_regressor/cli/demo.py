"""`pose-regressor demo`: everything at work on the shipped clip."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    pass


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Folder to write to.")] = Path("out/demo"),
    rate: Annotated[
        float,
        typer.Option(
            min=1.0, max=1000.0, help="Frames a second; what the node cannot keep up with counts as not found."
        ),
    ] = 30.0,
) -> None:
    """Play the shipped clip to the node over DDS, collect /tf, and compare with the true poses.

    Three processes on this machine: a player that publishes Image and CameraInfo, the node, and a listener. Writes
    overlay.mp4, contact_sheet.png and result.json. Exit code 1: found in too few frames, or not accurately enough.
    """
    from pose_regressor.demo.report import print_summary, reporting
    from pose_regressor.demo.run import run_demo

    with reporting() as report:
        summary = run_demo(out, rate, report)
    print_summary(summary, out, rate)
    if not summary.good:
        raise typer.Exit(1)
