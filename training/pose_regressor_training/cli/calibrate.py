"""``pose-regressor calibrate``: make a bundle's distances, scores and covariances mean what they say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from pose_regressor_training.cli.options import (
    BundleMeshesOption,
    BundleModelsInfoOption,
    BundleNameOption,
    ColorOption,
    DeviceOption,
    UnitsOption,
    read_meshes,
)


def calibrate(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="File to calibrate.")],
    mesh: BundleMeshesOption,
    unit: UnitsOption = None,
    color: ColorOption = None,
    name: BundleNameOption = None,
    models_info: BundleModelsInfoOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Bundle to write. Default: BUNDLE itself.")
    ] = None,
    frames: Annotated[
        int,
        typer.Option(
            metavar="N", min=16, help="Synthetic frames to calibrate on, and as many to measure the figures on."
        ),
    ] = 320,
    figure: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Figure to write: share of right poses at each score. Default: none."),
    ] = None,
    measure_only: Annotated[
        bool,
        typer.Option(
            "--measure-only", help="Keep the calibration; only measure the figures of the bundle and its card."
        ),
    ] = False,
    keep_distances: Annotated[bool, typer.Option("--keep-distances", help="Do not correct distances.")] = False,
    sensor: Annotated[
        str | None,
        typer.Option(
            metavar="SENSOR",
            help="Also calibrate poses with depth, as this sensor measures it: structured_light, stereo, "
            "time_of_flight, or mixed: all three in turn. Default: leave that as it is.",
        ),
    ] = None,
    only_depth: Annotated[
        bool,
        typer.Option("--only-depth", help="With --sensor: calibrate poses with depth, and leave all else as it is."),
    ] = False,
    only_int8: Annotated[
        bool,
        typer.Option(
            "--only-int8",
            help="Measure what int8 needs, and offer it if poses stay as good. Leave all else as it is.",
        ),
    ] = False,
    seed: Annotated[
        int, typer.Option(metavar="N", min=0, help="Seed of the frames; take another one than the training's.")
    ] = 5_000,
    device: DeviceOption = "cpu",
) -> None:
    """Correct a bundle's distances, scores and covariances by their errors on synthetic frames.

    Then a score is the probability that ADD(-S) is below 0.1 diameters. Prints a table of figures, measured on further
    frames, and writes it into the bundle's card (NAME.md) if there is one. Adds the objects' colours to a bundle that
    lacks them.
    """
    from rich.console import Console
    from rich.progress import Progress

    from pose_regressor.estimation.observer import LEAST_WITH_DEPTH
    from pose_regressor.files.io import check_file_to_write, read_text, write_text
    from pose_regressor.network.bundle import Bundle
    from pose_regressor.network.runners import select_device
    from pose_regressor.types import InputError
    from pose_regressor_training.calibrate.calibrate import add_colors, calibrate, take_symmetries
    from pose_regressor_training.calibrate.metrics import measure, rows_of, with_metrics
    from pose_regressor_training.calibrate.quantize import compared, quantize
    from pose_regressor_training.evaluate.plots import reliability_figure
    from pose_regressor_training.figures import print_table, write_figure
    from pose_regressor_training.samples.sensor_depth import SensorDepth

    console, target = Console(), out or bundle
    measuring = SensorDepth(sensor) if sensor else None  # type: ignore[arg-type]  # it checks the name itself
    check_file_to_write(target)
    if only_int8 and (only_depth or measure_only or measuring or keep_distances or models_info or figure):
        raise InputError("--only-int8: expected none of the options that calibrate or measure something else beside it")
    if only_depth and measuring is None:
        raise InputError("--only-depth: expected --sensor too, which says whose depth")
    if figure is not None and figure.suffix != ".png":
        raise InputError(f"{figure}: expected a name that ends in .png")
    loaded = Bundle.load(bundle)
    in_order = read_meshes(mesh, unit, color)
    meshes = [in_order[place] for place in _places([known.name for known in loaded.objects], name, len(mesh))]
    if models_info is not None:
        take_symmetries(loaded, models_info)
    on = select_device(device)
    scored = {}
    with Progress(console=console, transient=True) as bar:

        def line(what: str, total: int = frames) -> Callable[[int], None]:
            task = bar.add_task(what, total=total)
            return lambda done: bar.update(task, completed=done)

        if only_int8:
            quantized = quantize(loaded, meshes, seed, frames, device=on, progress=line("int8", compared(frames)))
            loaded.save(target)
            console.print(f"{target}: {quantized.in_words()}")
            raise typer.Exit(0 if loaded.quantization else 1)
        if not measure_only:
            if not only_depth:
                add_colors(loaded, meshes)
            fitted = calibrate(
                loaded, meshes, seed, frames, device=on, keep_distances=keep_distances, progress=line("calibrating"),
                sensor=measuring, only_depth=only_depth,
            )  # fmt: skip
            scored["raw"] = fitted.trial.scored()
        measured = None
        if not only_depth:
            measured = measure(loaded, meshes, seed, frames, device=on, progress=line("measuring"))
        if measuring:
            with_depth = measure(loaded, meshes, seed, frames, device=on, progress=line("with depth"), sensor=measuring)
            measured = measured or with_depth
    assert measured is not None
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
    if measuring:
        rgbd = loaded.rgbd_calibration
        knots = ", ".join(f"{raw:.2f}→{rgbd.probability(raw):.2f} (measured: {share:.2f})" for raw, share in rgbd.score)
        scale = rgbd.covariance_scale
        used = f"{LEAST_WITH_DEPTH:g} (measured: {scale:g})" if scale < LEAST_WITH_DEPTH else f"{scale:g}"
        console.print(f"with depth: scores {knots}; covariance x {used}")
    if figure is not None:
        scored["calibrated"] = measured.scored()
        names = ", ".join(model.name for model in loaded.objects)
        write_figure(figure.parent, figure.stem, reliability_figure(names, scored))


def _places(known: list[str], names: list[str] | None, count: int) -> list[int]:
    """Which of `count` meshes belongs to each object that is known, in their order."""
    from pose_regressor.types import InputError

    if not names:
        return list(range(count))
    if sorted(names) != sorted(known) or len(names) != count:
        raise InputError(f"--name: expected one for each mesh, all of {', '.join(known)}, got {', '.join(names)}")
    return [names.index(name) for name in known]
