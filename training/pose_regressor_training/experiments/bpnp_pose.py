"""Pose estimation by a network through BPnP: the network places the points in the image, the loss looks at the pose.

y = BPnP(x, z, K) is the pose of the network's points x. The loss ||project(z|y) - project(z|y*)||² + λ ||x -
project(z|y)||² drives y to the true pose y* (Chen et al., CVPR 2020, application 1). Its first term is blind to changes
of x that leave the best pose in place. The second keeps x near points that some pose explains.

Each problem has a network of its own with one constant input, as in the paper; they run side by side in grouped
convolutions. There are two kinds of start: random points ("scattered"), or random points around the projection of a
wrong pose, rotated by up to 180 degrees ("other pose").
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from pose_regressor.ops.pnp import bpnp
from pose_regressor_training.experiments.rotations import rotation_angle
from pose_regressor_training.experiments.views import Views, arguments, camera_from, random_views, seen
from pose_regressor_training.figures import new_figure, print_table, write_figure, write_json

INTRINSICS = (800.0, 800.0, 319.5, 239.5)
DISTANCE, POINTS, SPREAD = 6.0, 8, 100.0
LAMBDAS = (0.0, 1.0)
#: A pose has arrived if it projects the points this close to the truth, root mean square pixels.
ARRIVED = 1.0


@dataclass(frozen=True)
class Size:
    """How much is trained.

    problems: of each kind of start
    steps: of each training
    """

    problems: int = 64
    steps: int = 500


QUICK = Size(problems=12, steps=150)


class Problem(NamedTuple):
    """P problems.

    points: (P, N, 3)
    truth_2d: (P, N, 2) true image points
    truth: true poses
    start_2d: (P, N, 2) points around which the networks start
    """

    points: Tensor
    truth_2d: Tensor
    truth: Views
    start_2d: Tensor


class History(NamedTuple):
    """The course of a training of T steps.

    pose_error: (T, P) root mean square pixels from project(z|y) to the truth
    misfit: (T, P) the same from project(z|y) to x
    said: T times x (P, N, 2)
    """

    pose_error: Tensor
    misfit: Tensor
    said: list[Tensor]


class Networks(nn.Module):
    """P networks, each from a constant input of its own to (N, 2) pixels."""

    def __init__(self, start_2d: Tensor, hidden: int = 64) -> None:
        super().__init__()
        count, points, _ = start_2d.shape
        self.register_buffer("code", torch.randn(1, 16 * count, 1, dtype=start_2d.dtype))
        self.register_buffer("start_2d", start_2d)
        self.layers = nn.Sequential(
            nn.Conv1d(16 * count, hidden * count, 1, groups=count, dtype=start_2d.dtype),
            nn.Tanh(),
            nn.Conv1d(hidden * count, 2 * points * count, 1, groups=count, dtype=start_2d.dtype),
        )

    def forward(self) -> Tensor:
        return self.start_2d + SPREAD * self.layers(self.code).view(self.start_2d.shape)


def draw_problems(start: str, count: int, generator: torch.Generator) -> Problem:
    camera = camera_from(torch.tensor(INTRINSICS, dtype=torch.float64))
    points = 2 * torch.rand(count, POINTS, 3, generator=generator, dtype=torch.float64) - 1
    truth, other = (random_views(count, DISTANCE, generator) for _ in range(2))
    truth_2d = seen(points, truth, camera)
    start_2d = seen(points, other, camera) if start == "other pose" else camera[:2, 2].expand_as(truth_2d)
    return Problem(points, truth_2d, truth, start_2d.contiguous())


def train(problem: Problem, weight: float, steps: int) -> tuple[History, Views]:
    """Train with Adam, its rate falling along a cosine; returns the poses at the end too. weight: λ."""
    camera = camera_from(torch.tensor(INTRINSICS, dtype=torch.float64))
    networks = Networks(problem.start_2d)
    optimizer = torch.optim.Adam(networks.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, 1e-5)
    pose_errors, misfits, said = [], [], []
    for _ in range(steps):
        x = networks()
        # Points that no pose explains make a problem with a flat valley: it takes more than the usual steps.
        pose = bpnp(x, problem.points, camera, iterations=100)
        views = Views(pose.rotation, pose.translation)
        at = seen(problem.points, views, camera)
        counts = pose.converged
        pose_error = (at - problem.truth_2d).square().sum(-1).mean(-1)
        misfit = (x - at).square().sum(-1).mean(-1)
        # Without a pose there is nothing to compare: such a network does not change in this step.
        loss = torch.where(counts, pose_error + weight * misfit, 0.0)
        pose_errors.append(torch.where(counts, pose_error, torch.nan).detach().sqrt())
        misfits.append(torch.where(counts, misfit, torch.nan).detach().sqrt())
        said.append(x.detach())
        optimizer.zero_grad()
        loss.sum().backward()
        optimizer.step()
        schedule.step()
    return History(torch.stack(pose_errors), torch.stack(misfits), said), Views(*(v.detach() for v in views))


def run(seed: int, size: Size) -> tuple[list[dict[str, Any]], dict[tuple[str, float], History], Problem]:
    """The rows, the history of every case, and the problems of the last case."""
    rows, histories = [], {}
    for start in ("scattered", "other pose"):
        problem = draw_problems(start, size.problems, torch.Generator().manual_seed(seed))
        for weight in LAMBDAS:
            torch.manual_seed(seed)
            history, found = train(problem, weight, size.steps)
            angle = rotation_angle(found.rotation.mT @ problem.truth.rotation).rad2deg()
            shift = (found.translation - problem.truth.translation).norm(dim=-1) / DISTANCE
            near = history.pose_error < ARRIVED
            arrived = near[-1]
            first = near.float().argmax(0)[arrived].float()
            rows.append(
                {
                    "start": start,
                    "lambda": weight,
                    "start_error_px": float(history.pose_error[0].nanmedian()),
                    "arrived_percent": 100 * float(arrived.float().mean()),
                    "steps_to_1px": float(first.median()) if len(first) else float("nan"),
                    "final_error_px": float(history.pose_error[-1].nanmedian()),
                    "rotation_error_deg": float(angle.median()),
                    "translation_error_percent": 100 * float(shift.median()),
                    "misfit_px": float(history.misfit[-1].nanmedian()),
                }
            )
            histories[start, weight] = history
    return rows, histories, problem


def draw(folder: Path, histories: dict[tuple[str, float], History], problem: Problem) -> None:
    figure, axes = new_figure(11, 3.4, 1, 3)
    for place, weight in enumerate(LAMBDAS):
        history = histories["other pose", weight]
        shown = int(history.pose_error[0].nan_to_num(0).argmax())
        path = torch.stack([x[shown] for x in history.said])
        axes[0, place].plot(path[..., 0], path[..., 1], linewidth=1, color="tab:blue")
        axes[0, place].plot(*path[0].T, ".", color="tab:blue", label="start")
        axes[0, place].plot(*path[-1].T, "x", color="tab:red", label="end")
        axes[0, place].plot(*problem.truth_2d[shown].T, "o", color="k", markerfacecolor="none", label="truth")
        axes[0, place].invert_yaxis()
        axes[0, place].set(title=f"points the network says, λ = {weight:g}", xlabel="x (px)", ylabel="y (px)")
    axes[0, 0].legend(fontsize=7)
    for (start, weight), history in histories.items():
        axes[0, 2].semilogy(history.pose_error.nanmedian(1).values, label=f"{start}, λ = {weight:g}")
    axes[0, 2].set(title="median over the problems", xlabel="step", ylabel="reprojection error of the pose (px)")
    axes[0, 2].legend(fontsize=7)
    write_figure(folder, "bpnp_pose", figure)


def main() -> None:
    chosen = arguments(__doc__).parse_args()
    size = QUICK if chosen.quick else Size()
    rows, histories, problem = run(chosen.seed, size)
    print_table("Networks driven to a pose through BPnP", list(rows[0]), [list(row.values()) for row in rows])
    write_json(chosen.out, "bpnp_pose", {"seed": chosen.seed, **vars(size)}, rows)
    draw(chosen.out, histories, problem)


if __name__ == "__main__":
    main()
