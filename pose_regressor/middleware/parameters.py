"""The node's parameters: one table, from which come the ROS 2 parameter descriptors, the command line's options and
config/pose_regressor.yaml. Nothing about a parameter is written down anywhere else."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Literal, TypeVar

from pose_regressor.types import InputError

Some = TypeVar("Some", bound="Config")
Kind = Literal["bool", "float", "string", "string_array"]


@dataclass(frozen=True)
class Parameter:
    """What the table says of one parameter.

    unit: '' where there is none; low, high: inclusive range of a number; choices: the strings allowed (none: any);
    pattern: what each string must match whole, said to the user as `form`; live: may be changed while the node runs,
    from the next frame on.
    """

    name: str
    kind: Kind
    default: Any
    description: str
    unit: str = ""
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()
    pattern: str = ""
    form: str = ""
    live: bool = False

    @property
    def full_description(self) -> str:
        return self.description + (f" [unit: {self.unit}]" if self.unit else "")

    @property
    def constraint(self) -> str:
        """What values are allowed, in words; '' if all of the kind are."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.kind == "float":
            return f"a number from {self.low:g} to {self.high:g}"
        return self.form

    def check(self, value: object, where: str = "") -> Any:
        """The value in the table's own type, or an InputError that names key, value and what is allowed."""
        key = f"{where}: {self.name}" if where else self.name
        if self.kind == "string_array":
            if not isinstance(value, (list, tuple)):
                raise InputError(f"{key}: expected a list of strings, got {value!r}")
            # ROS 2 parameter files cannot hold an empty list of strings, so [''] stands for it.
            return tuple(self._check_string(item, key) for item in value if item != "")
        if self.kind == "string":
            return self._check_string(value, key)
        if self.kind == "bool":
            if not isinstance(value, bool):
                raise InputError(f"{key}: expected true or false, got {value!r}")
            return value
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise InputError(f"{key}: expected {self.constraint}, got {value!r}")
        if not self.low <= value <= self.high:
            raise InputError(f"{key}: expected {self.constraint}, got {value:g}")
        return float(value)

    def _check_string(self, value: object, key: str) -> str:
        if not isinstance(value, str):
            raise InputError(f"{key}: expected a string, got {value!r}")
        if (self.choices and value not in self.choices) or (self.pattern and not re.fullmatch(self.pattern, value)):
            raise InputError(f"{key}: expected {self.constraint}, got {value!r}")
        return value


def parameter(kind: Kind, default: Any, description: str, **rest: Any) -> Any:
    return field(default=default, metadata={"kind": kind, "description": description, **rest})


@dataclass(frozen=True)
class Config:
    """A table of parameters: each a field, made by `parameter`; checked when it is made (InputError names key, value
    and range)."""

    #: Whose parameters they are.
    node_name: ClassVar[str]

    def __post_init__(self) -> None:
        for parameter in self.table():
            object.__setattr__(self, parameter.name, parameter.check(getattr(self, parameter.name)))

    @classmethod
    def table(cls) -> tuple[Parameter, ...]:
        return tuple(Parameter(name=f.name, default=f.default, **f.metadata) for f in fields(cls))

    @classmethod
    def from_dict(cls: type[Some], values: Mapping[str, object], where: str = "") -> Some:
        """From a mapping as parameter files and command lines give it; `where` (a file's name, say) starts errors."""
        known = {p.name: p for p in cls.table()}
        prefix = f"{where}: " if where else ""
        if unknown := [key for key in values if key not in known]:
            raise InputError(f"{prefix}unknown parameter {unknown[0]!r}, expected one of {', '.join(known)}")
        checked = {key: known[key].check(value, where) for key, value in values.items()}
        try:
            return cls(**checked)
        except InputError as error:  # of several that do not go together
            raise InputError(f"{prefix}{error}") from None

    def changed(self: Some, values: Mapping[str, object]) -> Some:
        """With some parameters changed while the node runs. InputError: one that is unknown, fixed or out of range."""
        known = {p.name: p for p in self.table()}
        for name, value in values.items():
            if name not in known:
                raise InputError(f"unknown parameter {name!r}, expected one of {', '.join(known)}")
            if not known[name].live and known[name].check(value) != getattr(self, name):
                live = ", ".join(p.name for p in known.values() if p.live)
                raise InputError(f"{name}: is fixed once the node runs; these may be changed: {live}")
        return replace(self, **dict[str, Any](values))


