"""``pose-regressor calibrate``: make a bundle's distances, scores and covariances mean what they say."""

from __future__ import annotations

from collections.abc import Callable
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
    frames: Annotated[
        int, typer.Option(min=16, help="Synthetic frames to calibrate on, and as many to measure the figures on.")
    ] = 320,
    figure: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Also draw scores against shares of right poses.")
    ] = None,
    measure_only: Annotated[
        bool,
        typer.Option(
            "--measure-only", help="Keep the calibration; only measure the figures of the bundle and its card."
        ),
    ] = False,
    keep_distances: Annotated[
        bool, typer.Option("--keep-distances", help="Keep the factor that distances are multiplied with.")
    ] = False,
    sensor: Annotated[
        str | None,
        typer.Option(
            help="Also calibrate poses with depth, as this sensor measures it: structured_light, stereo or "
            "time_of_flight. Default: leave that as it is."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the frames; not the one it was trained with.")] = 5_000,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "cpu",
) -> None:
    """Measure what a bundle's distances, scores and covariances are worth on synthetic frames, and set them right.

    A score then is the probability that ADD(-S) is below 0.1 diameters. The table that is printed, and replaces the one
    in a card beside the bundle (NAME.md), is measured on other frames of the same kind.
    Old bundles without their objects' colours also get these, which make poses more precise.
    """
    from rich.console import Console
    from rich.progress import Progress

    from pose_regressor.estimation.estimator import select_device
    from pose_regressor.files.io import check_file_to_write, read_text, write_text
    from pose_regressor.network.bundle import Bundle
    from pose_regressor.types import InputError
    from pose_regressor_training.calibrate.calibrate import add_colors, calibrate
    from pose_regressor_training.calibrate.metrics import measure, rows_of, with_metrics
    from pose_regressor_training.evaluate.plots import reliability_figure
    from pose_regressor_training.figures import print_table, write_figure
    from pose_regressor_training.samples.sensor_depth import SensorDepth

    console, target = Console(), out or bundle
    measuring = SensorDepth(sensor) if sensor else None  # type: ignore[arg-type]  # it checks the name itself
    check_file_to_write(target)
    if figure is not None and figure.suffix != ".png":
        raise InputError(f"{figure}: expected a name that ends in .png")
    loaded = Bundle.load(bundle)
    meshes, on = read_meshes(mesh, unit, color), str(select_device(device))
    scored = {}
    with Progress(console=console, transient=True) as bar:

        def line(what: str) -> Callable[[int], None]:
            task = bar.add_task(what, total=frames)
            return lambda done: bar.update(task, completed=done)

        if not measure_only:
            add_colors(loaded, meshes)
            fitted = calibrate(
                loaded, meshes, seed, frames, device=on, keep_distances=keep_distances, progress=line("calibrating"),
                sensor=measuring,
            )  # fmt: skip
            scored["raw"] = fitted.trial.scored()
        measured = measure(loaded, meshes, seed, frames, device=on, progress=line("measuring"))
    loaded.save(target)
    card = target.with_suffix(".md")
    if card.is_file():
        write_text(card, with_metrics(read_text(card), loaded))
    print_table(
        f"{frames} synthetic frames, {sum(measured.objects)} objects",
        ("", "now"),
        rows_of(loaded.metrics, loaded.objects),
    )
    knots = ", ".join(f"{raw:.2f}→{share:.2f}" for raw, share in loaded.calibration.score)
    console.print(
        f"{target}: scores {knots}; covariance x {loaded.calibration.covariance_scale:g}; "
        f"distances x {loaded.depth_scale:g}"
    )
    if figure is not None:
        scored["calibrated"] = measured.scored()
        names = ", ".join(model.name for model in loaded.objects)
        write_figure(figure.parent, figure.stem, reliability_figure(names, scored))
