"""``pose-regressor calibrate``: make a bundle's scores and covariances mean something."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pose_regressor_training.cli.options import BundleMeshesOption, ColorOption, UnitOption, read_meshes


def calibrate(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="File to calibrate.")],
    mesh: BundleMeshesOption,
    unit: UnitOption = None,
    color: ColorOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Bundle to write; BUNDLE itself if not given.")
    ] = None,
    frames: Annotated[int, typer.Option(min=16, help="Synthetic frames to measure on, and as many to check it.")] = 320,
    figure: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Also draw scores against shares of right poses.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the frames; not the one it was trained with.")] = 5_000,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "cpu",
) -> None:
    """Measure what the scores and covariances of a bundle are worth on synthetic frames, and write it into the bundle.

    A score then is the probability that ADD(-S) is below 0.1 diameters; the table is of other frames of the same kind.
    Bundles from before there were any also get the colours of their objects, which make poses more precise.
    """
    from rich.console import Console
    from rich.progress import Progress

    from pose_regressor.estimation.estimator import SCORE_THRESHOLD, select_device
    from pose_regressor.files.io import check_file_to_write
    from pose_regressor.network.bundle import Bundle
    from pose_regressor.types import InputError
    from pose_regressor_training.calibrate.calibrate import HELD, RAW, Trial, add_colors, try_out
    from pose_regressor_training.evaluate.plots import reliability_figure
    from pose_regressor_training.figures import print_table, write_figure

    console = Console()
    check_file_to_write(out or bundle)
    if figure is not None and figure.suffix != ".png":
        raise InputError(f"{figure}: expected a name that ends in .png")
    loaded = Bundle.load(bundle)
    meshes = read_meshes(mesh, unit, color)
    add_colors(loaded, meshes)
    before = loaded.calibration
    on = str(select_device(device))
    with Progress(console=console, transient=True) as bar:

        def tried(what: str, seed: int) -> Trial:
            line = bar.add_task(what, total=frames)
            return try_out(loaded, meshes, seed, frames, device=on, progress=lambda n: bar.update(line, completed=n))

        measured, checked = tried("measuring", seed), tried("checking", seed + 1)
    loaded.calibration = measured.calibration()
    loaded.save(out or bundle)
    rows = []
    for name, calibration in (("raw", RAW), ("before", before), ("now", loaded.calibration)):
        figures = checked.summary(calibration, SCORE_THRESHOLD)
        rows.append(
            (name, f"{figures['ece']:.3f}", *(f"{figures[key]:.1%}" for key in ("held", "recall", "right", "lost")))
        )
    columns = ("scores", "ECE", f"in {HELD:.0%} ellipsoid", "recall", "right", "lost")
    print_table(
        f"{len(checked.found)} poses of {checked.objects} objects, threshold {SCORE_THRESHOLD:g}", columns, rows
    )
    console.print(f"{out or bundle}: {len(measured.found)} poses measured; " +
                  ", ".join(f"{raw:.2f}→{share:.2f}" for raw, share in loaded.calibration.score) +
                  f"; covariance x {loaded.calibration.covariance_scale:g}")  # fmt: skip
    if figure is not None:
        scored = {"raw": checked.scored(RAW), "calibrated": checked.scored(loaded.calibration)}
        names = ", ".join(model.name for model in loaded.objects)
        write_figure(figure.parent, figure.stem, reliability_figure(names, scored))
