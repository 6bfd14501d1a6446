"""`pose-regressor info`: what a bundle contains, or what this machine can do."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import pose_regressor
from pose_regressor.types import InputError

if TYPE_CHECKING:
    from pose_regressor.network.bundle import Bundle

#: Processor features that decide how fast the network runs, as the kernel names them.
CPU_FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "neon", "asimd", "bf16")
#: Packages that name their version themselves.
PACKAGES = ("numpy", "cv2", "safetensors", "cyclonedds", "mcap")


def info(
    bundle: Annotated[
        str | None,
        typer.Argument(
            metavar="[BUNDLE]", help="Bundle: a file, or the name of a shipped one. Default: describe this machine."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON. Default: tables.")] = False,
) -> None:
    """Show what a bundle contains: objects, network, training, metrics. Without a bundle: what this machine can do."""
    if bundle is None:
        content = machine()
    else:
        from pose_regressor.assets import find_model
        from pose_regressor.network.bundle import Bundle

        path = find_model(bundle)
        content = describe(Bundle.load(path), path)
    if as_json:
        print(json.dumps(content, indent=1))
    else:
        _print(content)


def describe(bundle: Bundle, path: Path) -> dict[str, Any]:
    """The contents of a bundle by section."""
    from pose_regressor.network.calibration import RGBD_CALIBRATION, Calibration

    return {
        "bundle": {"file": str(path), "bytes": path.stat().st_size},
        "objects": [
            {
                "name": model.name,
                "id": model.obj_id,
                "size (mm)": [round(1000 * float(edge), 1) for edge in model.size],
                "diameter (mm)": round(1000 * model.diameter, 1),
                "keypoints": len(model.keypoints),
                "points": len(model.points),
                "symmetries": len(model.symmetries),
            }
            for model in bundle.objects
        ],
        "network": {
            **bundle.config.to_dict(),
            "parameters": bundle.weights.parameters,
        },
        "calibration": {
            "images": _calibration(bundle.calibration == Calibration()),
            "images with depth": _calibration(bundle.rgbd_calibration == RGBD_CALIBRATION),
            "int8": _int8(bundle),
        },
        "training": bundle.training,
        "metrics": bundle.metrics,
    }


def _calibration(is_default: bool) -> str:
    return "the default: not measured for this bundle" if is_default else "measured for this bundle"


def _int8(bundle: Bundle) -> str:
    if bundle.quantization is None:
        return "not offered: no ranges were measured for this bundle, or its poses were worse"
    return "offered" if bundle.quantization.precise else "offered; less precise, so auto does not take it"


def machine() -> dict[str, Any]:
    """This machine, its packages and the shipped bundles, by section."""
    from pose_regressor.assets import shipped_models
    from pose_regressor.middleware import NEEDS, choose, missing
    from pose_regressor.network.engines import has_bf16
    from pose_regressor.network.quantization import Quantization
    from pose_regressor.network.runners import choose_execution, select_device

    try:
        auto: str = choose("auto")
    except InputError as error:
        auto = f"none: {error}"
    try:
        runs = str(choose_execution("auto", select_device("auto")))
    except InputError as error:
        runs = f"nothing: {error}"
    try:
        choose_execution("auto", select_device("auto"), "int8", quantization=Quantization({}, precise=True))
        int8 = "auto takes it for bundles that offer it" if not has_bf16() else "here, but auto takes bf16"
    except InputError as error:
        int8 = f"not here: {error}"
    features = _cpu_features()
    return {
        "machine": {
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            "cpu cores": os.cpu_count(),
            "cpu features": [name for name in CPU_FEATURES if name in features],
            "cuda devices": _cuda_devices() or "none",
            "auto runs the network by": runs,
            "int8": int8,
        },
        "packages": {
            "pose_regressor": pose_regressor.__version__,
            **{name: _version(name) for name in PACKAGES},
            **{name: _installed(name) for name in ("openvino", "onnxruntime", "torch", "eclipse-zenoh")},
            "pose_regressor_training": _installed("pose_regressor_training"),
            "pose_regressor_cuda": _installed("pose_regressor_cuda"),
        },
        "middleware": {**{name: missing(name) or "here" for name in NEEDS}, "auto takes": auto},
        "shipped models": {name: str(path) for name, path in shipped_models().items()},
    }


def _cuda_devices() -> list[str]:
    """Names of the GPUs that torch can use."""
    from pose_regressor.network.runners import cuda_devices

    if not (count := cuda_devices()):
        return []
    import torch

    return [torch.cuda.get_device_name(index) for index in range(count)]


def _version(module: str) -> str:
    try:
        imported = importlib.import_module(module)
    except ImportError as error:
        return f"not here ({error})"
    version = getattr(imported, "__version__", None)
    return str(version) if version else _installed(module)


def _installed(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _cpu_features() -> set[str]:
    """The flags that Linux lists for the first core; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    flags = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return set(flags.partition(":")[2].split())


def _print(content: dict[str, Any]) -> None:
    """Print a table for each section: a row for each mapping of a list, or for each key of a mapping."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    for title, section in content.items():
        if not section:
            continue
        table = Table(title=title, title_justify="left", show_header=isinstance(section, list))
        if isinstance(section, list):
            for key in section[0]:
                table.add_column(key)
            for row in section:
                table.add_row(*(Text(_text(value)) for value in row.values()))
        else:
            table.add_column(style="bold")
            table.add_column()
            for key, value in section.items():
                table.add_row(key, Text(_text(value)))  # Text, since "[dds]" is no markup
        console.print(table)


def _text(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(_text(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(item)}" for key, item in value.items())
    return str(value)
