"""Calibration through BPnP: fx, fy, cx, cy from views of known points; the poses are never parameters.

The loss is sum_j ||x_j - project(z | BPnP(x_j, z, K), K)||² (Chen et al., CVPR 2020, application 3). The residuals are
those that remain after every view has taken its best pose. Their Jacobian is d(residual)/dK = ∂π/∂K + ∂π/∂y dy/dK,
where the last factor is BPnP's implicit gradient. With it, a Levenberg-Marquardt step in the four numbers is a step of
the whole problem, and σ² (JᵀJ)⁻¹ is the covariance of K with the poses marginalised out.

There are three parts. Points in space without noise, starting far off. Many trials with noise, whose errors are
compared with their own covariance. A chessboard rendered with a known camera, its corners found by OpenCV, compared
with cv2.calibrateCamera.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import chi2
from torch import Tensor

from pose_regressor.ops.pnp import bpnp
from pose_regressor_training.experiments.board import CORNERS, corners_3d, find_corners, render_board
from pose_regressor_training.experiments.views import Views, arguments, camera_from, random_views, seen
from pose_regressor_training.figures import new_figure, print_table, write_figure, write_json

INTRINSICS = (820.0, 790.0, 331.0, 247.0)
WIDTH, HEIGHT = 640, 480
NAMES = ("fx", "fy", "cx", "cy")
SIGMA = 1.0


@dataclass(frozen=True)
class Size:
    """How much is computed.

    views: of each calibration
    points: in each view
    starts: trials without noise, from far off
    trials: trials with noise
    boards: rendered views
    steps: of Levenberg-Marquardt
    """

    views: int = 8
    points: int = 30
    starts: int = 24
    trials: int = 1000
    boards: int = 14
    steps: int = 30


QUICK = Size(starts=6, trials=100, boards=8)


class Fit(NamedTuple):
    """T calibrations.

    intrinsics: (T, 4)
    normal: (T, 4, 4) JᵀJ, 1 / pixels² for each squared unit
    squared: (T,) sum of squared residuals, pixels²
    path: (steps + 1, T, 4)
    """

    intrinsics: Tensor
    normal: Tensor
    squared: Tensor
    path: Tensor

    def covariance(self, sigma: float | Tensor) -> Tensor:
        """(T, 4, 4) for noise of standard deviation `sigma` pixels in every coordinate."""
        return torch.as_tensor(sigma).square()[..., None, None] * torch.linalg.inv(self.normal)


def linearised(points_2d: Tensor, points_3d: Tensor, intrinsics: Tensor) -> tuple[Tensor, Tensor]:
    """Residuals (T, M) in pixels, and their Jacobian (T, M, 4) with moving poses.

    points_2d: (T, V, N, 2); points_3d: (N, 3); intrinsics: (T, 4)
    """
    # One camera for each view: a view's pose depends only on its own, so one backward pass serves all views.
    each = intrinsics[:, None].expand(*points_2d.shape[:2], 4).contiguous().requires_grad_()
    pose = bpnp(points_2d, points_3d, camera_from(each))
    outputs = torch.cat([pose.rotation.flatten(-2), pose.translation], -1)
    slopes = [torch.autograd.grad(column.sum(), each, retain_graph=True)[0] for column in outputs.unbind(-1)]
    by_camera = torch.stack(slopes, -2)  # (T, V, 12, 4)
    each = each.detach()

    def left(values: Tensor, camera: Tensor) -> Tensor:
        views = Views(values[..., :9].unflatten(-1, (3, 3)), values[..., 9:])
        return seen(points_3d, views, camera_from(camera)) - points_2d

    columns = []
    for place in range(4):
        along = torch.zeros_like(each)
        along[..., place] = 1
        column = torch.func.jvp(left, (outputs.detach(), each), (by_camera[..., place], along))[1]
        columns.append(column.flatten(1))
    return left(outputs.detach(), each).flatten(1), torch.stack(columns, -1)


def calibrate(points_2d: Tensor, points_3d: Tensor, start: Tensor, steps: int) -> Fit:
    """points_2d: (T, V, N, 2), of T calibrations at once; points_3d: (N, 3); start: (T, 4)."""
    damping = torch.full(start.shape[:1], 1e-3, dtype=start.dtype)
    current = start
    value, jacobian = linearised(points_2d, points_3d, current)
    path = [current]
    for _ in range(steps):
        normal = jacobian.mT @ jacobian
        damped = normal + damping[:, None, None] * normal.diagonal(dim1=1, dim2=2).diag_embed()
        step = torch.linalg.solve(damped, (jacobian.mT @ value.unsqueeze(-1)).squeeze(-1))
        trial = current - step
        # A step halves a focal length at most, so it stays positive.
        trial = torch.cat([torch.maximum(trial[:, :2], current[:, :2] / 2), trial[:, 2:]], 1)
        new_value, new_jacobian = linearised(points_2d, points_3d, trial)
        settled = (trial - current).abs().amax(1) < 1e-8
        better = new_value.square().sum(1) < value.square().sum(1)
        current = torch.where(better[:, None], trial, current)
        value = torch.where(better[:, None], new_value, value)
        jacobian = torch.where(better[:, None, None], new_jacobian, jacobian)
        damping = torch.where(better, damping / 10, damping * 10).clamp(1e-9, 1e6)
        path.append(current)
        if settled.all():
            break
    return Fit(current, jacobian.mT @ jacobian, value.square().sum(1), torch.stack(path))


def far_starts(count: int, generator: torch.Generator) -> Tensor:
    """(count, 4) focal lengths 0.4 to 2.5 times a true one, the principal point anywhere in the middle half."""
    uniform = 2 * torch.rand(count, 4, generator=generator, dtype=torch.float64) - 1
    focal = 800 * 2.5 ** uniform[:, :2]
    centre = torch.tensor([WIDTH / 2, HEIGHT / 2]) * (1 + uniform[:, 2:] / 2)
    return torch.cat([focal, centre], 1)


class Board(NamedTuple):
    """Views of the chessboard.

    images: (V, H, W)
    corners: (V, 54, 2) as found
    truth: (V, 54, 2) as projected
    """

    images: NDArray[np.uint8]
    corners: Tensor
    truth: Tensor


def photograph_board(count: int, generator: torch.Generator) -> Board:
    """Views with the whole pattern well inside the image."""
    camera = camera_from(torch.tensor(INTRINSICS, dtype=torch.float64))
    points = torch.from_numpy(corners_3d())
    drawn = random_views(20 * count, 0.42, generator, tilt=0.7)
    views = Views(drawn.rotation, drawn.translation - drawn.rotation @ points.mean(0))
    truth = seen(points, views, camera)
    limit = torch.tensor([WIDTH - 1, HEIGHT - 1])
    chosen = torch.nonzero(((truth > 15) & (truth < limit - 15)).all(2).all(1))[:count, 0]
    pose = np.tile(np.eye(4), (len(chosen), 1, 1))
    pose[:, :3, :3], pose[:, :3, 3] = views.rotation[chosen].numpy(), views.translation[chosen].numpy()
    images = render_board(pose, camera.numpy(), WIDTH, HEIGHT)
    corners, found_truth, kept = [], [], []
    for number, image in enumerate(images):
        corner = find_corners(image)
        if corner is not None:
            expected = truth[chosen[number]]
            found = torch.from_numpy(corner)
            # The pattern looks the same upside down, so it may be found from its other end.
            swapped = (found.flip(0) - expected).abs().sum() < (found - expected).abs().sum()
            corners.append(found.flip(0) if swapped else found)
            found_truth.append(expected)
            kept.append(image)
    return Board(np.stack(kept), torch.stack(corners), torch.stack(found_truth))


def by_opencv(corners: Tensor) -> Tensor:
    """(4,) result of cv2.calibrateCamera without distortion."""
    flags = cv2.CALIB_ZERO_TANGENT_DIST | cv2.CALIB_FIX_K1 | cv2.CALIB_FIX_K2 | cv2.CALIB_FIX_K3
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 200, 1e-14)
    points = [corners_3d().astype(np.float32)] * len(corners)
    pixels = [view.numpy().astype(np.float32) for view in corners]
    _, matrix, *_ = cv2.calibrateCamera(points, pixels, (WIDTH, HEIGHT), None, None, flags=flags, criteria=stop)
    return torch.tensor([matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]])


class Outcome(NamedTuple):
    """What `run` returns.

    rows: of the table
    exact: fits without noise, from far off
    noisy: fits with noise
    distances: (T,) squared Mahalanobis distances of the noisy fits from the truth
    board: the rendered views
    of_board: fit of the board
    """

    rows: list[dict[str, Any]]
    exact: Fit
    noisy: Fit
    distances: Tensor
    board: Board
    of_board: Fit


def run(seed: int, size: Size) -> Outcome:
    generator = torch.Generator().manual_seed(seed)
    truth = torch.tensor(INTRINSICS, dtype=torch.float64)
    points = 2 * torch.rand(size.points, 3, generator=generator, dtype=torch.float64) - 1
    pixels = seen(points, random_views(size.views, 5.0, generator), camera_from(truth))

    starts = far_starts(size.starts, generator)
    exact = calibrate(pixels.expand(size.starts, -1, -1, -1), points, starts, size.steps)
    noise = SIGMA * torch.randn(size.trials, *pixels.shape, generator=generator, dtype=torch.float64)
    noisy = calibrate(pixels + noise, points, truth.expand(size.trials, 4), 6)
    error = noisy.intrinsics - truth
    distances = (error.unsqueeze(1) @ torch.linalg.solve(noisy.covariance(SIGMA), error.unsqueeze(2)))[:, 0, 0]

    board = photograph_board(size.boards, generator)
    of_board = calibrate(board.corners[None], torch.from_numpy(corners_3d()), far_starts(1, generator), size.steps)
    free = board.corners.numel() - 4 - 6 * len(board.corners)
    spread = of_board.covariance((of_board.squared / free).sqrt())[0].diagonal().sqrt()
    rows = [
        row("points in space, no noise, worst of the starts", _worst(exact.intrinsics, truth), truth)
        | {"starts_arrived": f"{int((error_percent(exact.intrinsics, truth) < 0.1).sum())}/{size.starts}"},
        row("points in space, 1 px of noise, one trial", noisy.intrinsics[0], truth, noisy.covariance(SIGMA)[0])
        | {"within_95_percent": 100 * float((distances < chi2.ppf(0.95, 4)).double().mean())},
        row("rendered chessboard, BPnP", of_board.intrinsics[0], truth) | {"sigma": spread.tolist()},
        row("rendered chessboard, cv2.calibrateCamera", by_opencv(board.corners), truth),
    ]
    return Outcome(rows, exact, noisy, distances, board, of_board)


def error_percent(intrinsics: Tensor, truth: Tensor) -> Tensor:
    """(..., 4) -> (...) the largest relative error of the four."""
    return 100 * ((intrinsics - truth) / truth).abs().amax(-1)


def _worst(intrinsics: Tensor, truth: Tensor) -> Tensor:
    return intrinsics[error_percent(intrinsics, truth).argmax()]


def row(what: str, found: Tensor, truth: Tensor, covariance: Tensor | None = None) -> dict[str, Any]:
    """Row of one calibration, with standard deviations if there is a covariance."""
    values: dict[str, Any] = {"what": what, "intrinsics": found.tolist()}
    values["error"] = (found - truth).tolist()
    values["worst_error_percent"] = float(error_percent(found, truth))
    if covariance is not None:
        values["sigma"] = covariance.diagonal().sqrt().tolist()
    return values


def draw(folder: Path, outcome: Outcome) -> None:
    figure, axes = new_figure(11, 3.2, 1, 3)
    path, noise, picture = axes[0]
    truth = torch.tensor(INTRINSICS, dtype=torch.float64)
    path.semilogy(error_percent(outcome.exact.path, truth), linewidth=0.8)
    path.axhline(0.1, color="grey", linestyle=":")
    path.set(xlabel="step", ylabel="worst of fx, fy, cx, cy (% off)", title="no noise, every start")
    ordered = outcome.distances.sort().values
    share = (torch.arange(len(ordered)) + 1) / len(ordered)
    noise.plot(ordered, share, label=f"{len(ordered)} trials")
    grid = np.linspace(0, 16, 100)
    noise.plot(grid, chi2.cdf(grid, 4), "k:", label="χ², 4 degrees of freedom")
    noise.set(xlim=(0, 16), xlabel="squared error over its own covariance", ylabel="share below", title="1 px of noise")
    noise.legend(fontsize=7)
    picture.imshow(outcome.board.images[0], cmap="gray", vmin=0, vmax=255)
    picture.plot(*outcome.board.corners[0].T, "+", color="tab:red", markersize=4)
    picture.set(title="a rendered view, its corners as found", xticks=[], yticks=[])
    write_figure(folder, "bpnp_calibration", figure)


def main() -> None:
    chosen = arguments(__doc__).parse_args()
    size = QUICK if chosen.quick else Size()
    outcome = run(chosen.seed, size)
    columns = ["what", *NAMES, "worst error (%)", "± fx, fy, cx, cy", "note"]
    table = []
    for r in outcome.rows:
        sigma = ", ".join(f"{value:.2g}" for value in r.get("sigma", []))
        within = r.get("within_95_percent")
        note = f"{within:.1f} % of {size.trials} trials in the 95 % ellipsoid" if within else r.get("starts_arrived")
        table.append([r["what"], *(f"{v:.3f}" for v in r["intrinsics"]), r["worst_error_percent"], sigma, note or ""])
    truth = ", ".join(f"{value:g}" for value in INTRINSICS)
    title = f"Calibration through BPnP; truth {truth}; board of {CORNERS[0]} x {CORNERS[1]} corners"
    print_table(title, columns, table)
    write_json(chosen.out, "bpnp_calibration", {"seed": chosen.seed, **vars(size)}, outcome.rows)
    draw(chosen.out, outcome)


if __name__ == "__main__":
    main()
