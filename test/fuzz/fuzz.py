"""Breaks messages and files, so many of each, and sees that nothing breaks on them. `make fuzz` runs it.

    PYTHONPATH=.:training python test/fuzz/fuzz.py --messages 1000000 --files 100000 [--seed 0] [--seconds 3600]

Every message goes from its bytes through deserialisation, conversion and the node's core, and must be counted exactly
once with a reason; every file is read, or refused in one line; memory must not grow. The first fault of a kind is shown
with the bytes that brought it, and the exit code is 1.
"""

import argparse
import contextlib
import importlib
import math
import random
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

from fuzz_depth import DepthMessages
from fuzz_files import Files
from fuzz_messages import Messages
from rich.console import Console
from rich.table import Table

from pose_regressor.middleware.kit.worker import Worker  # noqa: F401 - says early that the path is wrong

GROWTH = 50.0  # MB that a kind may grow by once a tenth of it is done
SHOWN = 3  # faults of a kind


def memory():
    """MB of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6


class Run:
    """So many of one kind. faults: what went wrong, by its last line, with the seed that brings it again."""

    def __init__(self, kind, one, count, seed):
        self.kind, self.one, self.count, self.seed = kind, one, count, seed
        self.reasons, self.faults = Counter(), {}
        self.done, self.seconds, self.growth = 0, 0.0, 0.0

    def go(self, until):
        start, settled = time.monotonic(), 0.0
        for number in range(self.count):
            if number == self.count // 10:
                settled = memory()
            if number % 256 == 0 and time.monotonic() > until:
                break
            rng = random.Random(f"{self.seed} {self.kind} {number}")
            try:
                reason = self.one(rng, self.kind)
                self.reasons[reason.split(",")[0][:80]] += 1
            except Exception as error:
                key = f"{type(error).__name__}: {str(error)[:150]}"
                if key not in self.faults and len(self.faults) < SHOWN:
                    traceback.print_exc()
                self.faults.setdefault(key, number)
            self.done += 1
        self.seconds = time.monotonic() - start
        self.growth = memory() - settled if settled else 0.0


def main():
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, default=1_000_000, help="in all, as many of each kind (%(default)s)")
    parser.add_argument("--files", type=int, default=100_000, help="of each of four: bundles, meshes, YAML, MCAP")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="share these among all kinds")
    parser.add_argument("--only", nargs="+", metavar="KIND", help="of all kinds, these, as the table names them")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        messages, depths, files = Messages(), DepthMessages(), Files(Path(folder))
        parts = [messages, depths]
        with contextlib.suppress(ImportError):  # eclipse-zenoh is not installed
            parts.append(importlib.import_module("fuzz_zenoh").ZenohMessages())
        groups = {"bundle": ["bundle"], "text": [], "bag": [], "mesh": []}
        for kind in files.kinds:
            first = kind.split()[0]
            groups[first if first in groups else "text"] += [kind] * (kind != "bundle")
        ways = [(kind, part.one) for part in parts for kind in part.cores]
        runs = [Run(kind, one, math.ceil(options.messages / len(ways)), options.seed) for kind, one in ways]
        for kinds in groups.values():
            runs += [Run(kind, files.one, math.ceil(options.files / len(kinds)), options.seed) for kind in kinds]
        kinds = [run.kind for run in runs]
        if unknown := set(options.only or ()) - set(kinds):
            parser.error(f"--only: expected some of {', '.join(kinds)}, got {', '.join(sorted(unknown))}")
        runs = [run for run in runs if run.count and run.kind in (options.only or kinds)]
        for run in runs:
            run.go(time.monotonic() + options.seconds / len(runs))
            print(f"{run.kind}: {run.done} in {run.seconds:.0f} s, {len(run.faults)} faults", flush=True)
        for part in parts:
            part.close()
    table = Table("kind", "done", "a second", "taken", "refused", "reasons", "growth (MB)", "faults")
    for run in runs:
        taken = run.reasons[""]
        rate = run.done / max(run.seconds, 1e-9)
        cells = (run.done, f"{rate:.0f}", taken, run.done - taken, len(run.reasons), f"{run.growth:.1f}")
        table.add_row(run.kind, *map(str, cells), str(len(run.faults)))
    Console(width=140).print(table)
    bad = [run for run in runs if run.faults or run.growth > GROWTH]
    for run in bad:
        for fault, number in run.faults.items():
            print(f"{run.kind} {number}: {fault}")
        if run.growth > GROWTH:
            print(f"{run.kind}: grew by {run.growth:.0f} MB")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
