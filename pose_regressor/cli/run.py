"""`pose-regressor run`: the node, fed by a topic or by a source."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pose_regressor.cli.options import (
    CameraInfoTopicOption,
    CameraOption,
    ImageTopicOption,
    NodeDeviceOption,
    NodeModelOption,
    ParametersOption,
    SettingsOption,
)
from pose_regressor.types import InputError

if TYPE_CHECKING:
    from pose_regressor.middleware.pose.parameters import NodeConfig
    from pose_regressor.settings import Parameter

NODE_NAME = "pose_regressor"


def run(
    model: NodeModelOption = None,
    source: Annotated[
        str | None,
        typer.Option(metavar="SOURCE", help="Video, image folder, BOP scene or webcam:N, in place of the image topic."),
    ] = None,
    camera: CameraOption = None,
    image_topic: ImageTopicOption = "image",
    camera_info_topic: CameraInfoTopicOption = "camera_info",
    middleware: Annotated[
        str, typer.Option(help="ros2 (rclpy), dds (no ROS 2 needed), or auto: ros2 where rclpy imports, else dds.")
    ] = "auto",
    device: NodeDeviceOption = None,
    config: ParametersOption = None,
    settings: SettingsOption = None,
) -> None:
    """Publish the poses of the objects in a camera's images on /tf and /pose_regressor/detections.

    Images come from a topic, or from --source. A later one wins: --config, the options, --set. Ends at Ctrl-C.

        pose-regressor run --model box --image-topic /camera/image_raw --camera-info-topic /camera/camera_info
        pose-regressor run --model box --source webcam:0 --camera camera.yaml --middleware dds
    """
    from pose_regressor.middleware import choose

    parameters = node_config(config, model, camera, device, settings)
    chosen = choose(middleware)
    logging.basicConfig(level=logging.INFO, format="[%(levelname)s] [%(name)s]: %(message)s")
    node = importlib.import_module(f"pose_regressor.middleware.{chosen}.node")
    if source is None:
        status = node.run(parameters, image_topic, camera_info_topic)
    else:
        from pose_regressor.files.cameras import load_camera
        from pose_regressor.sources import open_source

        given = load_camera(parameters.camera_file) if parameters.camera_file else None
        with open_source(source, given) as frames:
            status = node.run_source(parameters, frames)
    raise typer.Exit(status)


def node_config(
    config: Path | None, model: list[str] | None, camera: Path | None, device: str | None, settings: list[str] | None
) -> NodeConfig:
    """The node's parameters from a file, from options and from KEY=VALUE, a later one winning."""
    from pose_regressor.middleware.pose.parameters import NodeConfig

    values = read_parameters(config) if config else {}
    options = {"model": model, "camera_file": str(camera) if camera else None, "device": device}
    values |= {key: value for key, value in options.items() if value}
    values |= dict(setting(text, NodeConfig.table()) for text in settings or ())
    return NodeConfig.from_dict(values)


def read_parameters(path: Path, node_name: str = NODE_NAME) -> dict[str, Any]:
    """A node's parameters in a ROS 2 parameter file: those under ``/**`` and, winning, under the node's own name."""
    from pose_regressor.files.io import read_yaml

    content = read_yaml(path)
    sections = (
        [content[name] for name in ("/**", node_name, f"/{node_name}") if name in content]
        if isinstance(content, dict)
        else []
    )
    if not sections:
        raise InputError(f"{path}: expected a ROS 2 parameter file with a section '/**' or '{node_name}'")
    values: dict[str, Any] = {}
    for section in sections:
        parameters = section.get("ros__parameters") if isinstance(section, dict) else None
        if not isinstance(parameters, dict):
            raise InputError(f"{path}: expected 'ros__parameters' with parameters in each section")
        values |= parameters
    return values


def setting(text: str, table: Sequence[Parameter]) -> tuple[str, Any]:
    """KEY=VALUE, the value read as the parameter's kind asks."""
    import yaml

    key, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"--set {text}: expected KEY=VALUE, as in score_threshold=0.7")
    kind = next((parameter.kind for parameter in table if parameter.name == key), "string")
    if kind == "string":
        return key, value
    try:
        read = yaml.safe_load(value)
    except yaml.YAMLError:
        raise InputError(f"--set {text}: expected a {kind}, got {value!r}") from None
    return key, [str(read)] if kind == "string_array" and not isinstance(read, list) else read
