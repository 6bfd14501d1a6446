"""How fast is the PnP layer, forward and backward, and how much memory does it keep?

    PYTHONPATH=. python benchmarks/bpnp.py [--authors FOLDER] [--json FILE] [--threads N]

Batches of 1 to 4096 problems of 8 to 256 points in front of a camera, 2 px of noise, float64. Times are medians; the
layer and its rivals take turns in the same run:

OpenCV in a loop            solvePnP with SQPNP, then solvePnPRefineLM; forward only
as published, item by item  BPnP's backward as its paper writes it, with autograd, every c_ij differentiated by itself
as published, points at once  the same, all points of an item in one call (published_bpnp.py)

--authors FOLDER also compares with both layers of a checkout of BPnP's authors, on 32 problems of the same 8 points,
without a start and with the true poses as starts.

The layer uses pose_regressor_cuda if that is installed; --torch leaves it out.

Where a rival would take minutes it is timed on fewer items and scaled.
kept: bytes an item that autograd holds between forward and backward. peak: bytes an item by which the memory in use
grew at most.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from authors_bpnp import authors_layers, shared_problems
from headlines import Headline, finish
from published_bpnp import PublishedBpnp
from rich.console import Console
from rich.table import Table
from torch import Tensor

from pose_regressor.geometry.rotation import matrix_from_quaternion
from pose_regressor.ops.extension import why_missing
from pose_regressor.ops.pnp import bpnp, compiled
from pose_regressor.types import InputError

BATCHES, POINTS = (1, 32, 256, 4096), (8, 32, 256)
SECONDS = 2.0  # that the runs of one case take, roughly
RIVAL_ITEMS = 32  # of a batch that a rival is timed on; its time is scaled to the batch


def problems(batch: int, count: int, device: str = "cpu") -> list[Tensor]:
    """points_2d (B, N, 2), points_3d (B, N, 3), camera (B, 3, 3)."""
    generator = torch.Generator().manual_seed(0)
    points = 2 * torch.rand(batch, count, 3, generator=generator, dtype=torch.float64) - 1
    place = torch.rand(batch, 3, generator=generator).double() * torch.tensor([2.0, 2, 5]) + torch.tensor([-1.0, -1, 3])
    camera = torch.tensor([[600.0, 0, 320], [0, 630, 240], [0, 0, 1]]).double().repeat(batch, 1, 1)
    rotation = matrix_from_quaternion(torch.randn(batch, 4, generator=generator, dtype=torch.float64))
    h = (points @ rotation.mT + place[:, None]) @ camera.mT
    pixels = h[..., :2] / h[..., 2:] + 2 * torch.randn(batch, count, 2, generator=generator).double()
    return [value.to(device) for value in (pixels, points, camera)]


def layer(inputs: list[Tensor]) -> None:
    leaves = [value.detach().requires_grad_() for value in inputs]
    result = bpnp(*leaves)
    (result.rotation.sum() + result.translation.sum()).backward()


def layer_forward(inputs: list[Tensor]) -> None:
    with torch.no_grad():
        bpnp(*inputs)


def published(inputs: list[Tensor], one_by_one: bool) -> None:
    leaves = [value.detach().requires_grad_() for value in inputs]
    PublishedBpnp.apply(*leaves, one_by_one).sum().backward()


def opencv(inputs: list[Tensor]) -> None:
    for pixels, points, camera in zip(*(value.numpy() for value in inputs), strict=True):
        _, rvec, tvec = cv2.solvePnP(points, pixels, camera, None, flags=cv2.SOLVEPNP_SQPNP)
        cv2.solvePnPRefineLM(points, pixels, camera, None, rvec, tvec)


def seconds(work: Callable[[], None], device: str) -> float:
    """How long `work` takes. With one CPU thread: the process's own time, which other processes do not lengthen."""
    clock = time.process_time if device == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
    if device == "cuda":
        torch.cuda.synchronize()
    start = clock()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return clock() - start


