"""What an evaluation writes: a table on the terminal, report.json, figures and the worst cases."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from pose_regressor.files.io import write_json
from pose_regressor.types import InputError
from pose_regressor_training.evaluate.dataset import EvaluationSet
from pose_regressor_training.evaluate.plots import has_visibility, recall_figure, reliability_figure, visibility_figure
from pose_regressor_training.evaluate.reliability import are_probabilities, reliability
from pose_regressor_training.evaluate.scores import BOP_ERRORS, Scores
from pose_regressor_training.evaluate.worst import worst_sheet
from pose_regressor_training.figures import write_figure, write_picture

#: Two tables, since a terminal has 80 columns. Of each column: heading, key of its figure, format.
_TABLES = (
    (
        ("targets", "targets", "{:.0f}"),
        ("found", "found", "{:.1%}"),
        ("ADD", "add_0.1d", "{:.1%}"),
        ("ADD-S", "add_s_0.1d", "{:.1%}"),
        ("ADD(-S)", "add(-s)_0.1d", "{:.1%}"),
        (".05d", "add(-s)_0.05d", "{:.1%}"),
        (".02d", "add(-s)_0.02d", "{:.1%}"),
        ("AUC", "auc", "{:.3f}"),
    ),
    (
        ("5° 5cm", "5deg_5cm", "{:.1%}"),
        ("rotation", "rotation_degrees_mean", "{:.1f}°"),
        ("median", "rotation_degrees_median", "{:.1f}°"),
        ("translation", "translation_share_mean", "{:.1%}"),
        ("median", "translation_share_median", "{:.1%}"),
        ("VSD", "vsd_recall", "{:.3f}"),
        ("MSSD", "mssd_recall", "{:.3f}"),
        ("MSPD", "mspd_recall", "{:.3f}"),
    ),
)


def print_scores(console: Console, dataset: EvaluationSet, scores: Scores) -> None:
    images = len({(target.scene_id, target.im_id) for target in dataset.targets})
    count = sum(int(target.wanted.sum()) for target in dataset.targets)
    console.print(f"targets: {dataset.targets_from}; {count} objects in {images} images")
    for title, columns in zip((dataset.name, None), _TABLES, strict=True):
        _print_table(console, title, columns, dataset, scores)
    console.print(
        "* symmetric: ADD(-S) is ADD-S. Shares within 0.1 diameters where nothing else is said. "
        "Errors of rotation and translation (share of the distance): mean and median of what was found.",
        style="dim",
    )
    bop = ", ".join(f"{name.upper()} {scores.bop[f'{name}_recall']:.3f}" for name in BOP_ERRORS
                    if f"{name}_recall" in scores.bop)  # fmt: skip
    if "ar" in scores.bop:
        console.print(f"BOP'19 AR {scores.bop['ar']:.3f} (over all targets: {bop})")
    else:
        console.print(f"BOP'19 average recall over all targets: {bop}; no VSD and no AR, they need test depth")
    scored = scores.scored
    if len(scored):
        worth = "their scores are not in [0, 1], so nothing is said of them"
        if are_probabilities(scored):
            worth = f"expected calibration error of their scores {reliability(scored).ece:.3f}"
        console.print(f"{len(scored)} poses, {scored[:, 1].mean():.1%} right; {worth}")


def _print_table(
    console: Console,
    title: str | None,
    columns: Sequence[tuple[str, str, str]],
    dataset: EvaluationSet,
    scores: Scores,
) -> None:
    shown = [column for column in columns if column[1] in scores.mean]
    table = Table(title=title, title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("object", *(heading for heading, *_ in shown)):
        table.add_column(heading, justify="left" if heading == "object" else "right", no_wrap=True)
    rows = [
        (item.model.name + ("*" if item.symmetric else ""), scores.objects[obj_id])
        for obj_id, item in dataset.objects.items()
    ]
    if len(rows) > 1:
        rows.append(("mean", scores.mean))
    for place, (name, figures) in enumerate(rows, start=2):
        table.add_row(name, *(_shown(figures[key], how) for _, key, how in shown), end_section=place == len(rows))
    console.print(table)


def _shown(value: float, how: str) -> str:
    return how.format(value) if np.isfinite(value) else "–"


def write_report(
    folder: Path, dataset: EvaluationSet, scores: Scores, settings: dict[str, Any], figures: bool = True
) -> Sequence[Path]:
    """Write report.json, worst.jpg and the figures recall.png, visibility.png and calibration.png. Returns their paths.

    Files that would have nothing to show are left out. settings: of the evaluation, for report.json.
    """
    paths = [folder / "report.json"]
    content = {"dataset": dataset.name, "targets": dataset.targets_from, "settings": settings} | scores.to_json()
    if are_probabilities(scores.scored):
        bins = reliability(scores.scored)
        content["reliability"] = {name: getattr(bins, name).tolist() for name in ("count", "score", "right")}
        content["reliability"]["ece"] = bins.ece
    write_json(paths[0], content)
    if figures:
        paths += _write_figures(folder, dataset, scores)
    sheet = worst_sheet(dataset, scores.outcomes)
    if sheet is not None:
        paths.append(folder / "worst.jpg")
        write_picture(paths[-1], sheet)
    return paths


def _write_figures(folder: Path, dataset: EvaluationSet, scores: Scores) -> list[Path]:
    try:
        paths = [write_figure(folder, "recall", recall_figure(dataset, scores))]
    except ModuleNotFoundError as error:
        raise InputError(f"figures: {error.name} is needed (pip install {error.name}), or give --no-figures") from None
    if has_visibility(scores.outcomes):
        paths.append(write_figure(folder, "visibility", visibility_figure(dataset, scores)))
    if are_probabilities(scores.scored):
        figure = reliability_figure(dataset.name, {"score": scores.scored})
        paths.append(write_figure(folder, "calibration", figure))
    return paths
