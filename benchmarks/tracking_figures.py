"""The figures that tracking.py takes of a sequence of poses."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pose_regressor.geometry.errors import add
from pose_regressor.tracking.kalman import difference, moved
from pose_regressor.types import FloatArray, ObjectModel

CLOSE = 0.1
#: A true pose rests if it stays this near to its median over 21 frames, in metres and radians. A hand that holds still
#: moves less, and so does the noise of a measured truth.
RESTING = (2.5e-3, np.radians(1.5))

Poses = Mapping[int, FloatArray]


@dataclass(frozen=True)
class Figures:
    """The figures that the docstring of tracking.py explains."""

    found: float
    add: float
    close: float
    jitter_mm: float
    jitter_deg: float
    wander_mm: float
    wander_deg: float
    lag_frames: float
    ids: int


def filled(truth: Poses, gap: int = 3) -> dict[int, FloatArray]:
    """The true poses, and poses in between where two annotated frames are at most `gap` frames apart."""
    result = dict(truth)
    for a, b in itertools.pairwise(sorted(truth)):
        if 1 < b - a <= gap:
            step = difference(truth[b], truth[a])
            result |= {i: moved(truth[a], step * (i - a) / (b - a)) for i in range(a + 1, b)}
    return result


def rests(truth: Poses) -> list[list[int]]:
    """The runs of frames, of ten or more, in which the true pose rests."""
    resting = []
    for i in sorted(truth):
        around = [truth[k] for k in range(i - 10, i + 11) if k in truth]
        steps = np.array([difference(pose, truth[i]) for pose in around])
        steps -= np.median(steps, axis=0)
        near = np.linalg.norm(steps[:, :3], axis=1).max() < RESTING[0]
        if len(around) == 21 and near and np.linalg.norm(steps[:, 3:], axis=1).max() < RESTING[1]:
            resting.append(i)
    runs = [[i for _, i in group] for _, group in itertools.groupby(enumerate(resting), lambda x: x[1] - x[0])]
    return [run for run in runs if len(run) >= 10]


def rms(steps: list[FloatArray]) -> tuple[float, float]:
    """Millimetres and degrees."""
    if not steps:
        return float("nan"), float("nan")
    squares = np.square(np.array(steps))
    return 1e3 * float(squares[:, :3].sum(1).mean() ** 0.5), float(np.degrees(squares[:, 3:].sum(1).mean() ** 0.5))


def trembling(poses: Poses, truth: Poses) -> tuple[tuple[float, float], tuple[float, float]]:
    """Jitter and wander."""
    steps, offsets = [], []
    for run in rests(truth):
        there = [i for i in run if i in poses]
        steps += [difference(poses[i], poses[i - 1]) / 2**0.5 for i in there if i - 1 in poses and i - 1 in run]
        around = np.array([difference(poses[i], poses[there[0]]) for i in there])
        offsets += list(around - around.mean(0)) if len(there) else []
    return rms(steps), rms(offsets)


def lag(model: ObjectModel, poses: Poses, truth: Poses) -> float:
    """Frames."""
    corners = np.array(list(itertools.product(*model.bounds.T)))
    frames = max([*poses, *truth]) + 1

    def places(source: Poses) -> FloatArray:
        """(frames, 24) corner coordinates; NaN if a frame has no pose."""
        result = np.full((frames, 24), np.nan)
        for i, pose in source.items():
            result[i] = (corners @ pose[:3, :3].T + pose[:3, 3]).ravel()
        return result

    def velocities(place: FloatArray, shift: float) -> FloatArray:
        """Velocities `shift` frames earlier, as steps over six frames. Over fewer the noise exceeds the motion."""
        whole = int(np.floor(shift))
        early, late = np.roll(place, whole + 1, axis=0), np.roll(place, whole, axis=0)
        there = late if shift == whole else late + (shift - whole) * (early - late)
        return np.roll(there, -3, axis=0) - np.roll(there, 3, axis=0)

    measured, true = velocities(places(poses), 0), places(truth)
    shifts = np.round(np.arange(-5, 5.01, 0.1), 1)
    wanted = np.stack([velocities(true, shift) for shift in shifts])
    # The same frames for every shift, without those in which the pose jumps as no motion does.
    usable = np.isfinite(wanted).all((0, 2)) & (np.abs(measured).max(1) < 2 * np.nanmax(np.abs(wanted)))
    usable[:10] = usable[-10:] = False
    products = (wanted[:, usable] * measured[usable]).sum((1, 2))
    return float(shifts[np.argmax(products / np.sqrt(np.square(wanted[:, usable]).sum((1, 2))))])


def figures(model: ObjectModel, poses: Poses, truth: Poses, ids: int) -> Figures:
    errors = [add(poses[i], truth[i], model.points) / model.diameter for i in truth if i in poses]
    whole = filled(truth)
    jitter, wander = trembling(poses, whole)
    return Figures(
        found=len(errors) / len(truth),
        add=statistics.fmean(errors),
        close=sum(error < CLOSE for error in errors) / len(truth),
        jitter_mm=jitter[0],
        jitter_deg=jitter[1],
        wander_mm=wander[0],
        wander_deg=wander[1],
        lag_frames=lag(model, poses, whole),
        ids=ids,
    )