def medians(works: dict[str, Callable[[], None]], device: str) -> dict[str, float]:
    """Milliseconds of each. They take turns, the fast ones more often."""
    for work in works.values():
        work()  # the first call takes many times as long as those that follow
    first = {name: seconds(work, device) for name, work in works.items()}
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(3):
        for name, work in works.items():
            share = max(1, min(100, int(SECONDS / 3 / len(works) / first[name])))
            times[name] += [seconds(work, device) for _ in range(share)]
    return {name: 1e3 * statistics.median(column) for name, column in times.items()}


def kept(inputs: list[Tensor]) -> int:
    """Bytes that autograd holds; each storage counts once."""
    storages: dict[int, int] = {}

    def pack(value: Tensor) -> Tensor:
        storages[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
        return value

    leaves = [value.detach().requires_grad_() for value in inputs]
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
        result = bpnp(*leaves)
    del result
    return sum(storages.values())


def _resident(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name))


def _grown(batch: int, count: int, results: multiprocessing.Queue) -> None:
    torch.set_num_threads(1)
    layer(problems(2, count))
    inputs = problems(batch, count)
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
    before = _resident("VmRSS")
    layer(inputs)
    results.put(_resident("VmHWM") - before)


def peak(batch: int, count: int) -> int | None:
    """Bytes, measured in a process of its own; None where the system does not tell."""
    if not Path("/proc/self/clear_refs").exists():
        return None
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=_grown, args=(batch, count, results))
    process.start()
    grown = results.get(timeout=300)
    process.join()
    return grown


def measure(batch: int, count: int, device: str) -> dict[str, float | int | str | None]:
    inputs = problems(batch, count, device)
    few = [value[:RIVAL_ITEMS].cpu() for value in inputs]
    scale = batch / len(few[0])
    works = {"layer": lambda: layer(inputs), "forward": lambda: layer_forward(inputs)}
    if device == "cpu":
        works["opencv"] = lambda: opencv(few)
        works["published, points at once"] = lambda: published(few, False)
        if count == POINTS[0]:
            works["published"] = lambda: published(few, True)
    times = medians(works, device)
    row: dict[str, float | int | str | None] = {"device": device, "batch": batch, "points": count}
    row |= {name: value * (1 if name in ("layer", "forward") else scale) for name, value in times.items()}
    row["kept_bytes_per_item"] = kept(inputs) // batch
    grown = peak(batch, count) if device == "cpu" and batch == max(BATCHES) else None
    row["peak_bytes_per_item"] = None if grown is None else grown // batch
    return row


def against_authors(layers: dict[str, Callable[..., Tensor]]) -> list[Headline]:
    """Forward and backward of 32 problems, from a given start and without one."""
    (pixels, points, camera), poses = shared_problems(RIVAL_ITEMS)
    rotation = torch.stack([torch.from_numpy(cv2.Rodrigues(pose[:3].double().numpy())[0]).float() for pose in poses])
    result = []
    for name, start in (("", None), (" from a given start", poses)):

        def theirs(layer: Callable[..., Tensor], start: Tensor | None = start) -> None:
            leaves = [value.detach().requires_grad_() for value in (pixels, points, camera)]
            layer(*leaves, start).sum().backward()

        def ours(start: Tensor | None = start) -> None:
            leaves = [value.detach().requires_grad_() for value in (pixels, points, camera)]
            found = bpnp(*leaves, init=None if start is None else (rotation, start[:, 3:]))
            (found.rotation.sum() + found.translation.sum()).backward()

        works: dict[str, Callable[[], None]] = {"layer": ours}
        works |= {key: lambda layer=layer: theirs(layer) for key, layer in layers.items()}  # type: ignore[misc]
        times = medians(works, "cpu")
        for key in layers:
            case = f"BPnP forward and backward, batch 32, 8 points{name}"
            result.append(
                Headline(
                    case, times["layer"], "ms", f"the authors' {key}", times[key], times[key] / times["layer"], ".2f"
                )
            )
    return result


