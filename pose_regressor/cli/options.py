"""Options that several commands share, described once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ModelOption = Annotated[
    list[str],
    typer.Option("--model", "-m", metavar="BUNDLE", help="Bundle file, or the name of a shipped one, such as box."),
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
#: The node's own: what is not given stays as its parameters have it.
NodeModelOption = Annotated[
    list[str] | None,
    typer.Option("--model", "-m", metavar="BUNDLE", help="Bundle file or name of a shipped one (default: box)."),
]
NodeDeviceOption = Annotated[
    str | None, typer.Option("--device", help="auto (CUDA where there is one), cpu, cuda or cuda:N.")
]
ParametersOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="ROS 2 parameter file, as config/pose_regressor.yaml."),
]
SettingsOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="One parameter of the node, as in --set score_threshold=0.7."),
]
ImageTopicOption = Annotated[str, typer.Option("--image-topic", metavar="TOPIC", help="Topic of the images.")]
CameraInfoTopicOption = Annotated[
    str,
    typer.Option("--camera-info-topic", metavar="TOPIC", help="Topic of the camera info; not used with --camera."),
]
