"""The report of a training: a folder with report.md, the loss curves, the first batch, predictions and errors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from numpy.typing import NDArray

from pose_regressor.files.io import write_text
from pose_regressor.network.bundle import Bundle
from pose_regressor_training.calibrate.metrics import metrics_table
from pose_regressor_training.calibrate.trial import FALSE, Trial
from pose_regressor_training.figures import new_figure, write_figure
from pose_regressor_training.train.pictures import FIRST, PREDICTED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CURVES, ERRORS = "curves", "errors"


@dataclass(frozen=True, eq=False)
class Run:
    """How a training was run.

    command: the command line
    pace: how fast it was, in words
    curve: entries of the log, each with its step and the mean of every loss term
    """

    command: str
    pace: str
    curve: Sequence[Mapping[str, float]]


def write_report(folder: Path, bundle: Bundle, trial: Trial, run: Run) -> Path:
    """Write the report and return the path of report.md. It shows the pictures that are in the folder already.

    trial: the one that the bundle's metrics were measured on
    """
    if len(run.curve) > 1:
        write_figure(folder, CURVES, curves_figure(run.curve, bundle.training["losses"]), dpi=90)
    if any(np.isfinite(one.rotation) for one in trial.found):
        write_figure(folder, ERRORS, errors_figure(trial, [model.name for model in bundle.objects]), dpi=90)
    path = folder / "report.md"
    write_text(path, _text(folder, bundle, trial, run))
    return path


def _text(folder: Path, bundle: Bundle, trial: Trial, run: Run) -> str:
    lines = [f"# Training of {', '.join(model.name for model in bundle.objects)}", "", f"    {run.command}", ""]
    training = bundle.training
    images = f"{training['samples_rendered']} images, {training['samples_seen']} looks at them"
    lines += [f"{images}, {run.pace}, from {training['start']}.", ""]
    lines += [*metrics_table(bundle), "", *_objects_table(bundle, trial), ""]
    pictures = [
        (f"{CURVES}.png", "Losses", "Each term without its weight, and their weighted sum."),
        (FIRST, "First batch", "White: the true pose; yellow: what is seen of the object; pink: other known objects."),
        (PREDICTED, "Predictions", "White: true, yellow: regressed pose; beside it the predicted coordinates."),
        (f"{ERRORS}.png", "Errors", f"Of the reported poses that are less than {FALSE:g} diameters off."),
    ]
    for name, title, words in pictures:
        if (folder / name).exists():
            lines += [f"## {title}", "", words, "", f"![{title}]({name})", ""]
    config = yaml.safe_dump(training, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)
    lines += ["## Configuration", "", "```yaml", config.rstrip("\n"), "```"]
    return "\n".join(lines) + "\n"


def _objects_table(bundle: Bundle, trial: Trial) -> list[str]:
    """Lines of a Markdown table with a row for each object; medians are those of its right poses."""
    lines = [
        "| object | in the frames | found, ADD(-S) < 0.1 d | median ADD(-S) / d | rotation | translation |",
        "|---|---|---|---|---|---|",
    ]
    for channel, model in enumerate(bundle.objects):
        count = trial.objects[channel]
        right = [one for one in trial.found if one.channel == channel and one.right]
        found = f"{100 * sum(one.visible for one in right) / count:.1f} %" if count else "-"
        medians = ["-"] * 3
        if right:
            error, rotation, translation = np.median([(r.error, r.rotation, r.translation) for r in right], axis=0)
            medians = [f"{error:.3f}", f"{np.degrees(rotation):.1f}°", f"{1000 * translation:.1f} mm"]
        lines.append(f"| {model.name} | {count} | {found} | {' | '.join(medians)} |")
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


def errors_figure(trial: Trial, names: Sequence[str]) -> Figure:
    """Histograms of ADD(-S), rotation and translation, a colour for each object. The last bar holds all larger errors.

    False poses are left out.
    """
    figure, ((first, second, third),) = new_figure(12, 3.2, 1, 3)
    each = [[one for one in trial.found if one.channel == c and one.error < FALSE] for c in range(len(names))]
    panels: list[tuple[Any, Any, float, str]] = [
        (first, lambda one: one.error, FALSE, "ADD(-S), diameters"),
        (second, lambda one: np.degrees(one.rotation), 30.0, "rotation, degrees"),
        (third, lambda one: 1000 * one.translation, 50.0, "translation, mm"),
    ]
    for axis, value, most, label in panels:
        values = [np.array([value(one) for one in own]).clip(max=most) for own in each]
        axis.hist(values, bins=list(np.linspace(0, most, 26)), stacked=True, label=list(names))
        axis.set(xlabel=label, ylabel="poses", xlim=(0, most))
    first.legend(fontsize=8)
    return figure
