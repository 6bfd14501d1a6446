"""The C++ without torch around it: under sanitizers, and the kernels through nvcc for every architecture."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "cuda_ext" / "csrc"
COMPILER, NVCC = shutil.which("g++"), shutil.which("nvcc")


@pytest.mark.slow
@pytest.mark.skipif(COMPILER is None, reason="no g++")
@pytest.mark.parametrize(
    ("source", "sanitizer", "level"),
    [
        ("driver.cpp", "address,undefined", "-O0"),  # which builds in half of the time
        ("driver.cpp", "thread", "-O1"),
        ("pnp_driver.cpp", "address,undefined", "-O1"),
    ],
)
def test_sanitizers_find_nothing(source, sanitizer, level, tmp_path):
    """`thread` is for the CUDA kernel, whose blocks the driver runs on real threads: it sees races between them.

    Warnings that need an optimizer come with -O1: each source is built with it once.
    """
    program = tmp_path / "driver"
    command = [
        COMPILER, "-std=c++20", "-g", level, "-Wall", "-Wextra", "-Werror", "-pthread", "-ffp-contract=off",
        f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all", f"-I{Path(__file__).parent / 'emulation'}",
        f"-I{SOURCES}", "-x", "c++", str(Path(__file__).parent / source), "-o", str(program),
    ]  # fmt: skip
    built = subprocess.run(command, capture_output=True, text=True)
    if "cannot find" in built.stderr and "san" in built.stderr:
        pytest.skip(f"this g++ comes without the sanitizer {sanitizer}")
    assert built.returncode == 0, built.stderr
    result = subprocess.run([program], capture_output=True, text=True)
    if "unexpected memory mapping" in result.stderr:
        pytest.skip("this kernel places memory where the thread sanitizer of this g++ cannot be")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout == "agree\n"


@pytest.mark.slow
@pytest.mark.skipif(NVCC is None, reason="no nvcc")
@pytest.mark.parametrize("architecture", ["sm_75", "sm_80", "sm_86", "sm_89", "sm_90"])
def test_the_kernels_compile(architecture, tmp_path):
    command = [NVCC, "-c", "-O3", "-std=c++17", "--fmad=false", f"-arch={architecture}", "-Werror", "all-warnings",
               str(SOURCES / "op.cu"), "-o", str(tmp_path / "op.o")]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
