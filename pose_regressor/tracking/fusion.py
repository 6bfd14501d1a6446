"""Several calibrated cameras, one pose of each object: what [DPR] calls multi-view regression, after the fact.

Poses are taken to a common frame and there averaged on ⟨R³, SO(3)⟩, each weighted with its information, the inverse of
its covariance: a camera is good across its view and bad along it, so two that look from the side help each other by
more than their number. Errors of different cameras are taken for independent, as their views are different.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pose_regressor.geometry.rigid import difference, moved
from pose_regressor.tracking.association import assign
from pose_regressor.tracking.kalman import nearest
from pose_regressor.types import FloatArray, PoseEstimate

#: Two poses of one object: largest squared Mahalanobis distance, 99.9 % of chi-square with 6 degrees of freedom.
GATE = 22.46
#: Two places of one object, 99.9 % with 3.
PLACE_GATE = 16.27
#: Steps after which the mean has long settled: each squares the error of the one before.
STEPS = 10


@dataclass(frozen=True, eq=False)
class Fused:
    """estimate: in the common frame; used, rejected: numbers of the poses that went in and that did not fit."""

    estimate: PoseEstimate
    used: tuple[int, ...]
    rejected: tuple[int, ...]


def in_frame(estimate: PoseEstimate, frame_from_camera: FloatArray) -> PoseEstimate:
    """The estimate in another frame, (4, 4) from its own; its covariance turns along."""
    turn = np.kron(np.eye(2), frame_from_camera[:3, :3])
    return replace(
        estimate, cam_from_obj=frame_from_camera @ estimate.cam_from_obj, covariance=turn @ estimate.covariance @ turn.T
    )


def mean_pose(poses: Sequence[FloatArray], covariances: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """The pose (4, 4) that is least far from all poses, by Mahalanobis distance, and its covariance (6, 6).

    Gauss-Newton from the first pose; Solà et al., arXiv:1812.01537, section V, for averages on a manifold.
    """
    information = [np.linalg.inv(covariance) for covariance in covariances]
    total = np.sum(information, axis=0)
    mean = poses[0]
    for _ in range(STEPS):
        pull = sum(weight @ difference(pose, mean) for weight, pose in zip(information, poses, strict=True))
        step = np.linalg.solve(total, pull)
        mean = moved(mean, step)
        if np.abs(step).max() < 1e-12:
            break
    return mean, np.linalg.inv(total)


def fuse(estimates: Sequence[PoseEstimate]) -> Fused:
    """One pose from estimates of one object in one frame, one of each camera.

    The largest set of which all agree with one of them counts, of two as large the one with the better scores. The
    score is that of the best camera: that another one sees less does not make it worse.
    """
    best: list[PoseEstimate] = []
    chosen: list[int] = []
    for candidate in estimates:
        agreeing = {i: alike for i, e in enumerate(estimates) if (alike := _agreeing(e, candidate)) is not None}
        if (len(agreeing), sum(e.score for e in agreeing.values())) > (len(best), sum(e.score for e in best)):
            best, chosen = list(agreeing.values()), list(agreeing)
    pose, covariance = mean_pose([e.cam_from_obj for e in best], [e.covariance for e in best])
    strongest = max(best, key=lambda e: e.score)
    return Fused(
        replace(strongest, cam_from_obj=pose, covariance=covariance),
        tuple(chosen),
        tuple(i for i in range(len(estimates)) if i not in chosen),
    )


def fuse_views(views: Iterable[Sequence[PoseEstimate]]) -> list[PoseEstimate]:
    """One pose of each object from what each camera sees, all in the common frame, best score first.

    Objects of one name are told apart by their place.
    """
    groups: list[list[PoseEstimate]] = []
    for view in views:
        costs = np.array([[_place_cost(group[0], estimate) for estimate in view] for group in groups])
        pairs = assign(costs.reshape(len(groups), len(view)))
        for row, column in pairs:
            groups[row].append(view[column])
        matched = {column for _, column in pairs}
        groups += [[estimate] for column, estimate in enumerate(view) if column not in matched]
    return sorted((fuse(group).estimate for group in groups), key=lambda e: -e.score)


def _agreeing(estimate: PoseEstimate, reference: PoseEstimate) -> PoseEstimate | None:
    """Of its equal poses the one nearest to the reference; None if that is too far away."""
    estimate = nearest(estimate, reference.cam_from_obj)
    apart = difference(estimate.cam_from_obj, reference.cam_from_obj)
    if estimate.cam_from_obj is reference.cam_from_obj:
        return estimate
    fits = apart @ np.linalg.solve(estimate.covariance + reference.covariance, apart) < GATE
    return estimate if fits else None


def _place_cost(a: PoseEstimate, b: PoseEstimate) -> float:
    """Metres apart; infinite if they are not one object."""
    apart = centre(b) - centre(a)
    distance = float(np.linalg.norm(apart))
    spread = a.covariance[:3, :3] + b.covariance[:3, :3]
    near = distance < a.model.diameter / 2 or float(apart @ np.linalg.solve(spread, apart)) < PLACE_GATE
    return distance if a.model.name == b.model.name and near else np.inf


def centre(estimate: PoseEstimate) -> FloatArray:
    """(3,) of the object's box: unlike the origin, where it is does not depend on which of its equal poses is meant."""
    return np.asarray(estimate.rotation @ estimate.model.bounds.mean(0) + estimate.translation)
