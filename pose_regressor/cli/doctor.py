"""`pose-regressor doctor`: what is wrong with a set-up, and how to fix it."""

from __future__ import annotations

import importlib
import json
import os
from typing import TYPE_CHECKING, Annotated

import typer

from pose_regressor.cli.node_options import node_config
from pose_regressor.cli.options import (
    CameraInfoTopicOption,
    CameraOption,
    DepthInfoTopicOption,
    DepthTopicOption,
    ImageTopicOption,
    NetworkOption,
    NodeDeviceOption,
    NodeModelOption,
    ParametersOption,
    SettingsOption,
)
from pose_regressor.settings import CAMERA_INFO_TOPIC, IMAGE_TOPIC

if TYPE_CHECKING:
    from pose_regressor.doctor import Finding
    from pose_regressor.middleware import Middleware
    from pose_regressor.middleware.pose.parameters import NodeConfig

COLOURS = ("green", "yellow", "red")


def doctor(
    model: NodeModelOption = None,
    camera: CameraOption = None,
    image_topic: ImageTopicOption = IMAGE_TOPIC,
    camera_info_topic: CameraInfoTopicOption = CAMERA_INFO_TOPIC,
    depth_topic: DepthTopicOption = None,
    depth_info_topic: DepthInfoTopicOption = None,
    fixed_frame: Annotated[
        str,
        typer.Option(
            metavar="FRAME", help="TF frame in which you need the poses, such as map. Default: do not check it."
        ),
    ] = "",
    seconds: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.5, max=60.0, help="How long to listen, seconds.")
    ] = 3.0,
    middleware: NetworkOption = "auto",
    device: NodeDeviceOption = None,
    config: ParametersOption = None,
    settings: SettingsOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON. Default: a table.")] = False,
) -> None:
    """Find what is wrong with a set-up: machine, model, camera, depth, QoS, clocks, frames, domain. Needs no ROS 2.

    Takes the options of `run`, listens for some seconds and changes nothing. Exit code 1: there is an ERROR.

        pose-regressor doctor --model box --image-topic /camera/image_raw --camera-info-topic /camera/camera_info
    """
    from pose_regressor.doctor import Level, warn
    from pose_regressor.doctor.machine import check_machine
    from pose_regressor.middleware import choose_standalone
    from pose_regressor.types import InputError

    topics = {"depth_topic": depth_topic, "depth_info_topic": depth_info_topic}
    parameters = node_config(config, model, camera, device, settings, **topics)
    findings = check_machine(parameters)
    try:
        chosen = choose_standalone(middleware)
    except InputError as reason:
        if middleware != "auto":
            raise
        findings.append(warn("network", f"not checked: {reason}", "install one of them"))
    else:
        findings += _check_network(parameters, chosen, image_topic, camera_info_topic, seconds, fixed_frame)
    if as_json:
        print(json.dumps([{**vars(finding), "level": finding.level.name} for finding in findings], indent=1))
    else:
        _print(findings)
    if any(finding.level == Level.ERROR for finding in findings):
        raise typer.Exit(1)


def _check_network(
    parameters: NodeConfig,
    chosen: Middleware,
    image_topic: str,
    camera_info_topic: str,
    seconds: float,
    fixed_frame: str,
) -> list[Finding]:
    """All checks of the network. chosen: dds or zenoh."""
    from pose_regressor.doctor.depth import check_depth
    from pose_regressor.doctor.network import check_network
    from pose_regressor.doctor.observe import observe
    from pose_regressor.middleware.standalone.names import full_name

    compressed = parameters.image_transport == "compressed"
    images = full_name(f"{image_topic}/compressed" if compressed else image_topic)
    infos = full_name(camera_info_topic)
    depth, depth_infos = _depth_topics(parameters)
    seen = observe(chosen, images, infos, compressed, seconds, (depth, depth_infos) if depth else None)
    reach = importlib.import_module(f"pose_regressor.doctor.{chosen}").check_reach(seen, os.environ)
    findings = check_network(seen, parameters, images, infos, reach, fixed_frame.lstrip("/"))
    return findings + check_depth(seen, parameters, depth, depth_infos)


def _depth_topics(parameters: NodeConfig) -> tuple[str, str]:
    """Full names of depth and its camera info; of aligned depth, the one that is beside it by convention."""
    from pose_regressor.doctor.depth import info_beside
    from pose_regressor.middleware.standalone.names import full_name

    if not parameters.depth_topic:
        return "", ""
    depth = full_name(parameters.depth_topic)
    infos = parameters.depth_info_topic
    return depth, full_name(infos) if infos else info_beside(depth)


def _print(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None)
    for finding in findings:
        level = Text(finding.level.name, style=COLOURS[finding.level])
        text = finding.text + (f"\n-> {finding.advice}" if finding.advice else "")
        table.add_row(level, Text(finding.check, style="bold"), Text(text))
    Console().print(table)
