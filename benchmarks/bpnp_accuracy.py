"""Is the PnP layer as accurate as OpenCV's solvers, whatever the noise, outliers, shape and number of points?

    PYTHONPATH=. python benchmarks/bpnp_accuracy.py [--problems N] [--json FILE]

Random views of random points. general: within a cube of edge 2. planar: in its middle plane. near planar: within a
slab of a fiftieth of its thickness. thin: within a rod of a twentieth of its thickness. All solvers see the same
problems. The error is the mean distance of the points from where they truly are, in percent of their distance from the
camera; the table shows its median / 99th percentile.

The rivals are OpenCV's EPnP, SQPnP and ITERATIVE, each as it is and followed by solvePnPRefineLM. With outliers, which
are pixels anywhere in the image, they are solvePnPRansac with EPnP and with SQPnP, refined on its inliers. They are
compared with ransac_pnp, all with the same threshold and 256 hypotheses.

*: the layer's error is greater by more than 0.1 %. **: it is so by more than chance, which is in 39 of 40 bootstrap
samples of the same problems. It is chance if an estimator that is not the optimum has the lower median in one sample.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from headlines import Headline, finish
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from pose_regressor.geometry.rotation import matrix_from_quaternion
from pose_regressor.ops.pnp import bpnp, ransac_pnp

CAMERA = np.array([[600.0, 0, 320], [0, 630, 240], [0, 0, 1]])
SHAPES = {"general": (1, 1, 1), "planar": (1, 1, 0), "near planar": (1, 1, 0.02), "thin": (1, 0.05, 0.05)}
NOISES, COUNTS = (0.0, 1.0, 3.0, 8.0), (4, 6, 8, 32, 100)
OUTLIERS, OUTLIER_COUNTS, OUTLIER_NOISES = (0.2, 0.5), (32, 100), (1.0, 3.0)
HYPOTHESES = 256
RESAMPLES = 200
NEGLIGIBLE = 1e-5  # percent
Poses = NDArray[np.float64]  # (B, 3, 4)
FLAGS = {"EPnP": cv2.SOLVEPNP_EPNP, "SQPnP": cv2.SOLVEPNP_SQPNP, "ITERATIVE": cv2.SOLVEPNP_ITERATIVE}


class Problems:
    """pixels (B, N, 2), points (B, N, 3), true poses (B, 3, 4)."""

    def __init__(self, size: int, shape: str, count: int, noise: float, outliers: float) -> None:
        seed = [size, count, int(10 * noise), int(10 * outliers), list(SHAPES).index(shape)]
        rng = np.random.default_rng(seed)
        self.points = SHAPES[shape] * rng.uniform(-1, 1, (size, count, 3))
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        turn = torch.randn(size, 4, generator=generator, dtype=torch.float64)
        rotation = matrix_from_quaternion(turn).numpy()
        translation = rng.uniform([-1, -1, 3], [1, 1, 8], (size, 3))
        translation[:, :2] *= 0.3 * translation[:, 2:]
        self.truth = np.concatenate([rotation, translation[..., None]], 2)
        h = self.camera_points(self.truth) @ CAMERA.T
        self.pixels = h[..., :2] / h[..., 2:] + noise * rng.normal(size=(size, count, 2))
        wrong = rng.random((size, count)) < outliers
        self.pixels[wrong] = rng.uniform([0, 0], [640, 480], (wrong.sum(), 2))

    def camera_points(self, poses: Poses) -> NDArray:
        return self.points @ poses[..., :3].transpose(0, 2, 1) + poses[:, None, :, 3]

    def errors(self, poses: Poses) -> NDArray:
        """(B,) percent; infinite where there is no pose."""
        offset = np.linalg.norm(self.camera_points(poses) - self.camera_points(self.truth), axis=2).mean(1)
        return np.nan_to_num(100 * offset / self.truth[:, 2, 3], nan=np.inf)


def layer(problems: Problems, threshold: float | None) -> Poses:
    inputs = [torch.from_numpy(value) for value in (problems.pixels, problems.points, CAMERA)]
    with torch.no_grad():
        result = bpnp(*inputs) if threshold is None else ransac_pnp(*inputs, threshold, hypotheses=HYPOTHESES)
    return torch.cat([result.rotation, result.translation.unsqueeze(2)], 2).numpy()


def opencv(problems: Problems, flag: int, refine: bool) -> Poses:
    poses = np.full((len(problems.points), 3, 4), np.nan)
    for pose, points, pixels in zip(poses, problems.points, problems.pixels, strict=True):
        try:
            found, rvec, tvec = cv2.solvePnP(points, pixels, CAMERA, None, flags=flag)
            if found and refine:
                rvec, tvec = cv2.solvePnPRefineLM(points, pixels, CAMERA, None, rvec, tvec)
        except cv2.error:  # too few points for this one
            continue
        if found:
            pose[:] = np.hstack([cv2.Rodrigues(rvec)[0], tvec])
    return poses


def opencv_ransac(problems: Problems, flag: int, threshold: float) -> Poses:
    poses = np.full((len(problems.points), 3, 4), np.nan)
    for pose, points, pixels in zip(poses, problems.points, problems.pixels, strict=True):
        try:
            found, rvec, tvec, inliers = cv2.solvePnPRansac(
                points, pixels, CAMERA, None, iterationsCount=HYPOTHESES, reprojectionError=threshold,
                confidence=0.9999, flags=flag,
            )  # fmt: skip
            if not found or inliers is None or len(inliers) < 4:
                continue
            chosen = inliers.ravel()
            rvec, tvec = cv2.solvePnPRefineLM(points[chosen], pixels[chosen], CAMERA, None, rvec, tvec)
        except cv2.error:
            continue
        pose[:] = np.hstack([cv2.Rodrigues(rvec)[0], tvec])
    return poses


def cell(size: int, shape: str, count: int, noise: float, outliers: float) -> dict:
    problems = Problems(size, shape, count, noise, outliers)
    solvers: dict[str, Callable[[], Poses]]
    if outliers:
        threshold = 3 * noise
        solvers = {
            f"RANSAC {name} + LM": (lambda flag=FLAGS[name]: opencv_ransac(problems, flag, threshold))  # type: ignore[misc]
            for name in ("EPnP", "SQPnP")
        }
    else:
        threshold = None
        solvers = {
            f"{name}{' + LM' * refine}": (lambda flag=flag, refine=refine: opencv(problems, flag, bool(refine)))  # type: ignore[misc]
            for name, flag in FLAGS.items()
            for refine in range(2)
        }
    errors = {"ours": problems.errors(layer(problems, threshold))}
    errors |= {name: problems.errors(solve()) for name, solve in solvers.items()}
    draws = np.random.default_rng(0).integers(size, size=(RESAMPLES, size))
    own = [statistic(errors["ours"]), *statistic(errors["ours"][draws])]
    summary, marks = {}, {}
    for name, values in errors.items():
        other = [statistic(values), *statistic(values[draws])]
        summary[name] = [float(value) for value in other[0]]
        more = np.stack(own) > 1.001 * np.stack(other) + NEGLIGIBLE
        marks[name] = [
            int(sample) + int(sample and share > 0.975) for sample, share in zip(more[0], more[1:].mean(0), strict=True)
        ]
    return {"shape": shape, "points": count, "noise_px": noise, "outliers": outliers, "errors": summary, "marks": marks}


def statistic(errors: NDArray) -> NDArray:
    """(..., B) -> (..., 2) median and 99th percentile."""
    ordered = np.sort(errors, axis=-1)  # quantiles of infinities are not defined by interpolation
    size = errors.shape[-1]
    return ordered[..., [size // 2, int(0.99 * size)]]


def show(cells: list[dict], title: str) -> None:
    names = list(cells[0]["errors"])
    table = Table("shape", "points", "noise", *(["outliers"] if cells[0]["outliers"] else []), *names,
                  title=title, title_justify="left")  # fmt: skip
    for one in cells:
        columns = []
        for name in names:
            values = one["errors"][name]
            columns.append(" / ".join(f"{v:.3g}{'*' * m}" for v, m in zip(values, one["marks"][name], strict=True)))
        share = [f"{one['outliers']:.0%}"] if one["outliers"] else []
        table.add_row(one["shape"], str(one["points"]), f"{one['noise_px']:g} px", *share, *columns)
    Console(width=None if sys.stdout.isatty() else 170).print(table)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--problems", type=int, default=1000, help="for each cell (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    cv2.setRNGSeed(0)
    plain, spoiled = [], []
    for shape, count, noise in itertools.product(SHAPES, COUNTS, NOISES):
        plain.append(cell(options.problems, shape, count, noise, 0.0))
        print(".", end="", flush=True, file=sys.stderr)
    for shape, count, noise, outliers in itertools.product(SHAPES, OUTLIER_COUNTS, OUTLIER_NOISES, OUTLIERS):
        spoiled.append(cell(options.problems, shape, count, noise, outliers))
        print(".", end="", flush=True, file=sys.stderr)
    show(plain, f"error in % of the distance, median / 99th percentile of {options.problems} problems")
    show(spoiled, "the same with outliers")
    cells, headlines = plain + spoiled, []
    for place, which in enumerate(("median", "99th percentile")):
        marks = [max(mark[place] for mark in one["marks"].values()) for one in cells]
        for word, level in (("betters", 1), ("betters by more than chance", 2)):
            count = sum(mark < level for mark in marks)
            name = f"cells whose {which} no OpenCV solver {word}"
            headlines.append(Headline(name, count, "cells", "all", len(cells), count / len(cells), "d"))
    finish(headlines, options.json, cells=cells)
    return 0


if __name__ == "__main__":
    sys.exit(main())
