"""A node's parameters from its options, a parameter file and KEY=VALUE."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.settings import Parameter, Some
from pose_regressor.types import InputError

LOG = logging.getLogger("pose_regressor")
#: Parameters that every ROS 2 node has. rclpy declares them; a node over DDS has none of them.
ROS_PARAMETERS = ("use_sim_time", "qos_overrides", "start_type_description_service")
SIM_TIME = (
    "use_sim_time is true, and is passed over here: poses carry the stamps of their images, as always, but frames of "
    "--source, timeouts and diagnostics follow this machine's clock; the node of `ros2 run` obeys it"
)


def node_config(
    config: Path | None,
    model: list[str] | None,
    camera: Path | None,
    device: str | None,
    settings: list[str] | None,
    **topics: str | None,
) -> NodeConfig:
    """The parameters of the node from the options that `run`, `bag` and `doctor` share.

    topics: parameters that name topics, such as depth_topic; None: not given
    """
    options = {"model": model, "camera_file": str(camera) if camera else None, "device": device, **topics}
    return read_config(NodeConfig, config, options, settings)


def read_config(
    kind: type[Some], file: Path | None, options: Mapping[str, object], settings: Sequence[str] | None
) -> Some:
    """A node's parameters. The later one wins: the table's default, the file, an option, a setting.

    kind: the node's table
    file: ROS 2 parameter file
    options: values by parameter; one that is None or empty is not given
    settings: texts KEY=VALUE

    ROS 2's own parameters, such as use_sim_time, are passed over.
    """
    values = read_parameters(file, kind.node_name) if file else {}
    values |= {key: value for key, value in options.items() if value}
    values |= dict(setting(text, kind.table()) for text in settings or ())
    return kind.from_dict(without_ros_parameters(values))


def without_ros_parameters(values: Mapping[str, Any]) -> dict[str, Any]:
    """The node's own parameters. Warns if use_sim_time is asked for, which has no effect without rclpy."""
    if str(values.get("use_sim_time")).lower() == "true":
        LOG.warning(SIM_TIME)
    return {key: value for key, value in values.items() if str(key).partition(".")[0] not in ROS_PARAMETERS}


def read_parameters(path: Path, node_name: str = NodeConfig.node_name) -> dict[str, Any]:
    """A node's parameters from a ROS 2 parameter file: those under its own name override those under ``/**``."""
    from pose_regressor.files.io import read_yaml

    content = read_yaml(path)
    names = ("/**", node_name, f"/{node_name}")
    sections = [content[name] for name in names if name in content] if isinstance(content, dict) else []
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
    """Key and value from KEY=VALUE. The value is read as the kind of the parameter asks."""
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


def start_log() -> None:
    """Print what the node logs, in ROS 2's form."""
    logging.basicConfig(level=logging.INFO, format="[%(levelname)s] [%(name)s]: %(message)s")
