"""`pose-regressor fuse`: the fusion node."""

from __future__ import annotations

import importlib
import logging
from pathlib import Path
from typing import Annotated

import typer

from pose_regressor.cli.run import read_parameters, setting

NODE_NAME = "pose_regressor_fusion"


def fuse(
    fixed_frame: Annotated[
        str | None, typer.Option(metavar="FRAME", help="TF frame that the cameras' places are known in (world).")
    ] = None,
    detections: Annotated[
        list[str] | None,
        typer.Option(metavar="TOPIC", help="Poses of one or several cameras (/pose_regressor/detections)."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", metavar="BUNDLE", help="Bundles of the objects, for their symmetries."),
    ] = None,
    middleware: Annotated[
        str, typer.Option(help="ros2 (rclpy), dds (no ROS 2 needed), or auto: ros2 where rclpy imports, else dds.")
    ] = "auto",
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="ROS 2 parameter file, as config/fusion.yaml.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One parameter of the node, as in --set window=0.02."),
    ] = None,
) -> None:
    """Fuse the poses of several calibrated cameras to one of each object, on /tf and /pose_regressor_fusion/detections.

    Each camera has its own node (`pose-regressor run`), with its own frame_prefix. Where the cameras are comes from TF.
    A later one wins: --config, the options, --set. Ends at Ctrl-C.

        pose-regressor fuse --fixed-frame world --model box
    """
    from pose_regressor.middleware import choose
    from pose_regressor.middleware.fusion.parameters import FusionConfig

    values = read_parameters(config, NODE_NAME) if config else {}
    options = {"fixed_frame": fixed_frame, "detections": detections, "model": model}
    values |= {key: value for key, value in options.items() if value}
    values |= dict(setting(text, FusionConfig.table()) for text in settings or ())
    parameters = FusionConfig.from_dict(values)
    chosen = choose(middleware)
    logging.basicConfig(level=logging.INFO, format="[%(levelname)s] [%(name)s]: %(message)s")
    raise typer.Exit(importlib.import_module(f"pose_regressor.middleware.{chosen}.fusion").run(parameters))
