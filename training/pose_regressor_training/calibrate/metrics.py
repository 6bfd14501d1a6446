"""The figures of a bundle: what its poses turn out to be on synthetic frames, as numbers and as a table of its card."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pose_regressor.network.bundle import Bundle
from pose_regressor.settings import SCORE_THRESHOLD
from pose_regressor.types import ObjectModel
from pose_regressor_training.calibrate.calibrate import HELD
from pose_regressor_training.calibrate.trial import FALSE, FRAMES, Trial, try_out
from pose_regressor_training.evaluate.reliability import reliability
from pose_regressor_training.meshes.mesh import Mesh
from pose_regressor_training.randomize.config import RandomizeConfig
from pose_regressor_training.samples.sensor_depth import SensorDepth


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


#: Error of a precise pose, in diameters: half of what a right one may have.
PRECISE = 0.05
#: Key of each metric -> its words in a table, and how its value is written. {add} is the error that counts.
WORDS: dict[str, tuple[str, Callable[[float], str]]] = {
    "found_within_0.1d": ("objects found with {add} below 0.1 diameters", _percent),
    "found_within_0.05d": ("objects found with {add} below 0.05 diameters", _percent),
    "poses_within_0.1d": ("reported poses with {add} below 0.1 diameters", _percent),
    "false_poses_per_frame": ("reported poses more than half a diameter off any object, per frame", "{:.2f}".format),
    "median_rotation_error_deg": ("median rotation error of the poses below 0.1 diameters", "{:.1f}°".format),
    "median_translation_error_mm": ("median translation error of these", "{:.1f} mm".format),
    "expected_calibration_error": ("expected calibration error of the scores", "{:.3f}".format),
    "inside_95_percent_ellipsoid": ("true poses inside the 95 % ellipsoid of the covariance", _percent),
}
#: Key of the metrics with simulated depth, and how their words in a table begin.
DEPTH, WITH_DEPTH = "rgbd", "with depth: "
#: How the header of the table begins, today and in cards of bundles from before.
_HEADER = re.compile(r"\| (measured|scored)\b")
#: How a card tells of the distance factor.
_DISTANCES = re.compile(r"(Distances by PnP are multiplied with )\d+(\.\d+)?")


def measure(
    bundle: Bundle,
    meshes: Sequence[Mesh],
    seed: int,
    frames: int | None = None,
    config: RandomizeConfig | None = None,
    device: str = "cpu",
    progress: Callable[[int], None] = lambda done: None,
    sensor: SensorDepth | None = None,
) -> Trial:
    """Search synthetic frames as a user's program does, and set the bundle's metrics by what was found.

    Arguments are those of `calibrate`. The frames are others than those it takes for the same seed. Nothing else of the
    bundle changes. With a sensor, only the figures with depth change; without one, these stay.
    """
    trial = try_out(bundle, meshes, seed + 1, frames or FRAMES, config, device, progress=progress, sensor=sensor)
    if sensor:
        bundle.metrics = bundle.metrics | {DEPTH: metrics_of(trial)}
    else:
        kept = {key: value for key, value in bundle.metrics.items() if key == DEPTH}
        bundle.metrics = metrics_of(trial) | kept
    return trial


def metrics_of(trial: Trial) -> dict[str, float | int]:
    """Plain numbers for `Bundle.metrics`, from a trial with the bundle's own calibration and the usual threshold.

    frames, objects: how many it was measured on; the others as in `WORDS`. A figure without any pose is left out.
    """
    right = [one for one in trial.found if one.right]
    wanted = [one for one in right if one.visible]
    objects, found = sum(trial.objects), len(trial.found)
    figures = {
        "found_within_0.1d": _share(len(wanted), objects),
        "found_within_0.05d": _share(sum(one.error < PRECISE for one in wanted), objects),
        "poses_within_0.1d": _share(len(right), found),
        "false_poses_per_frame": sum(one.error >= FALSE for one in trial.found) / trial.frames,
        "median_rotation_error_deg": float(np.degrees(_median([one.rotation for one in right]))),
        "median_translation_error_mm": 1000 * _median([one.translation for one in right]),
        "expected_calibration_error": reliability(trial.scored()).ece,
        "inside_95_percent_ellipsoid": trial.inside(HELD),
    }
    counts = {"frames": trial.frames, "objects": objects}
    return counts | {key: round(value, 4) for key, value in figures.items() if np.isfinite(value)}


def _share(count: int, of: int) -> float:
    return count / of if of else np.nan


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if values else np.nan


def metrics_table(bundle: Bundle) -> list[str]:
    """Lines of a Markdown table; none for a bundle whose metrics were measured by an older version, or not at all."""
    rows = rows_of(bundle.metrics, bundle.objects)
    if not rows:
        return []
    frames, objects = bundle.metrics["frames"], bundle.metrics["objects"]
    header = f"| measured on {frames} synthetic frames with {objects} objects, score threshold {SCORE_THRESHOLD:g} |"
    return [header + " value |", "|---|---|", *(f"| {words} | {value} |" for words, value in rows)]


def rows_of(metrics: Mapping[str, Any], objects: Sequence[ObjectModel]) -> list[tuple[str, str]]:
    """Words and value of each metric that is known. objects: decide between ADD and ADD-S."""
    symmetric = {len(model.symmetries) > 0 for model in objects}
    add = "ADD(-S)" if len(symmetric) > 1 else "ADD-S" if True in symmetric else "ADD"
    with_depth = metrics.get(DEPTH, {})
    rows = [
        (begins + words.format(add=add), written(own[key]))
        for begins, own in (("", metrics), (WITH_DEPTH, with_depth))
        for key, (words, written) in WORDS.items()
        if key in own
    ]
    if with_depth and with_depth["frames"] != metrics.get("frames"):
        rows.append((f"{WITH_DEPTH}synthetic frames that this was measured on", str(with_depth["frames"])))
    return rows


def with_metrics(card: str, bundle: Bundle) -> str:
    """The text of a card with the bundle's table in place of the one it has, or at its end if it has none.

    The distance factor is brought up to date too; all other text stays.
    """
    card = _DISTANCES.sub(rf"\g<1>{bundle.depth_scale:g}", card)
    lines, table = card.rstrip("\n").split("\n"), metrics_table(bundle)
    first = next((number for number, line in enumerate(lines) if _HEADER.match(line)), None)
    if first is None:
        return "\n".join([*lines, "", *table]) + "\n"
    last = first
    while last < len(lines) and lines[last].startswith("|"):
        last += 1
    return "\n".join([*lines[:first], *table, *lines[last:]]) + "\n"
