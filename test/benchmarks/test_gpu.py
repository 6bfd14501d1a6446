"""The one script for a GPU, on a machine without one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]


def gpu(*arguments):
    return subprocess.run(
        [sys.executable, str(ROOT / "benchmarks/gpu.py"), *map(str, arguments)],
        capture_output=True, text=True, env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'training'}"},
    )  # fmt: skip


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so(tmp_path):
    result = gpu("--out", tmp_path / "out")
    assert result.returncode == 2 and "no GPU" in result.stderr
    assert not (tmp_path / "out").exists()


def test_an_unknown_step_is_named(tmp_path):
    result = gpu("--out", tmp_path, "--only", "bpnp", "bench")
    assert "expected some of build, tests, memcheck" in result.stderr and "got bench" in result.stderr


@pytest.mark.slow
def test_a_dry_run_writes_its_table_though_a_step_fails(tmp_path, monkeypatch):
    """Here the sanitizer is a program that fails."""
    broken = tmp_path / "bin" / "compute-sanitizer"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho 'no device' >&2\nexit 9\n", encoding="utf-8")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(broken.parent), prepend=os.pathsep)
    result = gpu("--out", tmp_path / "out", "--dry-run", "--only", "memcheck", "generator")
    assert result.returncode == 1, result.stderr
    written = json.loads((tmp_path / "out/gpu.json").read_text(encoding="utf-8"))
    assert [step["result"] for step in written["steps"]] == ["failed with exit code 9, see memcheck.log", "passed"]
    assert "no device" in (tmp_path / "out/memcheck.log").read_text(encoding="utf-8")
    table = (tmp_path / "out/gpu.md").read_text(encoding="utf-8")
    assert "dry run" in table and "everything on, cpu" in table
