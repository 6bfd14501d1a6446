"""The pose that most correspondences agree on, where many of them are wrong."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from pose_regressor.ops.pnp.layer import check
from pose_regressor.ops.pnp.objective import derivatives, retract, squared_errors
from pose_regressor.ops.pnp.p3p import four_point_pose
from pose_regressor.ops.pnp.problem import Inputs, Problem, invalid_items, moved_pose, prepare
from pose_regressor.ops.pnp.refine import START_DAMPING, damped_step
from pose_regressor.ops.pnp.robust import RobustLoss
from pose_regressor.ops.pnp.solve import Options, solve
from pose_regressor.types import InputError

#: Hypotheses are ranked and refined on about RANKED_ON correspondences; REFINED of them are refined, by STEPS steps.
RANKED_ON, REFINED, STEPS = 256, 4, 2
#: Most Newton steps over the correspondences that agree, and their `step_tolerance`, pixels. The error that remains is
#: of the order of its square.
ITERATIONS, TOLERANCE = 20, 1e-2


class Consensus(NamedTuple):
    """As PnPResult, for the points that agree, without gradients.

    rotation: (..., 3, 3)
    translation: (..., 3)
    covariance: (..., 6, 6)
    cost: (...) px²
    status: (...) int32
    inliers: (..., N) bool, points within the threshold
    """

    rotation: Tensor
    translation: Tensor
    covariance: Tensor
    cost: Tensor
    status: Tensor
    inliers: Tensor


@torch.no_grad()
def ransac_pnp(
    points_2d: Tensor,
    points_3d: Tensor,
    camera_matrix: Tensor,
    threshold: float,
    weights: Tensor | None = None,
    *,
    core: float = 1.0,
    hypotheses: int = 256,
    seed: int = 0,
) -> Consensus:
    """The pose that most correspondences agree on. The same seed gives the same result.

    Each hypothesis is a pose of three random points, the one that suits a fourth best. Those of least truncated squared
    error (MSAC: Torr and Zisserman, MLESAC, CVIU 78(1), 2000) are refined with a loss that ignores far points. The best
    of them is refined to the optimum over the points within core * threshold.

    For gradients: ``bpnp(..., weights=consensus.inliers.to(points_2d), init=(rotation, translation))``.

    points_2d, points_3d, camera_matrix: as in `bpnp`
    threshold: pixels within which a correspondence agrees
    weights: as in `bpnp`; those above 0 count only in the last refinement
    core: share of the threshold; below 1, the optimum depends less on heavy tails of the errors
    hypotheses: how many are tried
    InputError: as in `bpnp`, and for a threshold that is not above 0.
    """
    if not threshold > 0:
        raise InputError(f"threshold: expected a number of pixels above 0, got {threshold}")
    if weights is None:
        weights = torch.ones_like(points_2d[..., 0])
    named = {"points_2d": points_2d, "points_3d": points_3d, "camera_matrix": camera_matrix, "weights": weights}
    batch, count = check(named)
    size = int(torch.Size(batch).numel())
    tails = ((count, 2), (count, 3), (3, 3), (count,))
    flat = [v.expand(*batch, *tail).reshape(size, *tail) for v, tail in zip(named.values(), tails, strict=True)]
    if count == 0:  # drawing needs at least one point
        flat = [flat[0].new_zeros(size, 1, 2), flat[1].new_zeros(size, 1, 3), flat[2], flat[3].new_zeros(size, 1)]
    there = flat[3] > 0
    worth = torch.where(there, flat[3], 0.0).double().unsqueeze(1)
    inputs = Inputs(flat[0], flat[1], flat[2], there.to(flat[3].dtype))
    invalid = invalid_items(inputs)
    problem = prepare(inputs, invalid)
    some = _thinned(problem, max(1, count // RANKED_ON))

    generator = torch.Generator(points_2d.device).manual_seed(seed)
    poses = _lowest(some, _hypotheses(problem, hypotheses, generator), threshold, REFINED)
    each = poses.transpose(0, 1)
    refined = _improved(some.repeat(REFINED), each.flatten(0, 1), threshold).view_as(each).transpose(0, 1)
    pose = _lowest(problem, torch.cat([refined, poses], 1), threshold, 1)
    agreeing = _within(problem, pose, core * threshold).unsqueeze(1) * worth
    options = Options(ITERATIONS, None, None, may_stop=points_2d.device.type == "cpu", step_tolerance=TOLERANCE)
    solution = solve(problem._replace(weights=agreeing), invalid, pose.squeeze(1), options)
    pose = torch.cat([solution.rotation, solution.translation.unsqueeze(2)], 2)
    inliers = _within(problem, moved_pose(problem, pose).unsqueeze(1), threshold)
    outputs = [*(value.to(points_2d.dtype) for value in solution[:-1]), solution.status, inliers[:, :count]]
    return Consensus(*(value.reshape((*batch, *value.shape[1:])) for value in outputs))


def _thinned(problem: Problem, stride: int) -> Problem:
    """Every stride-th correspondence."""
    return problem._replace(
        pixels=problem.pixels[..., ::stride],
        points=problem.points[..., ::stride],
        moments=problem.moments[..., ::stride],
        weights=problem.weights[..., ::stride],
    )


def _hypotheses(problem: Problem, count: int, generator: torch.Generator) -> Tensor:
    """(B, count, 3, 4): each the pose of three random points that suits a fourth best."""
    chance = problem.weights.squeeze(1).clamp(min=1e-12)
    index = torch.multinomial(chance, 4 * count, replacement=True, generator=generator).unsqueeze(1)
    pixels = problem.pixels.gather(2, index.expand(-1, 2, -1))
    points = problem.points[:, :3].gather(2, index.expand(-1, 3, -1))
    inverse, _ = torch.linalg.inv_ex(problem.camera)
    rays = torch.baddbmm(inverse[..., 2:], inverse[..., :2], pixels)
    rays = rays * rays.square().sum(1, keepdim=True).rsqrt()
    both = (
        torch.stack([rays, points]).unflatten(3, (4, count)).permute(0, 3, 2, 1, 4).flatten(3)
    )  # (2, 4, 3, B * count)
    return four_point_pose(*both).nan_to_num(0.0, 0.0, 0.0).view(-1, count, 3, 4)


def _improved(problem: Problem, pose: Tensor, threshold: float) -> Tensor:
    """The poses (B, 3, 4) after STEPS Gauss-Newton steps, with a loss that ignores far points."""
    robust = RobustLoss("geman_mcclure", threshold / 2)
    damping = torch.full_like(pose[:, 0, 0], START_DAMPING)
    for _ in range(STEPS):
        step, _ = damped_step(derivatives(problem, pose, False, robust), damping)
        pose = retract(pose, step)
    return pose


def _within(problem: Problem, pose: Tensor, distance: float) -> Tensor:
    """(B, N) bool: points with a weight that the pose (B, 1, 3, 4) projects to within `distance` pixels."""
    return (squared_errors(problem, pose).squeeze(1) < distance**2) & (problem.weights.squeeze(1) > 0)


def _lowest(problem: Problem, poses: Tensor, threshold: float, count: int) -> Tensor:
    """The `count` poses of (B, k, 3, 4) with the least truncated squared error; float32 is exact enough here."""
    single = problem._replace(pixels=problem.pixels.float(), points=problem.points.float())
    squared = squared_errors(single, poses).clamp_(max=threshold**2)
    error = torch.bmm(squared, problem.weights.float().mT).squeeze(2).nan_to_num(torch.inf)
    index = error.topk(count, 1, largest=False).indices
    return poses.gather(1, index[..., None, None].expand(-1, -1, 3, 4))
