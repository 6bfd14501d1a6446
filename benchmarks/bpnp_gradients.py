"""How exact are the gradients of the PnP layer, and how well calibrated is its covariance?

    PYTHONPATH=. python benchmarks/bpnp_gradients.py [--problems N] [--json FILE] [--figure FILE]

Gradients: of a random combination of rotation vector and translation, by all four inputs, for 8 and 100 points and 0,
1, 3 and 8 px of noise. The reference is central differences of a float64 solver that shares nothing with the layer:
scipy's least_squares with derivatives by complex steps, then the root of the gradient to the last digit. The table
shows the median and the largest relative error |difference| / |reference| of the problems, in float64 and float32.

Covariance: the share of 10,000 noisy problems whose true pose lies within the ellipsoid, beside the share that the
ellipsoid states.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path

import numpy as np
import torch
from headlines import Headline, finish
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.optimize import least_squares, root
from scipy.stats import chi2
from scipy.stats import f as f_distribution
from torch import Tensor

from pose_regressor.geometry.rotation import matrix_from_quaternion, rotvec_from_matrix
from pose_regressor.ops.pnp import bpnp

COUNTS, NOISES = (8, 100), (0.0, 1.0, 3.0, 8.0)
NAMES = ("points_2d", "points_3d", "camera_matrix", "weights")
#: Steps of the central differences: short enough for the curvature, long enough for rounding.
STEPS = {"points_2d": 3e-2, "points_3d": 3e-5, "camera_matrix": np.array([[3e-2], [3e-2], [3e-6]]), "weights": 1e-4}
SAMPLED = 24  # entries that are checked of an input that has more, drawn at random
CALIBRATION = 10_000


def problems(size: int, count: int, noise: float) -> tuple[list[Tensor], Tensor, Tensor]:
    """The four inputs (the camera repeated for each), true rotation and translation."""
    generator = torch.Generator().manual_seed(count + int(10 * noise))
    points = 2 * torch.rand(size, count, 3, generator=generator, dtype=torch.float64) - 1
    place = torch.rand(size, 3, generator=generator).double() * torch.tensor([2.0, 2, 5]) + torch.tensor([-1.0, -1, 3])
    camera = torch.tensor([[600.0, 0, 320], [0, 630, 240], [0, 0, 1]]).double().repeat(size, 1, 1)
    rotation = matrix_from_quaternion(torch.randn(size, 4, generator=generator, dtype=torch.float64))
    h = (points @ rotation.mT + place[:, None]) @ camera.mT
    pixels = h[..., :2] / h[..., 2:] + noise * torch.randn(size, count, 2, generator=generator).double()
    weights = 0.5 + torch.rand(size, count, generator=generator).double()
    return [pixels, points, camera, weights], rotation, place


def solve_exactly(pixels: NDArray, points: NDArray, camera: NDArray, weights: NDArray, start: NDArray) -> NDArray:
    """(6,) rotation vector and translation at the optimum next to `start`."""

    def residual(y: NDArray) -> NDArray:
        angle = np.sqrt((y[:3] * y[:3]).sum())
        axis = y[:3] / angle
        turned = points * np.cos(angle) + np.cross(axis, points) * np.sin(angle)
        turned = turned + np.outer(points @ axis, axis) * (1 - np.cos(angle))
        h = (turned + y[3:]) @ camera.T
        return (np.sqrt(weights)[:, None] * (h[:, :2] / h[:, 2:] - pixels)).ravel()

    def gradient(y: NDArray) -> NDArray:
        jacobian = np.stack([residual(y + 1e-30j * axis).imag / 1e-30 for axis in np.eye(6)], 1)
        return jacobian.T @ residual(y)

    # least_squares ends where a step no longer lowers the cost, with half of the digits; the root adds the others.
    y = least_squares(residual, start, jac="cs", xtol=1e-15, ftol=1e-15, gtol=1e-15, x_scale="jac").x
    return root(gradient, y, tol=1e-15).x


def gradients(inputs: list[Tensor], along: Tensor, dtype: torch.dtype) -> tuple[list[Tensor], NDArray]:
    """The gradient of the combination by each input, in float64, and the poses (B, 6)."""
    leaves = [value.to(dtype).detach().requires_grad_() for value in inputs]
    result = bpnp(*leaves)
    pose = torch.cat([result.rvec, result.translation], 1)
    (pose * along.to(dtype)).sum().backward()
    return [leaf.grad.double() for leaf in leaves], pose.detach().double().numpy()  # type: ignore[union-attr]


def reference(inputs: list[NDArray], which: int, index: tuple[int, ...], start: NDArray, along: NDArray) -> float:
    step = float(np.broadcast_to(STEPS[NAMES[which]], inputs[which].shape)[index])
    values = []
    for sign in (1, -1):
        moved = [value.copy() for value in inputs]
        moved[which][index] += sign * step
        values.append(solve_exactly(*moved, start) @ along)
    return (values[0] - values[1]) / (2 * step)


def cell(size: int, count: int, noise: float) -> list[dict]:
    """Relative errors, a row for each input."""
    inputs, _, _ = problems(size, count, noise)
    rng = np.random.default_rng(0)
    along = torch.from_numpy(rng.normal(size=(size, 6)))
    double, poses = gradients(inputs, along, torch.float64)
    single, _ = gradients(inputs, along, torch.float32)
    rows = []
    for which, name in enumerate(NAMES):
        errors: dict[str, list[float]] = {"float64": [], "float32": []}
        for item in range(size):
            arrays = [value[item].numpy() for value in inputs]
            every = list(np.ndindex(arrays[which].shape))
            chosen = [every[k] for k in rng.permutation(len(every))[:SAMPLED]]
            expected = np.array([reference(arrays, which, i, poses[item], along[item].numpy()) for i in chosen])
            for kind, found in (("float64", double), ("float32", single)):
                own = np.array([found[which][item][i].item() for i in chosen])
                # Without residuals the weights have no influence, so that the reference is zero.
                size_ = np.linalg.norm(expected) if name != "weights" or noise else 1.0
                errors[kind].append(float(np.linalg.norm(own - expected) / size_))
        row = {"points": count, "noise_px": noise, "input": name}
        for kind, values in errors.items():
            row |= {f"{kind}_median": float(np.median(values)), f"{kind}_worst": max(values)}
        rows.append(row)
    return rows


def coverage(noise: float, count: int) -> dict[str, list[float]]:
    """For each share that the ellipsoid states: the share of true poses within it, noise known and estimated."""
    inputs, rotation, translation = problems(CALIBRATION, count, noise)
    stated = np.linspace(0.05, 0.95, 19)
    shares: dict[str, list[float]] = {"stated": stated.tolist()}
    for kind, sigma in (("known", noise), ("estimated", None)):
        with torch.no_grad():
            result = bpnp(*inputs[:3], pixel_sigma=sigma)
        turn = rotvec_from_matrix(rotation @ result.rotation.mT)
        offset = torch.cat([translation - result.translation, turn], 1)
        distance = (offset * torch.linalg.solve(result.covariance, offset)).sum(1).numpy()
        limits = chi2.ppf(stated, 6) if sigma else 6 * f_distribution.ppf(stated, 6, 2 * count - 6)
        shares[kind] = [float((distance < limit).mean()) for limit in limits]
    return shares


def draw(rows: list[dict], calibration: dict[str, dict], path: Path) -> None:
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2))
    for kind, colour in (("float64", "tab:blue"), ("float32", "tab:orange")):
        for count, marker in zip(COUNTS, "os", strict=True):
            own = [r for r in rows if r["points"] == count and (r["noise_px"] or r["input"] != "weights")]
            worst = [max(r[f"{kind}_worst"] for r in own if r["noise_px"] == noise) for noise in NOISES]
            left.semilogy(NOISES, worst, marker + "-", color=colour, label=f"{kind}, {count} points, worst")
    left.semilogy(NOISES, [0.044, 0.058, 0.043, 0.057], "k^--", label="authors' BPnP, median")
    left.set(xlabel="noise, px", ylabel="relative error of the gradient")
    left.legend(fontsize=7)
    right.plot([0, 1], [0, 1], color="0.8")
    for name, shares in calibration.items():
        for kind, style in (("known", "-"), ("estimated", ":")):
            right.plot(shares["stated"], shares[kind], style, label=f"{name}, noise {kind}")
    right.set(xlabel="share that the ellipsoid states", ylabel=f"share of {CALIBRATION:,} true poses within it")
    right.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--problems", type=int, default=8, help="for each cell of the table (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="draw them")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for count, noise in itertools.product(COUNTS, NOISES):
        rows += cell(options.problems, count, noise)
        print(".", end="", flush=True, file=sys.stderr)
    title = "relative error of the gradient (by weights without noise: absolute)"
    columns = ("points", "noise", "input", "float64 median", "worst", "float32 median", "worst")
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        values = (row[f"{kind}_{which}"] for kind in ("float64", "float32") for which in ("median", "worst"))
        table.add_row(str(row["points"]), f"{row['noise_px']:g} px", row["input"], *(f"{v:.1e}" for v in values))
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table)
    calibration = {
        f"{count} points, {noise:g} px": coverage(noise, count) for count, noise in ((8, 1.0), (100, 1.0), (20, 5.0))
    }
    table = Table(
        "problems", "noise", "within 50 %", "within 95 %", title="true poses within the ellipsoid", title_justify="left"
    )
    for name, shares in calibration.items():
        for kind in ("known", "estimated"):
            table.add_row(name, kind, f"{shares[kind][9]:.2%}", f"{shares[kind][18]:.2%}")
    console.print(table)
    headlines = []
    for kind, rival in (("float64", 0.058), ("float32", 0.058)):
        worst = max(row[f"{kind}_worst"] for row in rows)
        name = f"relative error of the gradient, {kind}, worst"
        headlines.append(Headline(name, worst, "", "authors' BPnP, median at 1 px", rival, rival / worst, ".1e"))
    if options.figure:
        draw(rows, calibration, options.figure)
    finish(headlines, options.json, gradients=rows, calibration=calibration)
    return 0


if __name__ == "__main__":
    sys.exit(main())
