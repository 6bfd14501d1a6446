"""How far do the silhouette losses pull? A pose is perturbed and found again by following one loss alone.

    python -m pose_regressor_training.experiments.basin --out out/basin [--starts 64] [--objects toy box symmetric]

For each test object, random poses are turned by 5 to 60° and moved by 2 to 30 % of their distance from the camera in
random directions, and fitted with Adam. A pose is found again if the IoU of the silhouettes is at least 0.95 and ADD-S
is below a tenth of the diameter. The table and the figure give the share of such starts. L_r + L_t, which knows the
true pose and not only its silhouette, is the upper bound; "nearest pixel" is a kernel that was tried and not kept.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import torch

from pose_regressor_training.experiments.silhouette_fit import (
    ENOUGH_ADD,
    ENOUGH_IOU,
    Shape,
    fit,
    judge,
    losses,
    perturbed,
    random_poses,
    shape_of,
)
from pose_regressor_training.figures import new_figure, print_table, write_figure, write_json
from pose_regressor_training.meshes.mesh import load_mesh
from pose_regressor_training.test_objects import make_box, make_symmetric, make_toy

OBJECTS = {"toy": make_toy, "box": make_box, "symmetric": make_symmetric}
#: Degrees, and share of the distance.
PERTURBATIONS = ((5, 0.02), (10, 0.05), (20, 0.10), (30, 0.20), (45, 0.25), (60, 0.30))
STEPS = 400


def run(shape: Shape, method: str, degrees: float, share: float, starts: int) -> dict[str, Any]:
    """One cell of the table."""
    generator = torch.Generator().manual_seed(0)  # the same poses for every method
    truth = random_poses(starts, shape.diameter, generator)
    start = perturbed(truth, degrees, share, generator)
    begun = time.perf_counter()
    found = fit(losses(shape, truth)[method], start, shape.diameter, STEPS)
    seconds = time.perf_counter() - begun
    iou, add_s = judge(shape, truth, found)
    return {
        "degrees": degrees,
        "share": share,
        "found": float(((iou >= ENOUGH_IOU) & (add_s < ENOUGH_ADD)).mean()),
        "iou": float((iou >= ENOUGH_IOU).mean()),
        "add_s": float((add_s < ENOUGH_ADD).mean()),
        "seconds": seconds,
    }


def draw(rows: list[dict[str, Any]], objects: list[str], methods: list[str], folder: Path) -> None:
    figure, axes = new_figure(4 * len(objects), 3.6, 1, len(objects))
    names = [f"{degrees}°\n{share:.0%}" for degrees, share in PERTURBATIONS]
    for axis, name in zip(axes[0], objects, strict=True):
        for method in methods:
            found = [100 * row["found"] for row in rows if (row["object"], row["method"]) == (name, method)]
            axis.plot(names, found, marker="o", linewidth=3 if "ours" in method else 1.5, label=method)
        axis.set_title(name)
        axis.set_ylim(-3, 103)
        axis.grid(alpha=0.3)
    axes[0][0].set_ylabel("found again, %")
    axes[0][-1].legend(fontsize="small", loc="lower left")
    write_figure(folder, "basin", figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for basin.json and basin.png")
    parser.add_argument("--starts", type=int, default=64, help="poses a cell (%(default)s)")
    parser.add_argument("--objects", nargs="+", choices=sorted(OBJECTS), default=list(OBJECTS), metavar="NAME")
    parser.add_argument("--methods", nargs="+", metavar="NAME", help="those whose name contains one of these (all)")
    options = parser.parse_args()
    shapes = {name: shape_of(load_mesh(OBJECTS[name](options.out / "mesh" / name), "m")) for name in options.objects}
    anywhere = random_poses(1, 1.0, torch.Generator())
    known = list(losses(next(iter(shapes.values())), anywhere))
    methods = [name for name in known if not options.methods or any(part in name for part in options.methods)]
    rows = []
    for name, shape in shapes.items():
        for method in methods:
            for degrees, share in PERTURBATIONS:
                row = {"object": name, "method": method, **run(shape, method, degrees, share, options.starts)}
                print(f"{name}, {method}, {degrees}°, {share:.0%}: {row['found']:.0%}", flush=True)
                rows.append(row)
    columns = ["object", "loss", *(f"{degrees}°, {share:.0%}" for degrees, share in PERTURBATIONS), "s/start"]
    table = []
    for name in shapes:
        for method in methods:
            own = [row for row in rows if (row["object"], row["method"]) == (name, method)]
            pace = sum(row["seconds"] for row in own) / len(own) / options.starts
            table.append([name, method, *(f"{row['found']:.0%}" for row in own), pace])
    print_table("Found again, share of starts", columns, table)
    write_json(options.out, "basin", {"starts": options.starts, "steps": STEPS}, rows)
    draw(rows, options.objects, methods, options.out)


if __name__ == "__main__":
    main()
