"""How does the time of an image grow with triangles, objects and pixels?

    python benchmarks/generator_growth.py [--device cuda] [--out FOLDER] [--json FILE]

Times the ray tracer alone, since no other stage depends on these: rows of balls before the camera, lit by a lamp with
shadows. On a CPU: medians of the process's own time. On a GPU: of the clock's, in batches of 64. Writes
generator_growth.png. Each headline compares the largest scene with the smallest.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
import trimesh
from headlines import Headline, finish
from rich.console import Console
from rich.table import Table

from pose_regressor_training.meshes.mesh import Mesh
from pose_regressor_training.randomize.surface import plain_materials
from pose_regressor_training.raytracer.renderer import Raytracer
from pose_regressor_training.scenes import BACKGROUND, GROUND, LIGHT, LIGHTS, NONE, Scenes

#: The values that are tried, and what the other two are fixed at meanwhile.
TRIANGLES = (1280, 5120, 20480, 81920, 327680, 1310720)
OBJECTS = (1, 2, 5, 10, 20)
EDGES = (64, 128, 256, 512)
WORDS = {"triangles": "triangles of each object", "objects": "objects", "pixels": "pixels of edge"}
FIXED = {"triangles": 20480, "objects": 5, "pixels": 256}
ROUNDS = 5


def ball(triangles: int) -> Mesh:
    sphere = trimesh.creation.icosphere(subdivisions=round(np.log(triangles / 20) / np.log(4)))
    vertices = np.asarray(sphere.vertices, np.float32)
    return Mesh(
        0.05 * vertices, np.asarray(sphere.faces, np.int32), None, None, (127 * (1 + vertices)).astype(np.uint8)
    )


def scenes(count: int, objects: int, edge: int) -> Scenes:
    """Rows of balls. Whatever their number, they fill about half of the image together."""
    columns = int(np.ceil(np.sqrt(objects)))
    place = np.stack(np.divmod(np.arange(objects), columns)[::-1], axis=1) - (columns - 1) / 2
    pose = np.broadcast_to(np.eye(4), (count, objects, 4, 4)).copy()
    pose[..., :2, 3] = 0.11 * place
    pose[..., 2, 3] = 1.0
    focal = edge / (0.13 * columns)
    middle = (edge - 1) / 2
    light = np.zeros((count, LIGHTS), LIGHT)
    light["direction"] = 0.6, 0.0, -0.8
    light["color"][:, 0], light["radius"], light["shadow"] = 0.6, 0.05, 1
    ambient = np.zeros((count, 9, 3), np.float32)
    ambient[:, 0] = 0.4
    ground, background = np.zeros(count, GROUND), np.zeros(count, BACKGROUND)
    ground["picture"] = background["picture"] = NONE
    return Scenes(
        camera_matrix=np.tile([[focal, 0, middle], [0, focal, middle], [0, 0, 1]], (count, 1, 1)),
        mesh=np.zeros((count, objects), np.int32),
        cam_from_obj=pose,
        material=plain_materials((count, objects)),
        light=light,
        ambient=ambient,
        ground=ground,
        background=background,
    )


def milliseconds(raytracer: Raytracer, objects: int, edge: int) -> float:
    """Median time of one image."""
    on_gpu = raytracer.device.type == "cuda"
    batch = scenes(64 if on_gpu else 4, objects, edge)
    now = time.perf_counter if on_gpu else time.process_time
    times = []
    for _ in range(ROUNDS + 1):
        start = now()
        raytracer.render(batch, edge, edge)
        if on_gpu:
            torch.cuda.synchronize(raytracer.device)
        times.append(1000 * (now() - start) / len(batch))
    return statistics.median(times[1:])


def measure(device: str) -> dict[str, list[tuple[int, float]]]:
    middle = Raytracer([ball(FIXED["triangles"])], device=device)
    return {
        "triangles": [
            (count, milliseconds(Raytracer([ball(count)], device=device), FIXED["objects"], FIXED["pixels"]))
            for count in TRIANGLES
        ],
        "objects": [(count, milliseconds(middle, count, FIXED["pixels"])) for count in OBJECTS],
        "pixels": [(edge, milliseconds(middle, FIXED["objects"], edge)) for edge in EDGES],
    }


def plot(grown: dict[str, list[tuple[int, float]]], device: str, path: Path) -> None:
    names = {"triangles": "triangles of each object", "objects": "objects in the image", "pixels": "edge, pixels"}
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.2), sharey=True, layout="constrained")
    for axis, (name, points) in zip(axes, grown.items(), strict=True):
        axis.plot(*zip(*points, strict=True), "o-")
        axis.set(xscale="log", yscale="log", xlabel=names[name])
        ticks = [value for value, _ in points]
        axis.set_xticks(ticks, [f"{tick:,}" if tick < 1000 else f"{tick / 1000:,.0f} k" for tick in ticks])
        axis.minorticks_off()
        others = [f"{value:,} {other}" for other, value in FIXED.items() if other != name]
        axis.set_title(", ".join(others), fontsize=9)
        axis.grid(alpha=0.3, which="both")
    axes[0].set_yticks((1, 2, 5, 10, 20, 50), ("1", "2", "5", "10", "20", "50"))
    axes[0].set_ylabel(f"ms an image, {'one core' if device == 'cpu' else device}")
    figure.savefig(path, dpi=110)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--device", default="cpu", help="device of the ray tracer (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the plot (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    grown, headlines = measure(given.device), []
    for name, points in grown.items():
        table = Table(title=f"growth with {name}, {given.device}", title_justify="left")
        table.add_column(name, justify="right")
        table.add_column("ms an image", justify="right")
        for value, time_of in points:
            table.add_row(f"{value:,}", f"{time_of:.2f}")
        Console().print(table)
        (least, fastest), (most, slowest) = points[0], points[-1]
        rival, title = f"with {least:,}", f"image with {most:,} {WORDS[name]}, {given.device}"
        headlines.append(Headline(title, slowest, "ms", rival, fastest, slowest / fastest, ".2f"))
    plot(grown, given.device, given.out / "generator_growth.png")
    finish(headlines, given.json, device=given.device, **grown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
