"""[DPR]'s second table: an object with symmetries, trained with and without the projection loss, with several seeds.

The projection loss acts on the regressed pose, so the regression is compared. The networks are trained without dense
correspondences, and these are silenced before scoring. The trainings of these two rows do not know the symmetries.
Those of a third row know them, as the trainings of bundles do, and have no projection loss.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from pose_regressor.network.bundle import Bundle
from pose_regressor_training.experiments.trials import parser_of, scored, setting_of, trained
from pose_regressor_training.figures import new_figure, print_table, write_figure, write_json
from pose_regressor_training.losses import Weights
from pose_regressor_training.train.objects import KnownObject

#: [DPR]: ADD and ADD-S on its real images. It has no row that knows the symmetries.
PUBLISHED = {"without": (0.345, 0.510), "with": (0.362, 0.607)}
#: Only the source's own terms.
SOURCE = Weights(mask=0, coordinates=0, certainty=0, regions=0, pose=0)
KNOWN = "symmetries known"
VARIANTS = {"without": SOURCE, "with": replace(SOURCE, projection=1.0), KNOWN: SOURCE}


def naive(known: KnownObject) -> KnownObject:
    """The object as if it had no symmetries."""
    return replace(known, model=replace(known.model, symmetries=np.zeros((0, 4, 4))))


@torch.no_grad()
def silenced(bundle: Bundle) -> Bundle:
    """The bundle with a network that sees the object in no pixel, so that poses come from the regression."""
    for name, value in bundle.network.dense_head.out.named_parameters():
        value.fill_(-1.0 if name == "bias" else 0.0)
    return bundle


def draw(rows: list[dict[str, Any]], folder: Path) -> None:
    figure, axes = new_figure(5, 3.6)
    axis = axes[0][0]
    for place, name in enumerate(VARIANTS):
        own = [100 * row["add_s"] for row in rows if row["variant"] == name]
        axis.plot([place] * len(own), own, "o", label=f"{name}: each seed")
        axis.plot([place - 0.2, place + 0.2], [np.mean(own)] * 2, "k-")
    axis.set_xticks(range(len(VARIANTS)), [name if name == KNOWN else f"{name}\nprojection loss" for name in VARIANTS])
    axis.set_ylabel("ADD-S under 0.1 d, %")
    write_figure(folder, "projection_ablation", figure)


def main() -> None:
    parser = parser_of(__doc__, "projection_ablation", "symmetric")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each kind (%(default)s)")
    options = parser.parse_args()
    console, setting = Console(), setting_of(options)
    objects, config, real = setting.objects, setting.config, setting.real
    rows: list[dict[str, Any]] = []
    for seed in range(options.seeds):
        for name, weights in VARIANTS.items():
            out = options.out / f"{name.replace(' ', '_')}_{seed}.safetensors"
            own = replace(config, losses=weights, seed=seed)
            shown = objects if name == KNOWN else [naive(known) for known in objects]
            bundle = trained(shown, own, out, options.device, console)
            result = scored(silenced(bundle), real, out.with_suffix(".csv"), options.device)
            row = {"variant": name, "seed": seed} | asdict(result)
            console.print(row)
            rows.append(row)
    table = []
    for name in VARIANTS:
        own_rows = [row for row in rows if row["variant"] == name]
        mean = [np.mean([row[key] for row in own_rows]) for key in ("add", "add_s")]
        shares = [f"{100 * value:.1f} %" for value in (*mean, *PUBLISHED.get(name, ()))]
        each = ", ".join(f"{100 * row['add_s']:.1f}" for row in own_rows)
        table.append([name, *shares[:2], each, *(shares[2:] or ("", ""))])
    columns = ("projection loss", "ADD", "ADD-S", "ADD-S of each seed, %", "[DPR]: ADD", "ADD-S")
    print_table(f"{objects[0].model.name}, {options.seeds} seeds: under a tenth of the diameter", columns, table)
    write_json(options.out, "projection_ablation", {"samples": config.samples, "images": options.images}, rows)
    draw(rows, options.out)


if __name__ == "__main__":
    main()