def report(rows: list[dict], device: str) -> None:
    rivals = ["opencv", "published, points at once", "published"] if device == "cpu" else []
    table = Table("batch", "points", "forward ms", "+ backward ms", *(f"{name} ms (ratio)" for name in rivals),
                  "kept B/item", "peak B/item", title=f"BPnP on {device}, float64", title_justify="left")  # fmt: skip
    for row in rows:
        against = []
        for name in rivals:
            own = row["forward"] if name == "opencv" else row["layer"]
            against.append(f"{row[name]:.1f} ({row[name] / own:.1f})" if name in row else "")
        table.add_row(str(row["batch"]), str(row["points"]), f"{row['forward']:.2f}", f"{row['layer']:.2f}", *against,
                      f"{row['kept_bytes_per_item']:,}", f"{row['peak_bytes_per_item'] or ''}")  # fmt: skip
    Console(width=None if sys.stdout.isatty() else 150).print(table)


def headlines(rows: list[dict]) -> list[Headline]:
    """The case of 32 problems and the largest, on each device; on the CPU beside its rivals."""
    result = []
    for own in (row for row in rows if row["device"] != "cpu" and row["batch"] >= RIVAL_ITEMS):
        name = f"BPnP forward and backward on {own['device']}, batch {own['batch']}, {own['points']} points"
        result.append(Headline(name, own["layer"], "ms", form=".2f"))
    here = [row for row in rows if row["device"] == "cpu"]
    if not here:
        return result
    row = next(r for r in here if r["batch"] == 32 and r["points"] == 8)
    largest = here[-1]
    for name, rival, mine, other in (
        ("BPnP forward and backward, batch 32, 8 points", "as published, item by item", row["layer"], row["published"]),
        (
            *("BPnP forward and backward, batch 32, 8 points", "as published, points at once"),
            *(row["layer"], row["published, points at once"]),
        ),
        ("BPnP forward, batch 32, 8 points", "OpenCV in a loop", row["forward"], row["opencv"]),
        (
            *(f"BPnP forward, batch {largest['batch']}, {largest['points']} points", "OpenCV in a loop"),
            *(largest["forward"], largest["opencv"]),
        ),
    ):
        result.append(Headline(name, mine, "ms", rival, other, other / mine, ".2f"))
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    parser.add_argument(
        "--threads", type=int, default=1, help="CPU threads, for the layer and its rivals (default: %(default)s)"
    )
    parser.add_argument("--authors", type=Path, metavar="FOLDER", help="a checkout of the authors' code: also a rival")
    parser.add_argument(
        "--torch", action="store_true", help="the torch layer, even if pose_regressor_cuda is installed"
    )
    parser.add_argument("--device", choices=["cpu", "cuda"], help="measure there alone (default: wherever torch can)")
    parser.add_argument("--quick", action="store_true", help="the smallest cases alone")
    options = parser.parse_args()
    try:
        theirs = {} if options.authors is None else authors_layers(options.authors)
    except InputError as error:
        parser.error(str(error))
    if options.torch:
        compiled.can_take = lambda inputs: False
    reason = "--torch" if options.torch else why_missing("pnp_gradients", "cpu")
    print(f"on the CPU: {f'torch ({reason})' if reason else 'pose_regressor_cuda'}", file=sys.stderr)
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    np.seterr(all="ignore")
    rows = []
    devices = [options.device] if options.device else ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    for device in devices:
        own = []
        for batch in BATCHES[:2] if options.quick else BATCHES:
            for count in POINTS[:1] if options.quick else POINTS:
                own.append(measure(batch, count, device))
                print(".", end="", flush=True, file=sys.stderr)
        report(own, device)
        rows += own
    finish(headlines(rows) + against_authors(theirs), options.json, threads=options.threads, rows=rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
