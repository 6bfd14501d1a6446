"""Which runner is the fastest for the network on this CPU, and how far are its outputs from torch's?

    PYTHONPATH=. OMP_NUM_THREADS=1 python benchmarks/backends.py [--model box] [--runs 25] [--json FILE]

find: a whole 4:3 frame at the bundle's size. look 1, 4, 8: that many crops; four are one crop and its quarter turns.
Times are medians of the process's own CPU time. The runners take turns, so that other processes matter little.
deviation: the largest difference from torch's outputs, divided by the largest magnitude of that output or by 1.
The rival is torch as it comes, channels last.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from headlines import Headline, finish
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from pose_regressor.assets import find_model
from pose_regressor.network.bundle import Bundle
from pose_regressor.network.outputs import values_of
from pose_regressor.network.runners import Execution, Runner, choose_execution, open_runner
from pose_regressor.types import InputError

Run = Callable[[Tensor], list[Tensor]]


class Entry(nn.Module):
    """One entry point of a network. Its outputs come as a list."""

    def __init__(self, network: nn.Module, find: bool) -> None:
        super().__init__()
        self.network, self.find = network, find

    def forward(self, image: Tensor) -> list[Tensor]:
        found = (self.network.find(image),) if self.find else self.network(image)
        return [value for output in found for value in values_of(output)]


def engine(runner: Runner, find: bool) -> Run:
    """The same of an engine, which takes arrays."""

    def run(image: Tensor) -> list[Tensor]:
        found = (runner.find(image.numpy()),) if find else runner(image.numpy())
        return [torch.from_numpy(value) for output in found for value in values_of(output)]

    return run


def engines(bundle: Bundle) -> dict[str, Execution]:
    """Those that run here, and int8 if the bundle offers it."""
    found, threads = {}, torch.get_num_threads()
    for backend, precision in (("onnxruntime", "fp32"), *(("openvino", name) for name in ("fp32", "bf16", "int8"))):
        with contextlib.suppress(InputError):
            way = choose_execution(backend, "cpu", precision, threads, bundle.quantization)
            found[f"{backend}, {precision}"] = way
    return found


def folded(module: nn.Module) -> nn.Module:
    """Folds each batch normalisation into the convolution before it, in place."""
    before: tuple[str, nn.Module] = ("", module)
    for name, child in list(module.named_children()):
        if isinstance(child, nn.BatchNorm2d) and isinstance(before[1], nn.Conv2d):
            setattr(module, before[0], fuse_conv_bn_eval(before[1], child))
            setattr(module, name, nn.Identity())
        else:
            folded(child)
        before = (name, child)
    return module


def ways(bundle: Bundle, image: Tensor, find: bool, compiled: bool) -> dict[str, Run]:
    layout = torch.channels_last
    plain = copy.deepcopy(bundle.network).to(memory_format=layout)  # type: ignore[call-overload]
    fused = folded(copy.deepcopy(bundle.network)).to(memory_format=layout)  # type: ignore[call-overload]
    half = copy.deepcopy(fused).bfloat16()
    half.mean, half.std = half.mean.float(), half.std.float()
    frozen = torch.jit.freeze(torch.jit.trace(Entry(fused, find).eval(), image, check_trace=False))
    runs: dict[str, Run] = {
        "torch": Entry(plain, find),
        "torch, folded": Entry(fused, find),
        "torch, traced and frozen": frozen,
        "torch, folded, bfloat16": Entry(half, find),
    }
    for name, way in engines(bundle).items():
        runs[name] = engine(open_runner(bundle.weights, way, bundle.quantization), find)
    if compiled:
        runs["torch.compile"] = torch.compile(Entry(fused, find))
    return runs


def deviation(values: list[Tensor], truth: list[Tensor]) -> float:
    pairs = zip(values, truth, strict=True)
    return max(float((v.float() - t).abs().max() / t.abs().max().clamp(min=1)) for v, t in pairs)


@torch.inference_mode()
def measure(runs: dict[str, Run], image: Tensor, count: int) -> dict[str, tuple[float, float]]:
    """Milliseconds and deviation of each runner."""
    truth = [value.clone() for value in runs["torch"](image)]
    times: dict[str, list[float]] = {name: [] for name in runs}
    worst = {name: deviation(run(image), truth) for name, run in runs.items()}
    for _ in range(count):
        for name, run in runs.items():
            start = time.process_time()
            run(image)
            times[name].append(1e3 * (time.process_time() - start))
    return {name: (statistics.median(values), worst[name]) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="box", help="bundle: file, or name of a shipped one (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=25, help="timed runs of each runner (default: %(default)s)")
    parser.add_argument(
        "--compile", action="store_true", help="also time torch.compile: needs a C++ compiler and minutes"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    bundle = Bundle.load(find_model(options.model))
    config, generator = bundle.config, torch.Generator().manual_seed(0)
    height = config.find_size * 3 // 4 // 32 * 32
    shapes = {"find": (1, 3, height, config.find_size)}
    shapes |= {f"look {n}": (n, 3, config.crop_size, config.crop_size) for n in (1, 4, 8)}
    results: dict[str, dict[str, tuple[float, float]]] = {}
    for name, shape in shapes.items():
        image = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
        with torch.inference_mode(False), torch.no_grad():
            runs = ways(bundle, image, name == "find", options.compile)
        results[name] = measure(runs, image, options.runs)
    table = Table("", *(f"{name} (ms)" for name in shapes), "deviation")
    for way in runs:
        worst = max(results[name][way][1] for name in shapes)
        table.add_row(way, *(f"{results[name][way][0]:.1f}" for name in shapes), f"{worst:.0e}")
    Console().print(table)
    headlines = []
    for name in shapes:
        rival = results[name]["torch"][0]
        for way in engines(bundle):
            value = results[name][way][0]
            headlines.append(Headline(f"network, {name}, {way}", value, "ms", "torch", rival, rival / value, ".1f"))
    finish(headlines, options.json, threads=torch.get_num_threads(), results=results)


if __name__ == "__main__":
    main()
