"""All that can only be shown on an NVIDIA GPU, in one run of at most eight minutes that needs no network.

    PYTHONPATH=.:training python benchmarks/gpu.py --out FOLDER [--only STEP ...] [--dry-run]

Needs torch with CUDA, nvcc, the training package, cyclonedds and pytest in this Python. It writes FOLDER/gpu.json and
FOLDER/gpu.md (one row a figure), and a log of each step. A step that fails or runs too long does not stop the others.

build            cuda_ext, into FOLDER/site; this Python's own is left alone
tests            the CUDA operator against its torch twin, and PnP on the GPU
memcheck         the operator's tests under compute-sanitizer
racecheck        the same, for races between threads of a block
projection_loss, bpnp, generator, node_latency  the benchmarks of these names on the GPU
training         the preset `gpu` for up to three minutes: images a second, share of waiting, memory

--dry-run runs every step on the CPU with little work, to see that it can be run. Its figures mean nothing.

Exit code: 0 all steps passed; 1 some did not; 2 there is no GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
#: Seconds for everything. The training takes what is left, at most this long.
WHOLE, TRAINING = 480.0, 180.0
#: Seconds that the training needs besides its steps: imports, meshes, compiling.
TRAINING_START = 60.0
#: A dry run may take so many times as long: a busy CPU is no fault.
DRY_PATIENCE = 10
OPERATOR = ["test/cuda_ext/test_operator.py"]


@dataclass(frozen=True)
class Step:
    """One program.

    command: its arguments; the first is a program, or a Python file of this checkout
    seconds: after which it is ended
    figures: whether it takes --json and prints headlines
    """

    name: str
    command: tuple[str, ...]
    seconds: float
    figures: bool = False


@dataclass
class Outcome:
    """What became of a step.

    result: passed, failed, took too long, or why it was left out
    headlines, figures: as the benchmark wrote them
    """

    name: str
    result: str
    seconds: float = 0.0
    headlines: list[dict[str, Any]] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        return self.result == "passed" or self.result.startswith("left out")


def steps(folder: Path, dry: bool, rest: float) -> list[Step]:
    """What is run. rest: seconds for the training."""
    pytest = ("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider")
    install = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--upgrade")
    device = "cpu" if dry else "cuda"
    little = ("--quick",) if dry else ()
    python = sys.executable
    sanitizer = "compute-sanitizer"
    under = (python, *pytest, *OPERATOR, "-k", "cuda")
    benches = [
        Step("projection_loss", (python, "benchmarks/projection_loss.py", "--device", device, *little), 60, True),
        Step("bpnp", (python, "benchmarks/bpnp.py", "--device", device, *little), 60, True),
        Step("generator", (python, "benchmarks/generator.py", "--device", device, "--no-cycles",
                           *(("--batch", "4", "--batches", "2") if dry else ())), 60, True),
        Step("node_latency", (python, "benchmarks/node_latency.py", *(("--frames", "3") if dry else ())), 60, True),
    ]  # fmt: skip
    return [
        Step("build", (python, *install, "--target", str(folder / "site"), "./cuda_ext"), 150),
        Step("tests", (python, *pytest, *OPERATOR, "test/ops/test_bpnp.py", "test/ops/test_ransac.py"), 90),
        Step("memcheck", (sanitizer, "--tool", "memcheck", "--error-exitcode", "9", *under), 60),
        Step("racecheck", (sanitizer, "--tool", "racecheck", "--error-exitcode", "9", *under), 60),
        *benches,
        Step("training", (python, "benchmarks/training_pace.py", "--device", device, "--seconds", f"{rest:.0f}",
                          *(("--preset", "quick", "--workers", "0") if dry else ())), rest + 90, True),
    ]  # fmt: skip


def run(step: Step, folder: Path, patience: float) -> Outcome:
    """Run a step in a process group of its own, with its output in a log. patience: factor for its seconds."""
    if shutil.which(step.command[0]) is None:
        return Outcome(step.name, f"left out: no {step.command[0]} on the path")
    path = folder / f"{step.name}.json"
    path.unlink(missing_ok=True)
    command = [*step.command, *(("--json", str(path)) if step.figures else ())]
    search = [folder / "site", ROOT, ROOT / "training", *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(str(place) for place in search if str(place))}
    start, result = time.monotonic(), "passed"
    with (folder / f"{step.name}.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT,
                                   start_new_session=True)  # fmt: skip
        try:
            if code := process.wait(patience * step.seconds):
                result = f"failed with exit code {code}, see {step.name}.log"
        except subprocess.TimeoutExpired:
            result = f"took longer than {patience * step.seconds:.0f} s, see {step.name}.log"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    figures = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return Outcome(step.name, result, time.monotonic() - start, figures.pop("headlines", []), figures)


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    words = {"torch": torch.__version__, "CUDA of torch": str(torch.version.cuda), "Python": sys.version.split()[0]}
    if torch.cuda.is_available():
        card = torch.cuda.get_device_properties(0)
        words |= {"GPU": card.name, "memory (GB)": f"{card.total_memory / 1e9:.0f}"}
    return words


def cell(headline: dict[str, Any]) -> tuple[str, str, str]:
    """What was measured, the figure, and its rival, of a headline."""
    unit = headline["unit"]
    figure = f"{headline['value']:.4g} {unit}".strip()
    rival = ""
    if headline["rival_value"] is not None:
        rival = f"{headline['rival']}: {headline['rival_value']:.4g} {unit}".strip()
    if headline["ratio"] is not None:
        rival += f" (ratio {headline['ratio']:.4g})"
    return headline["name"], figure, rival


def report(outcomes: Sequence[Outcome], folder: Path, dry: bool) -> None:
    """Writes gpu.json and gpu.md and prints the table."""
    about = machine()
    figures = {"dry_run": dry, "machine": about, "steps": [asdict(outcome) for outcome in outcomes]}
    (folder / "gpu.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    table = Table("step", "result", "seconds", title=", ".join(f"{key} {value}" for key, value in about.items()))
    for outcome in outcomes:
        table.add_row(outcome.name, outcome.result, f"{outcome.seconds:.0f}")
    Console(width=None if sys.stdout.isatty() else 150).print(table)
    lines = ["# A dry run: the figures mean nothing", ""] if dry else []
    lines += ["| what | measured | beside it | command |", "|---|---|---|---|"]
    for outcome in outcomes:
        for headline in outcome.headlines:
            lines.append(f"| {' | '.join(cell(headline))} | `benchmarks/gpu.py --only {outcome.name}` |")
    (folder / "gpu.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where logs and figures go")
    parser.add_argument("--only", nargs="+", metavar="STEP", help="these steps alone")
    parser.add_argument("--dry-run", action="store_true", help="on the CPU, with little work: can every step be run?")
    options = parser.parse_args()
    names = [step.name for step in steps(options.out, options.dry_run, 0)]
    if unknown := set(options.only or ()) - set(names):
        parser.error(f"--only: expected some of {', '.join(names)}, got {', '.join(sorted(unknown))}")
    if not options.dry_run and not torch.cuda.is_available():
        print("no GPU: torch finds no CUDA device here; --dry-run tries every step on the CPU", file=sys.stderr)
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    folder, begun, outcomes = options.out.resolve(), time.monotonic(), []
    for name in options.only or names:
        left = WHOLE - (time.monotonic() - begun)
        rest = 1.0 if options.dry_run else min(TRAINING, left - TRAINING_START)
        step = next(step for step in steps(folder, options.dry_run, max(rest, 1.0)) if step.name == name)
        if not options.dry_run and left < TRAINING_START:
            outcomes.append(Outcome(name, f"not run: {WHOLE:.0f} s were over"))
            continue
        print(f"{name} ...", file=sys.stderr, flush=True)
        outcomes.append(run(step, folder, DRY_PATIENCE if options.dry_run else 1))
        print(f"{name}: {outcomes[-1].result}", file=sys.stderr, flush=True)
    report(outcomes, folder, options.dry_run)
    return 0 if all(outcome.good for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
