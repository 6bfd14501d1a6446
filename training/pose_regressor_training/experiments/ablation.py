"""[DPR]'s ablation: what each part of the randomization is worth, on images of its own kind and on realistic ones.

Each row is one kind of network, trained once with each seed. All are trained alike but for the randomization. The
synthetic side is made by the row's own generator. The real side is the photoreal domain: path-traced scenes of the
object on a table (docs/photoreal.md).
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from pose_regressor_training.experiments.trials import dataset, parser_of, scored, setting_of, trained
from pose_regressor_training.figures import new_figure, print_table, write_figure, write_json
from pose_regressor_training.randomize.config import load_config, with_photographs

#: Configurations in the source's order.
ROWS = ("complete", "fixed_light", "real_background", "fixed_object", "without_randomization")
#: The source's real side: ADD and ADD-S of its toy.
PUBLISHED = {
    "complete": (0.439, 0.487),
    "fixed_light": (0.217, 0.296),
    "real_background": (0.243, 0.270),
    "fixed_object": (0.412, 0.447),
    "without_randomization": (0.0, 0.0),
}


def mean_of(rows: list[dict[str, Any]], name: str, key: str) -> float:
    """Mean of a value over the seeds of a row."""
    return float(np.mean([row[key] for row in rows if row["randomization"] == name]))


def draw(rows: list[dict[str, Any]], name: str, folder: Path) -> None:
    figure, axes = new_figure(8, 3.6)
    axis = axes[0][0]
    names = list(dict.fromkeys(row["randomization"] for row in rows))
    for shift, (key, label) in enumerate((("real_add", f"{name}, real side"), ("published_add", "[DPR]'s toy, real"))):
        heights = [100 * mean_of(rows, kind, key) for kind in names]
        axis.bar([place + 0.4 * shift for place in range(len(names))], heights, 0.4, label=label)
    axis.plot([names.index(row["randomization"]) for row in rows], [100 * row["real_add"] for row in rows], "k.")
    axis.set_xticks([place + 0.2 for place in range(len(names))], [kind.replace("_", "\n") for kind in names])
    axis.set_ylabel("ADD under 0.1 d, %")
    axis.legend()
    write_figure(folder, "ablation", figure)


def main() -> None:
    parser = parser_of(__doc__, "ablation", "toy")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="NAME")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each row (%(default)s)")
    behind = "folder of photographs: all backgrounds of real_background (else a grey wall), half of the random ones"
    parser.add_argument("--photos", type=Path, metavar="DIR", help=behind)
    options = parser.parse_args()
    if options.seeds < 1:
        parser.error(f"--seeds: expected 1 or more, got {options.seeds}")
    console, setting = Console(), setting_of(options)
    objects, config, real = setting.objects, setting.config, setting.real
    rows: list[dict[str, Any]] = []
    for name in options.rows:
        randomize = load_config(name)
        if name != "without_randomization":
            randomize = with_photographs(randomize, options.photos)
        own = dataset(
            objects, randomize, options.images, "raytracer", options.out / f"synthetic_{name}", options.workers
        )
        for seed in range(options.seeds):
            stem = f"{name}_{seed}" if seed else name
            own_config = replace(config, randomize=randomize, seed=config.seed + seed)
            bundle = trained(objects, own_config, options.out / f"{stem}.safetensors", options.device, console)
            row: dict[str, Any] = {"randomization": name, "seed": own_config.seed}
            for side, folder in (("synthetic", own), ("real", real)):
                result = scored(bundle, folder, options.out / f"{stem}_{side}.csv", options.device)
                row |= {f"{side}_{key}": value for key, value in asdict(result).items()}
            row |= dict(zip(("published_add", "published_add_s"), PUBLISHED[name], strict=True))
            console.print(row)
            rows.append(row)
    keys = ("synthetic_add", "synthetic_add_s", "real_add", "real_add_s", "published_add", "published_add_s")
    columns = (
        "trained with",
        "synthetic ADD",
        "ADD-S",
        "real ADD",
        "ADD-S",
        "[DPR]'s toy, real ADD",
        "ADD-S",
        "real ADD of each seed, %",
    )
    table = []
    for name in options.rows:
        each = ", ".join(f"{100 * row['real_add']:.1f}" for row in rows if row["randomization"] == name)
        table.append([name, *(f"{100 * mean_of(rows, name, key):.1f} %" for key in keys), each])
    print_table(f"{objects[0].model.name}: under a tenth of the diameter", columns, table)
    write_json(
        options.out, "ablation", {"samples": config.samples, "images": options.images, "seeds": options.seeds}, rows
    )
    draw(rows, objects[0].model.name, options.out)


if __name__ == "__main__":
    main()
