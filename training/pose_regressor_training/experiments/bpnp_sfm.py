"""Structure from motion through BPnP: points tracked over some views -> their 3D structure, the poses, the camera.

The loss is sum_j ||x_j - project(z | BPnP(x_j, z, K), K)||². Adam descends it in the structure z and, if it is unknown,
in K; the poses are never parameters (Chen et al., CVPR 2020, application 2). It starts from random points. Two things
decide whether it arrives:

- For many starts, the best poses have points behind the camera, where there is no gradient. Since project(z | R, t) =
project(-z | R, -t), the negative of such a start has them in front. So more starts than needed are drawn, with their
negatives, and those are taken that most views have in front.
- A structure and its mirror image look alike from afar, so some starts end in the mirror image. The best of several
starts go on together with their mirror images, and the lowest loss wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pose_regressor.ops.pnp import Status
from pose_regressor_training.experiments.views import arguments, camera_from, random_views, residuals, seen
from pose_regressor_training.figures import new_figure, print_table, write_figure, write_json

INTRINSICS = (820.0, 790.0, 331.0, 247.0)
#: Start of unknown intrinsics: focal length a third too short, principal point in the middle of a 640 x 480 image.
GUESS = (540.0, 540.0, 319.5, 239.5)
DISTANCE = 5.0
#: Random structures for each start that is taken.
DRAWS = 8
FINALISTS = 2


@dataclass(frozen=True)
class Size:
    """How much is computed.

    views: of the points
    points: of the structure
    starts: reconstructions at the beginning
    search: steps from each start
    steps: further steps of the FINALISTS best ones and their mirror images
    """

    views: int = 12
    points: int = 40
    starts: int = 6
    search: int = 120
    steps: int = 400


QUICK = Size(views=8, points=24, starts=3, search=60, steps=250)


class State(NamedTuple):
    """S reconstructions.

    structure: (S, N, 3), centred, with a mean square coordinate of 1/3
    intrinsics: (S, 4)
    """

    structure: Tensor
    intrinsics: Tensor


class History(NamedTuple):
    """The course of a descent.

    error: (T, S) root mean square pixels
    structures: T times (S, N, 3)
    """

    error: Tensor
    structures: list[Tensor]


def standard(structure: Tensor) -> Tensor:
    """The same structure, centred and scaled to a mean square coordinate of 1/3."""
    centred = structure - structure.mean(-2, keepdim=True)
    return centred / (3 * centred.square().mean((-2, -1), keepdim=True)).sqrt()


def descend(tracks: Tensor, start: State, steps: int, rate: float, learn_camera: bool) -> tuple[State, History]:
    """Adam, its rate falling to a thousandth along a cosine. tracks: (V, N, 2)."""
    structure = start.structure.clone().requires_grad_()
    scale = start.intrinsics.clone()
    change = torch.zeros_like(scale).requires_grad_()
    parameters = [{"params": [structure], "lr": rate}, {"params": [change], "lr": rate / 2 if learn_camera else 0.0}]
    optimizer = torch.optim.Adam(parameters, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, rate / 1000)
    errors, structures = [], []
    for _ in range(steps):
        left, pose = residuals(tracks, structure[:, None], camera_from(scale * change.exp())[:, None])
        counts = (pose.status <= Status.NOT_CONVERGED).double()
        squared = (left.square().sum(-1).mean(-1) * counts).sum(1) / counts.sum(1).clamp(min=1)
        # A start without any view that counts has not arrived.
        errors.append(torch.where(counts.sum(1) > 0, squared, torch.inf).detach().sqrt())
        structures.append(structure.detach().clone())
        optimizer.zero_grad()
        squared.sum().backward()
        optimizer.step()
        schedule.step()
        if not learn_camera:
            change.data.zero_()
        structure.data = standard(structure.data)
    return State(structure.detach(), (scale * change.exp()).detach()), History(torch.stack(errors), structures)


def random_starts(tracks: Tensor, intrinsics: Tensor, count: int, generator: torch.Generator) -> State:
    """Of many sets of random points and their negatives, those that most views have in front of the camera."""
    drawn = standard(torch.randn(DRAWS * count, tracks.shape[1], 3, generator=generator, dtype=tracks.dtype))
    drawn = torch.cat([drawn, -drawn])
    _, pose = residuals(tracks, drawn.unsqueeze(1), camera_from(intrinsics))
    ahead = (pose.status <= Status.NOT_CONVERGED).sum(1)
    return State(drawn[ahead.topk(count).indices], intrinsics.expand(count, 4))


def reconstruct(tracks: Tensor, known: Tensor | None, size: Size, seed: int) -> tuple[State, list[History]]:
    """Structure (N, 3) and intrinsics (4,) from tracks (V, N, 2), given the intrinsics or learning them."""
    generator = torch.Generator().manual_seed(seed)
    learn = known is None
    intrinsics = torch.tensor(GUESS, dtype=tracks.dtype) if known is None else known
    start = random_starts(tracks, intrinsics, size.starts, generator)
    found, search = descend(tracks, start, size.search, 0.1, learn)
    best = search.error[-1].topk(FINALISTS, largest=False).indices
    structure, intrinsics = found.structure[best], found.intrinsics[best]
    mirrored = structure * torch.tensor([1, 1, -1], dtype=tracks.dtype)
    finalists = State(torch.cat([structure, mirrored]), torch.cat([intrinsics, intrinsics]))
    found, final = descend(tracks, finalists, size.steps, 0.05, learn)
    best = final.error[-1].argmin()
    return State(found.structure[best], found.intrinsics[best]), [search, final]


def aligned(structure: Tensor, truth: Tensor) -> Tensor:
    """(..., N, 3) moved, turned and scaled onto truth (N, 3) as well as possible, without mirroring (Umeyama 1991)."""
    middle, centre = structure.mean(-2, keepdim=True), truth.mean(-2, keepdim=True)
    left, values, right = torch.linalg.svd((truth - centre).mT @ (structure - middle))
    sign = torch.ones_like(values)
    sign[..., 2] = torch.linalg.det(left @ right).sign()
    rotation = left @ torch.diag_embed(sign) @ right
    scale = (values * sign).sum(-1) / (structure - middle).square().sum((-2, -1))
    return scale[..., None, None] * (structure - middle) @ rotation.mT + centre


def structure_error(structure: Tensor, truth: Tensor) -> Tensor:
    """(...) root mean square distance after alignment, as a share of the true structure's root mean square radius."""
    radius = (truth - truth.mean(-2, keepdim=True)).square().sum(-1).mean(-1).sqrt()
    return (aligned(structure, truth) - truth).square().sum(-1).mean(-1).sqrt() / radius


