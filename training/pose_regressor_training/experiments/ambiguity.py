"""In which direction does each loss pull a pose that looks right but is not the given one?

    python -m pose_regressor_training.experiments.ambiguity --out out/ambiguity [--poses 200]

Does it turn the object about its symmetry axis? The test object `symmetric` looks the same after any turn about its
axis. A true pose is turned about that axis by a random angle, which no image can show ("equal"), and then also
displaced by 10° and 5 % of its distance ("displaced").
The table gives each loss and its gradient by rotation angle: along the symmetry, and across it. L_r of [DPR] pulls to
the one pose that it was given. Losses that compare silhouettes should pull to the nearest pose that looks right.

The object's points are as symmetric as its mesh, which has 64 sides, and it is turned by multiples of a 64th.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pose_regressor.geometry.rotation import matrix_from_quaternion
from pose_regressor_training.experiments.silhouette_fit import (
    Loss,
    Poses,
    Shape,
    losses,
    perturbed,
    random_poses,
    shape_of,
)
from pose_regressor_training.figures import new_figure, print_table, write_figure, write_json
from pose_regressor_training.meshes.mesh import load_mesh
from pose_regressor_training.test_objects import make_symmetric

METHODS = ("one pixel (source)", "long range (ours)", "render", "L_r")
AXIS = 1  # the object stands along its y
SIDES = 64


def turns(angles: Tensor) -> Tensor:
    """(B,) radians -> (B, 3, 3) about the object's axis."""
    quaternion = angles.new_zeros(len(angles), 4)
    quaternion[:, AXIS], quaternion[:, 3] = (angles / 2).sin(), (angles / 2).cos()
    return matrix_from_quaternion(quaternion)


def symmetrised(shape: Shape) -> Shape:
    """The shape with points that are as symmetric as the object."""
    some = shape.points[:: len(shape.points) // 250]
    every = turns(torch.arange(SIDES) * (2 * math.pi / SIDES))
    return Shape((some @ every.mT).flatten(0, 1), shape.edges, shape.diameter)


def along_and_across(loss: Loss, at: Poses) -> tuple[Tensor, Tensor, Tensor]:
    """(B,) each: the loss, its derivative by a turn about the object's axis, and by turns about the two other axes."""
    small = at.translation.new_zeros(len(at.rotation), 3, requires_grad=True)
    x, y, z = small.unbind(1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=1).view(-1, 3, 3)
    value = loss(at.rotation + at.rotation @ skew, at.translation)
    value.sum().backward()
    assert small.grad is not None
    others = [axis for axis in range(3) if axis != AXIS]
    return value.detach(), small.grad[:, AXIS].abs(), small.grad[:, others].norm(dim=1)


def measure(shape: Shape, count: int) -> list[dict[str, Any]]:
    generator = torch.Generator().manual_seed(0)
    truth = random_poses(count, shape.diameter, generator)
    steps = torch.randint(1, SIDES, (count,), generator=generator)
    turned = Poses(truth.rotation @ turns(steps * (2 * math.pi / SIDES)), truth.translation)
    rows = []
    known = losses(shape, truth)
    known["L_r"] = lambda rotation, _: (shape.points[:4000] @ (rotation - truth.rotation).mT).norm(dim=2).mean(1)
    for situation, pose in (("equal", turned), ("displaced", perturbed(turned, 10, 0.05, generator))):
        for method in METHODS:
            value, along, across = along_and_across(known[method], pose)
            rows.append({"situation": situation, "loss": method, "value": float(value.median()),
                         "along": float(along.median()), "across": float(across.median())})  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for ambiguity.json and .png")
    parser.add_argument("--poses", type=int, default=200, help="(%(default)s)")
    options = parser.parse_args()
    shape = symmetrised(shape_of(load_mesh(make_symmetric(options.out / "mesh"), "m")))
    rows = measure(shape, options.poses)
    columns = ("pose", "loss", "value", "gradient along", "across", "along / across")
    table = [
        (row["situation"], row["loss"], row["value"], row["along"], row["across"],
         row["along"] / row["across"] if row["across"] else "no gradient")
        for row in rows
    ]  # fmt: skip
    print_table("Gradient along and across the symmetry, medians", columns, table)
    write_json(options.out, "ambiguity", {"poses": options.poses}, rows)
    figure, axes = new_figure(8, 3.2, 1, 2)
    for axis, situation in zip(axes[0], ("equal", "displaced"), strict=True):
        own = [row for row in rows if row["situation"] == situation]
        for place, key in ((-0.2, "along"), (0.2, "across")):
            axis.bar([number + place for number in range(len(own))], [row[key] for row in own], 0.4, label=key)
        axis.set_xticks(range(len(own)), [row["loss"].replace(" (", "\n(") for row in own], fontsize="small")
        axis.set_title(situation)
    axes[0][0].legend()
    axes[0][0].set_ylabel("gradient, per radian")
    write_figure(options.out, "ambiguity", figure)


if __name__ == "__main__":
    main()
