"""Recalls and mean errors, for each object and for all together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import FloatArray
from pose_regressor_training.evaluate.dataset import EvaluatedObject, EvaluationSet
from pose_regressor_training.evaluate.judge import Judged, Outcome
from pose_regressor_training.evaluate.matching import PIXELS, SHARES, hits

#: Thresholds of ADD(-S), in diameters.
TIGHT = np.array([0.02, 0.05, 0.1])
#: The area under the recall of ADD(-S) is taken up to here, metres (Xiang et al., PoseCNN, RSS 2018).
AUC_LIMIT = 0.1
DEGREES, METRES = 5.0, 0.05
#: BOP's three errors; their average recalls make up AR.
BOP_ERRORS = ("vsd", "mssd", "mspd")


@dataclass(frozen=True, eq=False)
class Scores:
    """What the estimates of a dataset are worth. Shares are in [0, 1].

    objects: figures by BOP id
    mean: of each figure over the objects
    bop: average recalls over all targets, as BOP'19 counts them
    outcomes: of all targets
    scored: (N, 2) score of every estimate, false alarms among them, and whether it is right
    """

    objects: dict[int, dict[str, float]]
    mean: dict[str, float]
    bop: dict[str, float]
    outcomes: tuple[Outcome, ...]
    scored: FloatArray

    def to_json(self) -> dict[str, Any]:
        return {
            "objects": {str(obj_id): _plain(figures) for obj_id, figures in self.objects.items()},
            "mean": _plain(self.mean),
            "bop": _plain(self.bop),
        }


def score(dataset: EvaluationSet, judged: Sequence[Judged], alarms: Sequence[tuple[float, bool]] = ()) -> Scores:
    """The figures of a dataset.

    judged: the estimates of all targets
    alarms: see `judge.false_alarms`
    """
    objects = {
        obj_id: _figures(item, [j for j in judged if j.target.obj_id == obj_id])
        for obj_id, item in dataset.objects.items()
    }
    mean = {
        name: float(np.mean([figures[name] for figures in objects.values()])) for name in next(iter(objects.values()))
    }
    mean["targets"] = sum(figures["targets"] for figures in objects.values())
    scored = np.array([*(pair for j in judged for pair in j.scored), *alarms], np.float64).reshape(-1, 2)
    outcomes = tuple(outcome for j in judged for outcome in j.outcomes)
    return Scores(objects, mean, _bop(dataset.objects, judged), outcomes, scored)


def _figures(item: EvaluatedObject, judged: Sequence[Judged]) -> dict[str, float]:
    outcomes = [outcome for j in judged for outcome in j.outcomes]
    found = [outcome for outcome in outcomes if outcome.estimate is not None]
    count = len(outcomes)
    figures = {"targets": count, "found": len(found) / count}
    limits = TIGHT * item.diameter
    add, add_s = (_recall(judged, name, limits) for name in ("add", "add_s"))
    figures |= {"add_0.1d": float(add[-1]), "add_s_0.1d": float(add_s[-1])}
    names = [f"add(-s)_{share:g}d" for share in TIGHT]
    figures |= dict(zip(names, map(float, add_s if item.symmetric else add), strict=True))
    figures["auc"] = float(np.mean([max(0.0, 1 - outcome.error / AUC_LIMIT) for outcome in outcomes]))
    near = [np.degrees(o.rotation) < DEGREES and o.translation < METRES for o in outcomes]
    figures["5deg_5cm"] = float(np.mean(near))
    rotation = np.degrees([outcome.rotation for outcome in found])
    translation = np.array([outcome.translation / outcome.distance for outcome in found])
    for name, values in (("rotation_degrees", rotation), ("translation_share", translation)):
        for kind, how in (("mean", np.mean), ("median", np.median)):
            figures[f"{name}_{kind}"] = float(how(values)) if len(found) else float("nan")
    return figures | _bop({item.obj_id: item}, judged)


def _recall(judged: Sequence[Judged], name: str, limits: NDArray) -> FloatArray:
    """(T,) recall over one object's targets."""
    total = sum(int(j.target.wanted.sum()) for j in judged)
    return np.asarray(sum(hits(getattr(j, name), limits) for j in judged) / total)


def _bop(objects: dict[int, EvaluatedObject], judged: Sequence[Judged]) -> dict[str, float]:
    """BOP's average recalls and their mean, AR. Without test depth, neither VSD nor AR."""
    total = sum(int(j.target.wanted.sum()) for j in judged)
    counts: dict[str, Callable[[Judged], Iterable[NDArray]]] = {
        "mssd": lambda j: [hits(j.mssd, SHARES * objects[j.target.obj_id].diameter)],
        "mspd": lambda j: [hits(j.mspd, PIXELS)],
    }
    if all(j.vsd is not None for j in judged):
        counts = {"vsd": lambda j: [hits(of_tau, SHARES) for of_tau in np.moveaxis(j.vsd, -1, 0)]} | counts
    recalls = {
        name: float(np.mean(sum(np.asarray(count(j), np.float64) for j in judged)) / total)
        for name, count in counts.items()
    }
    if len(recalls) == len(BOP_ERRORS):
        recalls["ar"] = float(np.mean([recalls[name] for name in BOP_ERRORS]))
    return {f"{name}_recall" if name != "ar" else name: value for name, value in recalls.items()}


def _plain(figures: dict[str, float]) -> dict[str, float | None]:
    """Numbers that JSON knows: NaN becomes None."""
    return {name: round(value, 6) if np.isfinite(value) else None for name, value in figures.items()}
