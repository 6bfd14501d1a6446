"""Figures of an evaluation: recall over the threshold, errors over visibility, reliability of scores."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from pose_regressor.types import FloatArray
from pose_regressor_training.evaluate.dataset import EvaluationSet
from pose_regressor_training.evaluate.judge import RIGHT, Outcome
from pose_regressor_training.evaluate.reliability import reliability
from pose_regressor_training.evaluate.scores import Scores
from pose_regressor_training.figures import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Thresholds of the recall curve, in diameters.
_SHARES = np.linspace(0, 0.3, 121)
_VISIBILITY_BINS = np.linspace(0, 1, 6)


def recall_figure(dataset: EvaluationSet, scores: Scores) -> Figure:
    """Recall of ADD(-S) over its threshold, a line for each object."""
    figure, ((axes,),) = new_figure(6, 4)
    curves = []
    for obj_id, item in dataset.objects.items():
        errors = np.array([o.error for o in scores.outcomes if o.target.obj_id == obj_id]) / item.diameter
        curves.append((errors[:, None] < _SHARES).mean(0))
        name = item.model.name + (" (S)" if item.symmetric else "")
        axes.plot(_SHARES, curves[-1], lw=1, label=f"{name}, {np.mean(errors < RIGHT):.0%}")
    if len(curves) > 1:
        mean = np.mean(curves, axis=0)
        axes.plot(_SHARES, mean, "k", lw=2, label=f"mean, {np.interp(RIGHT, _SHARES, mean):.0%}")
    axes.axvline(RIGHT, color="grey", lw=0.8, ls=":")
    axes.set(xlabel="threshold of ADD(-S), share of the diameter", ylabel="recall", ylim=(0, 1), xlim=(0, _SHARES[-1]))
    axes.set_title(dataset.name)
    axes.legend(fontsize=8)
    return figure


def visibility_figure(dataset: EvaluationSet, scores: Scores) -> Figure:
    """Error of every found object over its visible share, with the recall in each fifth of visibility."""
    figure, ((axes,),) = new_figure(6, 4)
    outcomes = scores.outcomes
    visible = np.array([o.visibility for o in outcomes])
    error = np.array([o.error / dataset.objects[o.target.obj_id].diameter for o in outcomes])
    found = np.isfinite(error)
    axes.scatter(visible[found], error[found].clip(1e-3), s=6, alpha=0.5, label="found")
    axes.scatter(visible[~found], np.full((~found).sum(), 2.0), s=12, marker="x", color="tab:red", label="not found")
    axes.axhline(RIGHT, color="grey", lw=0.8, ls=":")
    axes.set(xlabel="visible share", ylabel="ADD(-S), share of the diameter", yscale="log", xlim=(0, 1.02))
    recall = axes.twinx()
    for low, high in pairwise(_VISIBILITY_BINS):
        inside = (visible > low) & (visible <= high)
        if inside.any():
            share = np.mean(error[inside] < RIGHT)
            recall.bar((low + high) / 2, share, high - low, color="tab:green", alpha=0.15)
    recall.set(ylim=(0, 1), ylabel=f"recall at {RIGHT:g} d")
    axes.set_title(dataset.name)
    axes.legend(fontsize=8, loc="upper left")
    axes.set_zorder(recall.get_zorder() + 1)
    axes.patch.set_visible(False)
    return figure


def has_visibility(outcomes: tuple[Outcome, ...]) -> bool:
    return any(np.isfinite(outcome.visibility) for outcome in outcomes)


def reliability_figure(title: str, scored: dict[str, FloatArray]) -> Figure:
    """Share of right poses over the score. scored: by label, (N, 2) scores and whether the pose is right."""
    figure, ((upper,), (lower,)) = new_figure(4.5, 5, 2)
    upper.plot([0, 1], [0, 1], color="grey", lw=0.8, ls=":")
    for label, pairs in scored.items():
        bins = reliability(pairs)
        upper.plot(bins.score, bins.right, "o-", ms=4, label=f"{label}: ECE {bins.ece:.3f}, {len(pairs)} poses")
        lower.hist(pairs[:, 0], np.linspace(0, 1, 21), histtype="step", label=label)
    upper.set(ylabel=f"share within ADD(-S) {RIGHT:g} d", xlim=(0, 1), ylim=(0, 1))
    upper.legend(fontsize=8)
    lower.set(xlabel="score", ylabel="poses", xlim=(0, 1))
    upper.set_title(title)
    return figure
