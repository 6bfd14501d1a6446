"""Does pip find a wheel of every dependency for 64-bit ARM, where robots have no compiler?

    python benchmarks/arm_wheels.py [--python 3.10 3.12 3.14] [--extras dds] [--machine aarch64] [--glibc 2.35]

pip resolves the dependencies in setup.py, and theirs, for another machine. It installs nothing. It needs the package
index.
Exit code 1: a Python version for which something has no wheel.
"""

from __future__ import annotations

import argparse
import json
import re
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

import setuptools

ROOT = Path(__file__).resolve().parents[1]
#: Minor versions of glibc that wheels are built for.
OLDEST_GLIBC = 17


def dependencies(extras: list[str]) -> list[str]:
    """The requirements in setup.py. SystemExit: it has no such extra."""
    with mock.patch.object(setuptools, "setup") as setup:
        runpy.run_path(str(ROOT / "setup.py"))
    known = setup.call_args.kwargs
    if unknown := set(extras) - set(known["extras_require"]):
        raise SystemExit(f"error: --extras: setup.py has no {', '.join(sorted(unknown))}")
    return [*known["install_requires"], *(name for extra in extras for name in known["extras_require"][extra])]


def resolved(names: list[str], python: str, platforms: list[str]) -> list[str]:
    """What pip would install. RuntimeError: its last words if something has no wheel."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--only-binary=:all:"]
        command += ["--target", folder, "--report", str(report), "--python-version", python, "--implementation", "cp"]
        command += [part for platform in platforms for part in ("--platform", platform)]
        done = subprocess.run([*command, *names], capture_output=True, text=True)
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            raise RuntimeError(errors[-1] if errors else done.stderr.strip()[-300:])
        found = json.loads(report.read_text(encoding="utf-8"))["install"]
    return sorted(f"{item['metadata']['name']} {item['metadata']['version']}" for item in found)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--python", nargs="+", default=["3.10", "3.11", "3.12", "3.13", "3.14"], help="versions")
    parser.add_argument("--extras", nargs="*", default=[], help="extras of setup.py, such as dds")
    parser.add_argument("--machine", default="aarch64", help="as `uname -m` has it")
    parser.add_argument("--glibc", default="2.35", help="of the robot; Ubuntu 22.04 has 2.35, Debian 12 2.36")
    options = parser.parse_args()
    if not re.fullmatch(r"2\.\d+", options.glibc):
        raise SystemExit(f"error: --glibc: expected a version such as 2.35, got {options.glibc}")
    newest = int(options.glibc.partition(".")[2])
    platforms = [f"manylinux_2_{minor}_{options.machine}" for minor in range(newest, OLDEST_GLIBC - 1, -1)]
    platforms.append(f"manylinux2014_{options.machine}")
    names, failed = dependencies(options.extras), 0
    for python in options.python:
        try:
            found = resolved(names, python, platforms)
        except RuntimeError as error:  # noqa: PERF203 - one line for each version
            failed += 1
            print(f"Python {python}, {options.machine}: {error}", flush=True)
        else:
            print(f"Python {python}, {options.machine}: {len(found)} wheels: {', '.join(found)}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
