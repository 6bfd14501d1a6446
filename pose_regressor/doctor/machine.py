"""Checks whether this machine has what the node needs."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pose_regressor.doctor import Finding, error, ok, warn
from pose_regressor.middleware import NEEDS, RMW, SPEAKS, missing
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.types import InputError

if TYPE_CHECKING:
    from pose_regressor.network.bundle import Bundle

#: The oldest versions that the package is tested with.
OLDEST = {"numpy": (1, 26), "cv2": (4, 8), "safetensors": (0, 4)}
RECEIVE_BUFFER = Path("/proc/sys/net/core/rmem_max")
BUFFER = 2**21  # bytes that a 1080p image of 6 MB in fragments needs to get through, by experience


def check_machine(config: NodeConfig, environment: Mapping[str, str] = os.environ) -> list[Finding]:
    """All checks of this machine. Those that need a package are left out if it is missing or too old."""
    findings = [check_package(name, oldest) for name, oldest in OLDEST.items()]
    broken = [finding for finding in findings if finding.level]
    if not broken:
        findings += [
            check_device(config.device, config.backend, config.precision, config.threads, loadable(config.model)),
            check_threads(config.threads),
            *check_models(config.model, config.objects),
        ]
    return findings + [check_middleware(environment), check_buffer(RECEIVE_BUFFER)]


def check_package(name: str, oldest: tuple[int, ...]) -> Finding:
    wanted = ".".join(map(str, oldest))
    try:
        version = str(importlib.import_module(name).__version__)
    except ImportError as reason:  # it is missing, or built for another numpy
        return error(name, f"does not import ({' '.join(str(reason).split())})", f"pip install '{name}>={wanted}'")
    if tuple(map(int, re.findall(r"\d+", version)[: len(oldest)])) < oldest:
        return error(name, f"is version {version}", f"expected {wanted} or newer")
    return ok(name, version)


def loadable(models: Sequence[str]) -> list[Bundle]:
    """The bundles of these names or files, without those that do not load: `check_models` reports them."""
    from pose_regressor.assets import find_model
    from pose_regressor.network.bundle import Bundle

    bundles = []
    for model in models:
        with contextlib.suppress(InputError):
            bundles.append(Bundle.load(find_model(model)))
    return bundles


def check_device(
    name: str, backend: str = "auto", precision: str = "auto", threads: int = 0, bundles: Sequence[Bundle] = ()
) -> Finding:
    from pose_regressor.network.runners import choose_execution, choose_executions, in_words, select_device

    try:
        device = select_device(name)
        if bundles:
            executions = choose_executions(bundles, backend, device, precision, threads)
            text = in_words(bundles, executions)
        else:
            executions = (choose_execution(backend, device, precision, threads),)
            text = str(executions[0])
    except InputError as reason:
        return error("device", str(reason), "set device, backend and precision to auto, or install what they need")
    if device == "cpu" and executions[0].backend == "torch" and backend == "auto":
        text = f"cpu, network by {text}, which takes two to four times as long as OpenVINO"
        return warn("device", text, "pip install openvino")
    return ok("device", f"network by {text}")


def check_threads(threads: int) -> Finding:
    from pose_regressor.network.runners import cores

    here = cores()
    if threads > here:
        text = f"the network gets {threads} threads, this process may use {here} cores"
        return warn("threads", text, f"set threads to {here} or less: more threads than cores wait for each other")
    return ok("threads", f"{threads or 'the default number'} for the network, {here} cores are here")


def check_models(models: Sequence[str], objects: Sequence[str]) -> list[Finding]:
    from pose_regressor.assets import find_model
    from pose_regressor.network.bundle import Bundle

    findings, known = [], []
    for model in models:
        try:
            names = [found.name for found in Bundle.load(find_model(model)).objects]
            findings.append(ok("model", f"{model}: knows {', '.join(names)}"))
            known += names
        except InputError as reason:  # noqa: PERF203 - one finding each
            findings.append(error("model", str(reason), "give a bundle's file or a shipped name (pose-regressor info)"))
    if unknown := [name for name in objects if name not in known]:
        text = f"{', '.join(unknown)} is in none of the bundles"
        findings.append(error("objects", text, f"known are: {', '.join(known) or 'none'}"))
    return findings


def check_middleware(environment: Mapping[str, str]) -> Finding:
    check = "middleware"
    rmw = environment.get(RMW, "")
    reasons = {module: missing(name) for name, (module, _) in NEEDS.items()}
    if rmw in SPEAKS and (reason := missing(SPEAKS[rmw])):
        text, _, advice = reason.partition("; ")
        return warn(check, f"{RMW} is {rmw}: the checks of the network do not see it, since {text}", advice)
    if all(reasons.values()):
        advice = "; or ".join(NEEDS[name][1] for name in ("dds", "zenoh"))
        return error(check, f"found neither ROS 2 nor DDS nor Zenoh: {reasons['rclpy']}", advice)
    here = ", ".join(module for module, reason in reasons.items() if not reason)
    return ok(check, here + (f"; {RMW} is {rmw}" if rmw else ""))


def check_buffer(path: Path) -> Finding:
    """How much of a large image may wait in the socket, on Linux."""
    check = "socket buffer"
    try:
        size = int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return ok(check, "not known on this system")
    if size < BUFFER:
        text = f"net.core.rmem_max is {size} bytes: raw images of 1080p may get lost"
        return warn(check, text, "sysctl -w net.core.rmem_max=4194304 (VGA and compressed images need it less)")
    return ok(check, f"net.core.rmem_max is {size} bytes")
