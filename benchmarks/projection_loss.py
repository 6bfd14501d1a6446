"""How fast is the projection loss, compiled and as its torch reference, and how far is CUDA from its memory's limit?

    PYTHONPATH=. python benchmarks/projection_loss.py [--json FILE] [--threads N]

Forward and backward, from poses to their gradients: batches of 1 to 256 images, 1,000 to 20,000 points, grids of 32 to
256 pixels square, both kernels. The operator of pose_regressor_cuda and its rival, the torch reference on the same
device, take turns in one run. Times are medians.

floor, on a GPU: the time to read and write what must be (points, poses, gradients) at the bandwidth that copying a
large tensor reaches there.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from headlines import Headline, finish
from rich.console import Console
from rich.table import Table
from torch import Tensor

from pose_regressor.geometry.rotation import matrix_from_quaternion
from pose_regressor.ops.projection import KERNELS, MeshEdges, mesh_edges, render_loss
from pose_regressor.ops.projection.backend import compiled_for, compiled_loss
from pose_regressor.ops.projection.reference import reference_loss

BATCHES, POINTS, GRIDS = (1, 16, 256), (1_000, 20_000), (32, 64, 256)
#: Products of batch and points or pixels for which the reference needs more memory than a machine has: about twenty
#: arrays of that size.
TOO_LARGE = 2**25


def inputs(batch: int, points: int, grid: int, device: str) -> list[Tensor | int | float]:
    """An object that covers about half of the grid's height, predicted 15° and a tenth of its size off."""
    generator = torch.Generator().manual_seed(0)
    cloud = torch.randn(1, points, 3, generator=generator)
    cloud = 0.05 * torch.nn.functional.normalize(cloud, dim=2) * torch.tensor([1.4, 1.0, 0.6])
    true = matrix_from_quaternion(torch.randn(batch, 4, generator=generator, dtype=torch.float64)).float()
    turn = torch.linalg.matrix_exp(0.15 * torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]))
    place = torch.tensor([0.0, 0, 0.5]) + 0.01 * torch.randn(batch, 3, generator=generator)
    camera = torch.tensor([[2.5 * grid, 0, grid / 2], [0, 2.5 * grid, grid / 2], [0, 0, 1]])[None]
    tensors = (cloud, turn @ true, place + 0.01, true, place, camera)
    return [*(tensor.to(device) for tensor in tensors), grid, grid, 1.0]


def run(compute: Callable[..., Tensor], values: list[Tensor | int | float], kernel: str) -> None:
    rotation, translation = (values[index].detach().requires_grad_() for index in (1, 2))
    compute(values[0], rotation, translation, *values[3:], kernel).sum().backward()


def seconds(device: str, work: Callable[[], None]) -> float:
    """How long `work` takes. With one CPU thread: the process's own time, which other processes do not lengthen."""
    clock = time.process_time if device == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
    if device == "cuda":
        torch.cuda.synchronize()
    start = clock()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return clock() - start


def compare(values: list[Tensor | int | float], kernel: str, device: str) -> tuple[float, float]:
    """Medians in ms of operator and reference. They take turns of about 20 ms, or of one run if that is longer."""
    works = [lambda compute=compute: run(compute, values, kernel) for compute in (compiled_loss, reference_loss)]
    for work in works:
        work()
    alone = [seconds(device, work) for work in works]
    in_turn = [max(1, min(200, int(0.02 / time))) for time in alone]
    turns = max(2, min(20, int(2 / sum(time * number for time, number in zip(alone, in_turn, strict=True)))))
    times: list[list[float]] = [[], []]
    for _ in range(turns):
        for work, number, own in zip(works, in_turn, times, strict=True):
            own += [seconds(device, work) for _ in range(number)]
    return 1e3 * statistics.median(times[0]), 1e3 * statistics.median(times[1])


def memory_floor(values: list[Tensor | int | float], bandwidth: float) -> float:
    """Milliseconds to read the inputs once and to write loss and gradients."""
    read = sum(value.nbytes for value in values if isinstance(value, Tensor))
    written = 13 * 4 * len(values[1])
    return 1e3 * (read + written) / bandwidth


def copy_bandwidth() -> float:
    """Bytes a second that a large copy reads and writes, together."""
    source = torch.empty(2**28, device="cuda")
    target = torch.empty_like(source)
    times = [seconds("cuda", lambda: target.copy_(source)) for _ in range(5)]
    return 2 * source.nbytes / min(times)


