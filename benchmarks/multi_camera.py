"""How much more accurate is a pose that several cameras have seen?

    PYTHONPATH=. python benchmarks/multi_camera.py [--runs 500] [--json FILE]

Cameras stand on a circle around an object, 0.6 m away and 60° apart. Their errors are as the network's on
demo/box.mp4: small across the view, large along it. In the second half of the table one camera mistakes one face of
the object for another.

fused: by `tracking.fusion.fuse`. The rival is the plain mean of all cameras: the mean position, and the rotation
nearest to the mean matrix. Figures are medians.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from headlines import Headline, finish
from rich.console import Console
from rich.table import Table

from pose_regressor.geometry.so3 import exp, log
from pose_regressor.tracking.fusion import fuse, in_frame
from pose_regressor.tracking.kalman import moved
from pose_regressor.types import FloatArray, ObjectModel, PoseEstimate

SIGMA = np.array([3e-3, 3e-3, 20e-3, 0.08, 0.08, 0.035])
DISTANCE, APART = 0.6, np.radians(60)


def views(model: ObjectModel, cameras: int, wrong: bool, generator: np.random.Generator) -> list[PoseEstimate]:
    """What each camera sees of an object at the origin, in the room's frame. wrong: the first mistakes a face."""
    result = []
    for k in range(cameras):
        angle = k * APART
        room_from_camera = np.eye(4)
        room_from_camera[:3, :3] = exp(np.array([0, -angle, 0]))
        room_from_camera[:3, 3] = DISTANCE * np.array([np.sin(angle), 0, -np.cos(angle)])
        pose = np.linalg.inv(room_from_camera)
        if wrong and k == 0:
            pose[:3, :3] = pose[:3, :3] @ exp(np.array([0, np.pi / 2, 0]))
        pose = moved(pose, SIGMA * generator.normal(size=6))
        seen = PoseEstimate(model, pose, np.diag(SIGMA**2), 0.8, "pnp", np.zeros(4))
        result.append(in_frame(seen, room_from_camera))
    return result


def plain_mean(estimates: list[PoseEstimate]) -> FloatArray:
    mean = np.mean([e.cam_from_obj for e in estimates], axis=0)
    u, _, vt = np.linalg.svd(mean[:3, :3])
    mean[:3, :3] = u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
    return np.asarray(mean)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=500, help="objects seen (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    options = parser.parse_args()
    corner = np.full(3, 0.05)
    model = ObjectModel("box", 1, 0.17, np.stack([-corner, corner]), np.eye(3), np.eye(3))
    table = Table("cameras", "of them wrong", "fused mm", "fused deg", "plain mean mm", "plain mean deg", "rejected %")
    results = []
    for wrong, cameras in [(False, 1), (False, 2), (False, 3), (False, 4), (True, 3), (True, 4)]:
        generator = np.random.default_rng(0)
        errors, rejected = [], 0
        for _ in range(options.runs):
            seen = views(model, cameras, wrong, generator)
            fused = fuse(seen)
            rejected += 0 in fused.rejected
            errors.append(
                [
                    value
                    for pose in (fused.estimate.cam_from_obj, plain_mean(seen))
                    for value in (1e3 * np.linalg.norm(pose[:3, 3]), np.degrees(np.linalg.norm(log(pose[:3, :3]))))
                ]
            )
        figures = [*np.median(errors, axis=0).tolist(), 100 * rejected / options.runs]
        results.append({"cameras": cameras, "wrong": wrong, "figures": figures})
        table.add_row(str(cameras), str(int(wrong)), *(f"{figure:.3g}" for figure in figures))
    Console().print(table)
    one, two = results[0]["figures"], results[1]["figures"]
    three, hurt = results[2]["figures"], results[4]["figures"]
    headlines = [
        Headline("position error, two cameras", two[0], "mm", "one camera", one[0], one[0] / two[0]),
        Headline("position error, three cameras", three[0], "mm", "plain mean", three[2], three[2] / three[0]),
        Headline("rotation error, one of three wrong", hurt[1], "deg", "plain mean", hurt[3], hurt[3] / hurt[1]),
    ]
    finish(headlines, options.json, results=results)


if __name__ == "__main__":
    main()
