"""`pose-regressor demo`: everything at work on the shipped clip."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pose_regressor.cli.options import NetworkOption


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Folder to write to.")] = Path("out/demo"),
    rate: Annotated[
        str,
        typer.Option(
            metavar="auto|NUMBER",
            help="Images a second. auto: 30, or less on a machine that cannot keep up. NUMBER: exactly this "
            "rate; images that the node skips are counted.",
        ),
    ] = "auto",
    depth: Annotated[
        bool, typer.Option("--depth", help="Play the clip's depth too, as a simulated stereo camera measured it.")
    ] = False,
    middleware: NetworkOption = "auto",
) -> None:
    """Play the shipped clip to the node over DDS or Zenoh and compare the poses on /tf with the true ones.

    Three processes on this machine: a player that publishes Image and CameraInfo, the node, and a listener. Writes
    overlay.mp4, contact_sheet.png and result.json. Exit code 1: no answer, the box found in too few of the answered
    images, or inaccurate poses. A slow machine is reported but does not fail the demo.
    """
    from pose_regressor.demo.report import print_summary, reporting
    from pose_regressor.demo.run import run_demo
    from pose_regressor.middleware.kit.player import rate_or_auto

    wanted = rate_or_auto(rate)
    with reporting() as report:
        summary = run_demo(out, wanted, report, depth, middleware)
    print_summary(summary, out, wanted)
    if not summary.good:
        raise typer.Exit(1)
