"""The text of camera files, as the programs that write them do it, to a mapping of keys to values."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml

from pose_regressor.files.io import read_text
from pose_regressor.types import InputError

#: What `ros2 topic echo` and rclpy print between messages.
_NOISE = re.compile(
    r"^(A message was lost!!!|[ \t]*total count change: ?-?\d+|[ \t]*total count: ?-?\d+(---)?|WARNING: topic .*|"
    r"(\x1b\[\d+m)?\[(WARN|INFO|ERROR|DEBUG)\] ?\[.*)[ \t\r]*$",
    re.MULTILINE,
)


class _OpenCvLoader(yaml.SafeLoader):
    """YAML as OpenCV's FileStorage writes it: with a tag of its own for matrices."""


def _matrix(loader: _OpenCvLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    return loader.construct_mapping(node, deep=True)


_OpenCvLoader.add_constructor("tag:yaml.org,2002:opencv-matrix", _matrix)


def read_camera_text(path: str | Path) -> Any:
    """The content of a camera file: .json is JSON; else its first lines tell XML of OpenCV, the camera_calibration
    package's ost.txt, or YAML. Raises InputError that begins with the path.
    """
    text = read_text(path).removeprefix("\ufeff")  # the mark that Windows puts in front
    try:
        if Path(path).suffix.lower() == ".json":
            kind = "JSON"
            return json.loads(text)
        if text.lstrip().startswith("<"):
            kind = "XML"
            return _from_xml(path, text)
        if re.search(r"^\[image\]\s*$", text, re.MULTILINE):
            kind = "the calibrator's ost.txt"
            return _from_ost(text)
        kind = "YAML"
        return _from_yaml(text)
    except (yaml.YAMLError, ElementTree.ParseError, ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: expected {kind} ({' '.join(str(error).split())})") from None


def _from_yaml(text: str) -> Any:
    """The first document that is not empty. OpenCV's directive %YAML:1.0 is no YAML: real YAML has a blank there."""
    text = _NOISE.sub("", re.sub(r"\A\s*%YAML:[0-9.]+", "", text))
    return next((document for document in yaml.load_all(text, _OpenCvLoader) if document is not None), None)


def _from_xml(path: str | Path, text: str) -> dict[str, Any]:
    """OpenCV's FileStorage as XML. Matrices become what its YAML says of them."""
    if "<!DOCTYPE" in text:  # entities can unfold to gigabytes
        raise InputError(f"{path}: expected OpenCV's XML without a DOCTYPE")
    root = ElementTree.fromstring(text)
    if root.tag != "opencv_storage":
        raise InputError(f"{path}: expected XML of OpenCV's FileStorage (<opencv_storage>), got <{root.tag}>")
    content: dict[str, Any] = {}
    for item in root:
        if item.get("type_id") == "opencv-matrix":
            parts = {part.tag: part.text or "" for part in item}
            content[item.tag] = {**parts, "data": parts.get("data", "").split()}
        else:
            content[item.tag] = (item.text or "").strip().strip('"')
    return content


def _from_ost(text: str) -> dict[str, Any]:
    """ost.txt: a section of the image, one of the camera, in which names and rows of numbers take turns.

    The result has the keys of the YAML that camera_calibration also writes.
    """
    sections: list[dict[str, list[str]]] = []
    values: list[str] = []
    for line in (line.strip() for line in text.splitlines()):
        if line.startswith("["):
            sections.append({})
        elif line and not line.startswith("#") and sections:
            if re.match(r"[-+.\d]", line):
                values.extend(line.split())
            else:
                values = sections[-1].setdefault(line, [])
    image, cameras = sections[0], [section for section in sections[1:] if "camera matrix" in section]
    if len(cameras) != 1:
        raise ValueError(f"an ost.txt holds {len(cameras)} cameras, expected one")
    if len(cameras[0].get("distortion", [])) == 4:
        raise ValueError(
            "an ost.txt with 4 coefficients, which may be a fisheye's; take ost.yaml, which names the model"
        )
    content: dict[str, Any] = {f"image_{name}": values[0] for name, values in image.items() if values}
    for name, key in (("camera matrix", "camera_matrix"), ("distortion", "distortion_coefficients")):
        if name in cameras[0]:
            content[key] = {"data": cameras[0][name]}
    return content
