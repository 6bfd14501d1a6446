"""Options that several commands share, described once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ModelOption = Annotated[
    list[str],
    typer.Option("--model", "-m", metavar="BUNDLE", help="Bundle file, or the name of a shipped one (box, cube)."),
]
CameraOption = Annotated[
    Path | None,
    typer.Option(
        "--camera",
        metavar="FILE",
        help="Camera file: BOP camera.json, ROS calibration YAML, or a CameraInfo message as YAML.",
    ),
]
DeviceOption = Annotated[
    str, typer.Option("--device", help="Where the network runs: auto (CUDA where there is one), cpu, cuda, cuda:N.")
]
BackendOption = Annotated[
    str, typer.Option("--backend", help="What runs the network: auto (the faster one here), torch, onnxruntime.")
]