@dataclass(frozen=True)
class NodeConfig(Config):
    """Every parameter of the node."""

    node_name = "pose_regressor"

    model: tuple[str, ...] = parameter(
        "string_array", ("box",), "bundles to load: files, or the names of shipped ones, such as box"
    )
    objects: tuple[str, ...] = parameter(
        "string_array", (), "names of the objects to look for; empty: all that the bundles know", live=True
    )
    device: str = parameter(
        "string",
        "auto",
        "where the network runs; auto takes CUDA where there is one",
        pattern=r"auto|cpu|cuda(:\d+)?",
        form="auto, cpu, cuda or cuda:N",
    )
    backend: str = parameter(
        "string",
        "auto",
        "what runs the network; auto takes the faster one: onnxruntime on a CPU where it is installed, else torch",
        choices=("auto", "torch", "onnxruntime"),
    )
    score_threshold: float = parameter(
        "float", 0.15, "least score a pose must have to be published", unit="probability", low=0.0, high=1.0, live=True
    )
    follow: bool = parameter(
        "bool",
        True,
        "look only around the last pose while an object is followed (faster); false: always at the whole image",
        live=True,
    )
    smooth: bool = parameter(
        "bool",
        True,
        "publish poses from a filter of each object's motion, which tremble less; false: as they were measured",
        live=True,
    )
    max_rate: float = parameter(
        "float",
        0.0,
        "most images a second that are worked on; what comes between is dropped; 0: as many as the network manages",
        unit="Hz",
        low=0.0,
        high=1000.0,
        live=True,
    )
    camera_file: str = parameter(
        "string", "", "camera file (ROS calibration YAML or BOP camera.json) used in place of the camera_info topic"
    )
    rectified: bool = parameter(
        "bool",
        False,
        "images are rectified already, as those of image_rect, and seen through the P of their camera info; "
        "false: they are raw, and seen through its K and D",
    )
    frame_id: str = parameter(
        "string",
        "",
        "TF frame of the camera; empty: the frame_id of the image",
        pattern=r"([^\s/][^\s]*)?",
        form="a TF frame name without spaces and not starting with '/'",
    )
    frame_prefix: str = parameter(
        "string",
        "",
        "put before the names of the objects' TF frames, <prefix><object>_<instance>",
        pattern=r"([^\s/][^\s]*)?",
        form="the start of a TF frame name, without spaces and not starting with '/'",
    )
    image_transport: str = parameter(
        "string",
        "raw",
        "how images come: raw (sensor_msgs/Image) or compressed (CompressedImage on <image>/compressed, JPEG or PNG)",
        choices=("raw", "compressed"),
    )
    image_reliability: str = parameter(
        "string",
        "best_effort",
        "QoS asked of image publishers; best_effort takes both kinds and loses frames rather than time",
        choices=("best_effort", "reliable"),
    )
    camera_info_reliability: str = parameter(
        "string",
        "best_effort",
        "QoS asked of camera_info publishers; best_effort takes both kinds",
        choices=("best_effort", "reliable"),
    )
    overlay: bool = parameter(
        "bool", True, "publish the image with the poses drawn on it; costs nothing unless read", live=True
    )
    meshes: tuple[str, ...] = parameter(
        "string_array",
        (),
        "what RViz shows for an object: object=URI of its mesh; without one, the coarse mesh in the bundle, or its box",
        pattern=r"[A-Za-z_]\w*=(package|file|https?)://\S+",
        form="OBJECT=URI with a URI that begins with package://, file:// or http(s)://",
    )
    mesh_scale: float = parameter(
        "float", 1.0, "length of one unit of those meshes: 0.001 for millimetres", unit="m", low=1e-6, high=1000.0
    )
    autostart: bool = parameter(
        "bool", True, "configure and activate at once; false: wait for a lifecycle manager (ros2 lifecycle set)"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.model:
            raise InputError("model: expected at least one bundle, got none")
        if self.rectified and self.camera_file:
            raise InputError("rectified: is about the camera_info topic, expected no camera_file with it")


PARAMETERS: tuple[Parameter, ...] = NodeConfig.table()


def as_yaml(config: type[Config] = NodeConfig) -> str:
    """A whole table with its defaults as a ROS 2 parameter file: the text of config/pose_regressor.yaml."""
    lines = [
        f"# Every parameter of the {config.node_name} node and its default. Those marked live may be changed while it "
        "runs.",
        "# Written from its table in pose_regressor/middleware; a test compares the two.",
        "/**:",
        "  ros__parameters:",
    ]
    for p in config.table():
        lines.append(f"    # {p.description}")
        notes = [f"{word}: {note}" for word, note in (("unit", p.unit), ("allowed", p.constraint)) if note]
        if notes := ["live"] * p.live + notes:
            lines.append(f"    # [{'; '.join(notes)}]")
        lines.append(f"    {p.name}: {_yaml_value(p.default)}")
    return "\n".join(lines) + "\n"


def _yaml_value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{item}"' for item in value or ("",)) + "]"
    return f'"{value}"' if isinstance(value, str) else repr(value)
