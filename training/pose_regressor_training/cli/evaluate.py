"""``pose-regressor evaluate``: how accurate poses are on a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pose_regressor.settings import SCORE_THRESHOLD
from pose_regressor_training.cli.options import DeviceOption, MissingMeshesOption, UnitOption, warnings_on_stderr


def evaluate(
    dataset: Annotated[Path, typer.Option(metavar="FOLDER", help="BOP dataset, or the folder of one of its splits.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Folder of the report.")] = Path(
        "out/evaluation"
    ),
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="BOP result CSV to evaluate. Give this or --model.")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="BUNDLE",
            help="Bundle to run on the images in place of --csv: a file, or the name of a shipped one. Repeat it for "
            "more. Default: none.",
        ),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            metavar="frames|tracker", help="How --model sees images. frames: each alone; tracker: as a video."
        ),
    ] = "frames",
    threshold: Annotated[
        float,
        typer.Option(metavar="NUMBER", min=0.0, max=1.0, help="Least score of a pose by --model, a probability."),
    ] = SCORE_THRESHOLD,
    support_plane: Annotated[
        bool,
        typer.Option(
            "--support-plane/--no-support-plane",
            help="Of --model: objects stand on one plane, such as a table: find it in each image, and put them on it.",
        ),
    ] = False,
    split: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Folder of the scenes in the dataset. Default: test, or the only one."),
    ] = None,
    targets: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="List of targets in the dataset's folder, or visible: every object that is at least a tenth visible. "
            "Default: SPLIT_targets_bop19.json or ..._bop24.json, else visible.",
        ),
    ] = None,
    sensor: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Camera of a scene with several, such as cam1. Default: the one that bop_toolkit evaluates.",
        ),
    ] = None,
    obj_id: Annotated[
        list[int] | None,
        typer.Option(
            metavar="ID", help="Evaluate this object only. Repeat it for more. Default: all, or those of --model."
        ),
    ] = None,
    mesh: MissingMeshesOption = None,
    unit: UnitOption = None,
    device: DeviceOption = "auto",
    vsd: Annotated[
        bool,
        typer.Option("--vsd/--no-vsd", help="Compute BOP's VSD if the dataset has depth images. It takes longest."),
    ] = True,
    figures: Annotated[bool, typer.Option("--figures/--no-figures", help="Draw figures.")] = True,
) -> None:
    """Compare poses with the true ones of a BOP dataset: ADD(-S), AUC, 5°/5cm, and BOP's VSD, MSSD and MSPD.

    The poses come from --csv, or --model finds them. Prints a table, and writes report.json, figures and the worst
    cases to --out.

        pose-regressor evaluate --dataset lmo --split test --csv results.csv --out out/lmo
    """
    from rich.console import Console
    from rich.progress import Progress

    from pose_regressor.assets import find_model
    from pose_regressor.estimation.estimator import PoseEstimator
    from pose_regressor.network.runners import select_device
    from pose_regressor.types import InputError
    from pose_regressor_training.evaluate.dataset import open_dataset
    from pose_regressor_training.evaluate.judge import Judge, false_alarms
    from pose_regressor_training.evaluate.report import print_scores, write_report
    from pose_regressor_training.evaluate.results import read_results
    from pose_regressor_training.evaluate.run import write_results
    from pose_regressor_training.evaluate.scores import score

    console = Console()
    if (csv is None) == (not model):
        raise InputError("expected either --csv with results or --model with a bundle to run")
    if support_plane and not model:
        raise InputError("--support-plane: applies to --model, expected a bundle to run; the poses of --csv are given")
    estimator = None
    if model:
        estimator = PoseEstimator([find_model(name) for name in model], device, threshold, support_plane=support_plane)
        obj_id = obj_id or [known.obj_id for known in estimator.objects]
    with warnings_on_stderr():
        opened = open_dataset(dataset, split, mesh or (), unit, obj_id or None, targets, sensor)
    images = len({(target.scene_id, target.im_id) for target in opened.targets})
    with Progress(console=console, transient=True) as bar:
        if estimator is not None:
            running, csv = bar.add_task("images", total=images), out / "poses.csv"
            write_results(opened, estimator, csv, method, lambda done: bar.update(running, completed=done))
        assert csv is not None
        judging = bar.add_task("targets", total=len(opened.targets))
        judge = Judge(opened, vsd, select_device(device))
        results = read_results(csv)
        judged = judge.judge(results, lambda done: bar.update(judging, completed=done))
    scores = score(opened, judged, false_alarms(opened, results))
    print_scores(console, opened, scores)
    settings: dict[str, object] = {"images": images}
    of_model = {"model": model, "method": method, "threshold": threshold, "support_plane": support_plane}
    settings |= of_model if model else {"csv": csv.name}
    written = write_report(out, opened, scores, settings, figures)
    console.print(f"{out}: {', '.join(path.name for path in written)}")
