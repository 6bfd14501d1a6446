"""Fuses the poses that several calibrated cameras see to one pose of each object.

[DPR] calls this multi-view regression; here it is done after the regression. The poses are turned into a common frame
and averaged there on ⟨R³, SO(3)⟩, weighted with their information, the inverse of their covariance. A camera measures
well across its view and badly along it, so two cameras that look from different sides gain more than two measurements
of one camera would. Errors of different cameras are taken to be independent, as their views differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pose_regressor.geometry.rigid import difference, moved
from pose_regressor.tracking.association import assign
from pose_regressor.tracking.kalman import nearest
from pose_regressor.types import FloatArray, PoseEstimate

#: Largest squared Mahalanobis distance of two poses of one object: 99.9 % of chi-square with 6 degrees of freedom.
GATE = 22.46
#: The same for two places of one object: 99.9 % with 3 degrees of freedom.
PLACE_GATE = 16.27
#: Most steps for the mean. Each step squares the error, so it settles long before.
STEPS = 10


@dataclass(frozen=True, eq=False)
class Fused:
    """One pose from several.

    estimate: in the common frame.
    used: which of the given poses went in, as indices.
    rejected: which ones did not fit, as indices.
    """

    estimate: PoseEstimate
    used: tuple[int, ...]
    rejected: tuple[int, ...]


def in_frame(estimate: PoseEstimate, frame_from_camera: FloatArray) -> PoseEstimate:
    """The estimate in another frame, covariance included. frame_from_camera: (4, 4), from its own frame."""
    turn = np.kron(np.eye(2), frame_from_camera[:3, :3])
    return replace(
        estimate, cam_from_obj=frame_from_camera @ estimate.cam_from_obj, covariance=turn @ estimate.covariance @ turn.T
    )


def mean_pose(poses: Sequence[FloatArray], covariances: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """The (4, 4) pose with the least squared Mahalanobis distances to all poses, and its (6, 6) covariance.

    Gauss-Newton from the first pose; for averages on a manifold see Solà et al., arXiv:1812.01537, section V.
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
    """One pose from estimates of one object in a common frame, one per camera.

    Averages the largest set of estimates that all agree with one of them; of two equally large sets, the one with the
    higher scores. The score is the best camera's: a camera that sees less does not make the pose worse.
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
    """One pose of each object, best score first. views: the estimates of each camera, all in a common frame.

    Several objects of one name are distinguished by their places.
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
    """Of the estimate's symmetric poses the one nearest to the reference; None if that is too far away."""
    estimate = nearest(estimate, reference.cam_from_obj)
    apart = difference(estimate.cam_from_obj, reference.cam_from_obj)
    if estimate.cam_from_obj is reference.cam_from_obj:
        return estimate
    fits = apart @ np.linalg.solve(estimate.covariance + reference.covariance, apart) < GATE
    return estimate if fits else None


def _place_cost(a: PoseEstimate, b: PoseEstimate) -> float:
    """Distance in metres; infinite if the two cannot be one object."""
    apart = centre(b) - centre(a)
    distance = float(np.linalg.norm(apart))
    spread = a.covariance[:3, :3] + b.covariance[:3, :3]
    near = distance < a.model.diameter / 2 or float(apart @ np.linalg.solve(spread, apart)) < PLACE_GATE
    return distance if a.model.name == b.model.name and near else np.inf


def centre(estimate: PoseEstimate) -> FloatArray:
    """(3,) centre of the object's box. Unlike its origin, it is the same for all of the object's symmetric poses."""
    return np.asarray(estimate.rotation @ estimate.model.bounds.mean(0) + estimate.translation)