def ball(rings: int) -> MeshEdges:
    """A ball of 5 cm radius with about 4 * rings² triangles."""
    height = torch.linspace(0, torch.pi, rings + 1)[1:-1, None]
    turn = torch.arange(2 * rings) * (torch.pi / rings)
    middle = torch.stack([height.sin() * turn.cos(), height.sin() * turn.sin(), height.cos().expand(-1, 2 * rings)], 2)
    vertices = 0.05 * torch.cat([middle.flatten(0, 1), torch.tensor([[0.0, 0, 1], [0, 0, -1]])])
    top, bottom = len(vertices) - 2, len(vertices) - 1
    faces = []
    for k in range(2 * rings):
        after = (k + 1) % (2 * rings)
        faces.append([top, k, after])
        for low in range(0, 2 * rings * (rings - 2), 2 * rings):
            below = low + 2 * rings
            faces += [[low + k, below + k, below + after], [low + k, below + after, low + after]]
        faces.append([below + k, bottom, below + after])
    return mesh_edges(vertices, torch.tensor(faces))


def render_times(device: str) -> list[dict[str, object]]:
    """Forward and backward of the render loss for a batch of 64 on a grid of 64 x 64. It has no rival here."""
    _, rotation_start, translation_start, *truth = inputs(64, 1, 64, device)[:5]
    camera = torch.tensor([[160.0, 0, 32], [0, 160, 32], [0, 0, 1]], device=device)
    rows = []
    for rings in (6, 17, 55):
        edges = MeshEdges(*(value.to(device) for value in ball(rings)))

        def work(edges: MeshEdges = edges) -> None:
            rotation, translation = (start.detach().requires_grad_() for start in (rotation_start, translation_start))
            render_loss(edges, rotation, translation, *truth, camera, (64, 64), check_values=False).sum().backward()

        work()
        times = [seconds(device, work) for _ in range(20)]
        rows.append({"device": device, "edges": len(edges.start), "render_ms": 1e3 * statistics.median(times)})
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads, for both (default: %(default)s)")
    parser.add_argument("--device", choices=["cpu", "cuda"], help="measure there alone (default: wherever torch can)")
    parser.add_argument("--quick", action="store_true", help="the smallest cases alone")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    devices = [options.device] if options.device else ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    missing = [device for device in devices if not compiled_for(device)]
    if missing:
        print(f"error: pose_regressor_cuda is not built for {missing[0]}: pip install ./cuda_ext", file=sys.stderr)
        return 2
    rows, rendered, headlines = [], [], []
    for device in devices:
        bandwidth = copy_bandwidth() if device == "cuda" else None
        table = Table("batch", "points", "grid", "kernel", "compiled ms", "reference ms", "ratio", "floor ms",
                      title=f"forward and backward on {device}", title_justify="left")  # fmt: skip
        few = 1 if options.quick else None
        for batch, points, grid, kernel in itertools.product(BATCHES[:few], POINTS[:few], GRIDS[:few], KERNELS):
            if batch * max(points, grid * grid) >= TOO_LARGE:
                continue
            values = inputs(batch, points, grid, device)
            compiled, reference = compare(values, kernel, device)
            floor = memory_floor(values, bandwidth) if bandwidth else None
            rows.append({"device": device, "batch": batch, "points": points, "grid": grid, "kernel": kernel,
                         "compiled_ms": compiled, "reference_ms": reference, "floor_ms": floor})  # fmt: skip
            table.add_row(str(batch), str(points), str(grid), kernel, f"{compiled:.3f}", f"{reference:.2f}",
                          f"{reference / compiled:.1f}", f"{floor:.4f}" if floor else "")  # fmt: skip
            print(".", end="", flush=True, file=sys.stderr)
        Console(width=None if sys.stdout.isatty() else 120).print(table)
        headlines += headlines_of(rows, device)
        rendered += render_times(device)
        for row in rendered:
            print(f"render loss on {row['device']}, batch 64, 64x64, {row['edges']} edges: {row['render_ms']:.1f} ms")
    finish(headlines, options.json, threads=options.threads, rows=rows, render=rendered)
    return 0


def headlines_of(rows: list[dict], device: str) -> list[Headline]:
    """The case with the lowest ratio, and the largest, each beside the reference."""
    own = [row for row in rows if row["device"] == device]
    worst = min(own, key=lambda row: row["reference_ms"] / row["compiled_ms"])
    largest = max(own, key=lambda row: (row["batch"], row["points"], row["grid"], row["kernel"] == "long_range"))
    result = []
    for label, row in (("worst case", worst), ("largest", largest)):
        name = (f"projection loss on {device}, {label}: batch {row['batch']}, {row['points']} points, "
                f"{row['grid']}x{row['grid']}, {row['kernel']}")  # fmt: skip
        ratio = row["reference_ms"] / row["compiled_ms"]
        result.append(Headline(name, row["compiled_ms"], "ms", "torch reference", row["reference_ms"], ratio, ".3f"))
    if device == "cuda":
        compiled, floor = largest["compiled_ms"], largest["floor_ms"]
        name = "projection loss on cuda, largest, above its memory floor"
        result.append(Headline(name, compiled, "ms", "floor", floor, compiled / floor, ".4f"))
    return result


if __name__ == "__main__":
    sys.exit(main())
