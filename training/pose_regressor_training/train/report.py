"""What a training leaves to look at: a folder with report.md, the curves, the first batch, predictions and errors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from numpy.typing import NDArray

from pose_regressor.files.io import replacing, write_text
from pose_regressor.network.bundle import Bundle
from pose_regressor_training.calibrate.crops import CropErrors
from pose_regressor_training.figures import new_figure
from pose_regressor_training.train.card import METRICS
from pose_regressor_training.train.pictures import FIRST, PREDICTED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CURVES, ERRORS = "curves.png", "errors.png"


@dataclass(frozen=True, eq=False)
class Run:
    """command: the line that was given; pace: how long it took, in words; curve: the entries of the log."""

    command: str
    pace: str
    curve: Sequence[Mapping[str, float]]


def write_report(folder: Path, bundle: Bundle, errors: CropErrors, run: Run) -> Path:
    """The path of report.md. Pictures that are there already are shown in it."""
    if len(run.curve) > 1:
        _write_figure(folder / CURVES, curves_figure(run.curve, bundle.training["losses"]))
    if len(errors.share):
        _write_figure(folder / ERRORS, errors_figure(errors, [model.name for model in bundle.objects]))
    path = folder / "report.md"
    write_text(path, _text(folder, bundle, errors, run))
    return path


def _text(folder: Path, bundle: Bundle, errors: CropErrors, run: Run) -> str:
    lines = [f"# Training of {', '.join(model.name for model in bundle.objects)}", "", f"    {run.command}", ""]
    training = bundle.training
    images = f"{training['samples_rendered']} images, {training['samples_seen']} looks at them"
    lines += [f"{images}, {run.pace}, from {training['start']}.", ""]
    lines += ["| on crops that were not trained on | share |", "|---|---|"]
    lines += [f"| {METRICS[name]} | {100 * value:.1f} % |" for name, value in bundle.metrics.items() if name in METRICS]
    lines += ["", *_table(bundle, errors), ""]
    pictures = [
        (CURVES, "Losses", "Each term without its weight, and their weighted sum."),
        (FIRST, "First batch", "White: the true pose; yellow: what is seen of the object; pink: other known objects."),
        (PREDICTED, "Predictions", "White: true, yellow: regressed pose; beside it the predicted coordinates."),
        (ERRORS, "Errors", "By PnP where it answers, else regressed."),
    ]
    for name, title, words in pictures:
        if (folder / name).exists():
            lines += [f"## {title}", "", words, "", f"![{title}]({name})", ""]
    config = yaml.safe_dump(training, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)
    lines += ["## Configuration", "", "```yaml", config.rstrip("\n"), "```"]
    return "\n".join(lines) + "\n"


def _table(bundle: Bundle, errors: CropErrors) -> list[str]:
    lines = [
        "| object | crops | ADD(-S) < 0.1 d | median ADD(-S) / d | rotation | translation |",
        "|---|---|---|---|---|---|",
    ]
    for channel, model in enumerate(bundle.objects):
        own = errors.channel == channel
        if own.any():
            share, rotation, translation = (
                values[own] for values in (errors.share, errors.rotation, errors.translation)
            )
            lines.append(
                f"| {model.name} | {own.sum()} | {100 * np.mean(share < 0.1):.1f} % | {np.median(share):.3f} "
                f"| {np.median(rotation):.1f}° | {100 * np.median(translation):.1f} % |"
            )
    return lines


def curves_figure(curve: Sequence[Mapping[str, float]], weights: Mapping[str, float]) -> Figure:
    """A panel for the weighted sum and for each term, over the steps."""
    names = [name for name in curve[-1] if name in weights]
    steps = np.array([entry["step"] for entry in curve])
    values: dict[str, NDArray] = {name: np.array([entry[name] for entry in curve]) for name in names}
    panels = {"weighted sum": sum(weights[name] * values[name] for name in names)} | values
    columns = 4
    rows = math.ceil(len(panels) / columns)
    figure, axes = new_figure(12, 2.2 * rows, rows, columns)
    for axis, (name, points) in zip(axes.flat, panels.items(), strict=False):
        axis.plot(steps, np.asarray(points), lw=0.8)
        axis.set_title(name, fontsize=9)
        axis.set_ylim(bottom=0)
        axis.tick_params(labelsize=7)
    for axis in axes.flat[len(panels) :]:
        axis.axis("off")
    return figure


def errors_figure(errors: CropErrors, names: Sequence[str]) -> Figure:
    """Histograms of ADD(-S), rotation and translation, a colour an object; what lies beyond is in the last bar."""
    figure, ((first, second, third),) = new_figure(12, 3.2, 1, 3)
    panels: list[tuple[Any, NDArray, float, str]] = [
        (first, errors.share, 0.5, "ADD(-S), diameters"),
        (second, errors.rotation, 30.0, "rotation, degrees"),
        (third, 100 * errors.translation, 20.0, "translation, % of the distance"),
    ]
    for axis, values, most, label in panels:
        each = [values[errors.channel == channel].clip(max=most) for channel in range(len(names))]
        axis.hist(each, bins=list(np.linspace(0, most, 26)), stacked=True, label=list(names))
        axis.set(xlabel=label, ylabel="crops", xlim=(0, most))
    first.legend(fontsize=8)
    return figure


def _write_figure(path: Path, figure: Figure) -> None:
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=90)
