"""[DPR]'s ablation: what each part of the randomization is worth, on images of its own kind and on realistic ones.

Each row is a network. All are trained alike but for the randomization. The synthetic side is made by the row's own
generator. The real side is the photoreal domain: path-traced scenes of the object on a table (docs/photoreal.md).
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

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


def draw(rows: list[dict[str, Any]], name: str, folder: Path) -> None:
    figure, axes = new_figure(8, 3.6)
    axis = axes[0][0]
    places = range(len(rows))
    for shift, (key, label) in enumerate((("real_add", f"{name}, real side"), ("published_add", "[DPR]'s toy, real"))):
        axis.bar([place + 0.4 * shift for place in places], [100 * row[key] for row in rows], 0.4, label=label)
    axis.set_xticks([place + 0.2 for place in places], [row["randomization"].replace("_", "\n") for row in rows])
    axis.set_ylabel("ADD under 0.1 d, %")
    axis.legend()
    write_figure(folder, "ablation", figure)


def main() -> None:
    parser = parser_of(__doc__, "ablation", "toy")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="NAME")
    behind = "folder of photographs: all backgrounds of real_background (else a grey wall), half of the random ones"
    parser.add_argument("--photos", type=Path, metavar="DIR", help=behind)
    options = parser.parse_args()
    console, setting = Console(), setting_of(options)
    objects, config, real = setting.objects, setting.config, setting.real
    rows = []
    for name in options.rows:
        randomize = load_config(name)
        if name != "without_randomization":
            randomize = with_photographs(randomize, options.photos)
        own_config, out = replace(config, randomize=randomize), options.out / f"{name}.safetensors"
        bundle = trained(objects, own_config, out, options.device, console)
        own = dataset(
            objects, randomize, options.images, "raytracer", options.out / f"synthetic_{name}", options.workers
        )
        row: dict[str, Any] = {"randomization": name}
        for side, folder in (("synthetic", own), ("real", real)):
            result = scored(bundle, folder, options.out / f"{name}_{side}.csv", options.device)
            row |= {f"{side}_{key}": value for key, value in asdict(result).items()}
        row |= dict(zip(("published_add", "published_add_s"), PUBLISHED[name], strict=True))
        console.print(row)
        rows.append(row)
    keys = ("synthetic_add", "synthetic_add_s", "real_add", "real_add_s", "published_add", "published_add_s")
    columns = ("trained with", "synthetic ADD", "ADD-S", "real ADD", "ADD-S", "[DPR]'s toy, real ADD", "ADD-S")
    table = [[row["randomization"], *(f"{100 * row[key]:.1f} %" for key in keys)] for row in rows]
    print_table(f"{objects[0].model.name}: under a tenth of the diameter", columns, table)
    write_json(options.out, "ablation", {"samples": config.samples, "images": options.images}, rows)
    draw(rows, objects[0].model.name, options.out)


if __name__ == "__main__":
    main()