def run(seed: int, size: Size) -> tuple[list[dict[str, Any]], Tensor, list[tuple[State, list[History]]]]:
    """The rows, the true structure, and the solution of every case."""
    generator = torch.Generator().manual_seed(seed)
    truth = standard(torch.rand(size.points, 3, generator=generator, dtype=torch.float64))
    intrinsics = torch.tensor(INTRINSICS, dtype=torch.float64)
    views = random_views(size.views, DISTANCE, generator)
    exact = seen(truth, views, camera_from(intrinsics))
    noise = torch.randn(exact.shape, generator=generator, dtype=torch.float64)
    rows, solutions = [], []
    for known in (True, False):
        for sigma in (0.0, 1.0):
            found, histories = reconstruct(exact + sigma * noise, intrinsics if known else None, size, seed)
            solutions.append((found, histories))
            off = (found.intrinsics - intrinsics).abs() / intrinsics
            rows.append(
                {
                    "camera": "known" if known else "learned",
                    "noise_px": sigma,
                    "start_structure_error_percent": 100 * float(structure_error(histories[0].structures[0][0], truth)),
                    "structure_error_percent": 100 * float(structure_error(found.structure, truth)),
                    "reprojection_rms_px": float(histories[-1].error[-1].min()),
                    "focal_error_percent": 100 * float(off[:2].max()),
                    "principal_point_error_px": float((found.intrinsics - intrinsics)[2:].norm()),
                }
            )
    return rows, truth, solutions


def draw(folder: Path, truth: Tensor, solutions: list[tuple[State, list[History]]]) -> None:
    figure, axes = new_figure(11, 3.4, 1, 3)
    found, (search, final) = solutions[2]
    errors, structure, place = axes[0]
    for history, first in ((search, 0), (final, len(search.error))):
        steps = range(first, first + len(history.error))
        errors.semilogy(steps, history.error.numpy(), linewidth=1)
        wrong = torch.stack([structure_error(s, truth) for s in history.structures])
        structure.semilogy(steps, 100 * wrong.numpy(), linewidth=1)
    errors.set(xlabel="step", ylabel="RMS reprojection error (px)", title="camera learned, no noise: every start")
    structure.axhline(1, color="grey", linestyle=":")
    structure.set(
        xlabel="step", ylabel="structure error (% of its size)", title="then the two best and their mirror images"
    )
    start = aligned(search.structures[0][0], truth)
    place.plot(*start[:, :2].T, ".", color="tab:gray", label="a start")
    place.plot(*truth[:, :2].T, "o", color="k", markerfacecolor="none", label="truth")
    place.plot(*aligned(found.structure, truth)[:, :2].T, "x", color="tab:red", label="found")
    place.set(xlabel="x", ylabel="y", title="structure, aligned", aspect="equal")
    place.legend(loc="upper right", fontsize=7)
    write_figure(folder, "bpnp_sfm", figure)


def main() -> None:
    chosen = arguments(__doc__).parse_args()
    size = QUICK if chosen.quick else Size()
    rows, truth, solutions = run(chosen.seed, size)
    print_table("Structure from motion through BPnP", list(rows[0]), [list(row.values()) for row in rows])
    write_json(chosen.out, "bpnp_sfm", {"seed": chosen.seed, **vars(size)}, rows)
    draw(chosen.out, truth, solutions)


if __name__ == "__main__":
    main()
