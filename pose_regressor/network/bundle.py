"""The bundle: one file with a network and its objects. safetensors, with all else as JSON in its header. No pickle.

Tensors: ``network.<parameter>`` and ``objects.<i>.<field>``, the fields being bounds, points, keypoints, symmetries,
vertices, faces, surface (metres) and colors.
Header key ``pose_regressor``: format version; configuration of the network; objects (name, obj_id, diameter, unit); how
the network was trained; its figures; the factor for distances; the calibration of scores and covariances; turns; ranges
for int8.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from pose_regressor.files.io import replacing
from pose_regressor.network.calibration import RGBD_CALIBRATION, Calibration
from pose_regressor.network.config import NetworkConfig
from pose_regressor.network.quantization import Quantization
from pose_regressor.network.weights import Arrays, Weights
from pose_regressor.types import InputError, ObjectModel

if TYPE_CHECKING:  # it imports torch
    from pose_regressor.network.network import PoseNetwork

FORMAT_VERSION = 2
_HEADER_KEY = "pose_regressor"
_ARRAYS = ("bounds", "points", "keypoints", "symmetries", "vertices", "faces")
#: Bundles from before these existed lack them.
_LATER_ARRAYS = ("surface", "colors")


@dataclass(eq=False)
class Bundle:
    """A trained network and the objects it knows.

    weights: of the network, float32 when loaded; its output channel i belongs to ``objects[i]``
    objects: in the order of the network's channels
    training: how it was trained; plain JSON, for people to read
    metrics: its figures; plain JSON, for people to read
    depth_scale: factor for distances by PnP, which brings their median over synthetic images to the true one (dense
        regression errs to one side)
    calibration: of scores and covariances; the defaults until it is measured
    turns: orientations, a quarter turn apart, in which the network knows its objects: 4, or 1 if it was trained on more
        or less upright ones only
    rgbd_calibration: the same as `calibration`, of poses that measured depth was compared with; when loaded, at most as
        sure as the default
    quantization: what int8 needs; None: the network does not run in int8
    """

    weights: Weights
    objects: tuple[ObjectModel, ...]
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    depth_scale: float = 1.0
    calibration: Calibration = field(default_factory=Calibration)
    turns: int = 4
    rgbd_calibration: Calibration = RGBD_CALIBRATION
    quantization: Quantization | None = None

    def __post_init__(self) -> None:
        if not _is_number(self.depth_scale) or not 0.5 < self.depth_scale < 2:
            raise InputError(f"bundle: expected a depth_scale between 0.5 and 2, got {self.depth_scale!r}")
        if isinstance(self.turns, bool) or self.turns not in (1, 4):
            raise InputError(f"bundle: expected 1 or 4 turns, got {self.turns!r}")
        names = [model.name for model in self.objects]
        if len(set(names)) != len(names) or len({model.obj_id for model in self.objects}) != len(names):
            raise InputError(f"bundle: expected objects of different names and ids, got {', '.join(names)}")
        if len(names) != self.weights.objects:
            raise InputError(
                f"bundle: the network knows {self.weights.objects} objects, but {len(names)} are described"
            )
        if self.quantization:
            self.quantization.check(self.config, len(names))

    @property
    def config(self) -> NetworkConfig:
        return self.weights.config

    @property
    def network(self) -> PoseNetwork:
        """The network as a torch module, see `Weights.network`. ImportError: torch is not installed."""
        return self.weights.network

    @property
    def is_start(self) -> bool:
        """Whether it is only a start for trainings, made by ``train-start``, and knows no object."""
        return "rounds" in self.training

    def save(self, path: str | Path) -> None:
        """Write the file in one step: a reader sees the old file or the new one, never a part. InputError: it fails."""
        tensors = {f"network.{name}": _storable(value) for name, value in self.weights.arrays.items()}
        header = {
            "version": FORMAT_VERSION,
            "network": self.config.to_dict(),
            "objects": [
                {"name": model.name, "obj_id": model.obj_id, "diameter": model.diameter, "unit": "m"}
                for model in self.objects
            ],
            "training": self.training,
            "metrics": self.metrics,
            "depth_scale": self.depth_scale,
            "calibration": self.calibration.to_dict(),
            "turns": self.turns,
        }
        if self.rgbd_calibration != RGBD_CALIBRATION:  # the default may become better
            header["rgbd_calibration"] = self.rgbd_calibration.to_dict()
        if self.quantization:
            header["int8"] = self.quantization.to_dict()
        for number, model in enumerate(self.objects):
            for name in (*_ARRAYS, *_LATER_ARRAYS):
                dtype = np.int32 if name == "faces" else np.float32
                tensors[f"objects.{number}.{name}"] = np.ascontiguousarray(getattr(model, name), dtype)
        with replacing(path) as temporary:
            temporary.write_bytes(save(tensors, {_HEADER_KEY: json.dumps(header)}))

    @classmethod
    def load(cls, path: str | Path) -> Bundle:
        """Read and check a bundle. InputError: the file is not as `save` writes it."""
        path = Path(path)
        if not path.is_file():
            raise InputError(f"bundle {path}: no such file")
        try:
            data = path.read_bytes()
            tensors = load(data)
        except (SafetensorError, OSError) as error:
            raise InputError(f"bundle {path}: not a safetensors file: {error}") from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"bundle {path}: has numbers of a kind that NumPy does not know: {error}") from error
        end = 8 + int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8:end]).get("__metadata__") or {}
        try:
            return cls._from_file(metadata, tensors)
        except InputError as error:
            raise InputError(f"bundle {path}: {error}") from error

    @classmethod
    def _from_file(cls, metadata: dict[str, str], tensors: Arrays) -> Bundle:
        try:
            header = json.loads(metadata[_HEADER_KEY])
        except (KeyError, json.JSONDecodeError, RecursionError) as error:
            raise InputError("its header is not that of a pose_regressor bundle") from error
        if not isinstance(header, dict) or header.get("version") != FORMAT_VERSION:
            version = header.get("version") if isinstance(header, dict) else None
            raise InputError(f"format version {version!r}, this program reads version {FORMAT_VERSION}")
        expected = {"version", "network", "objects", "training", "metrics", "depth_scale"}
        later = {"calibration", "turns", "rgbd_calibration", "int8"}  # bundles from before these existed lack them
        if header.keys() - later != expected:
            raise InputError(f"expected the header's keys {sorted(expected)}, got {sorted(header)}")
        if not isinstance(header["objects"], list):
            raise InputError(f"expected a list of objects, got {header['objects']!r}")
        objects = tuple(_read_object(i, entry, tensors) for i, entry in enumerate(header["objects"]))
        weights = Weights(NetworkConfig.from_dict(header["network"]), len(objects), _weights(tensors))
        named = {f"objects.{i}.{name}" for i in range(len(objects)) for name in (*_ARRAYS, *_LATER_ARRAYS)}
        known = len(named & tensors.keys()) + len(weights.arrays)
        if len(tensors) != known:
            raise InputError(f"holds {len(tensors)} tensors, expected {known}")
        calibration = Calibration.from_dict(header["calibration"]) if "calibration" in header else Calibration()
        rgbd = RGBD_CALIBRATION
        if "rgbd_calibration" in header:
            rgbd = replace(Calibration.from_dict(header["rgbd_calibration"]), at_most=RGBD_CALIBRATION)
        quantization = Quantization.from_dict(header["int8"]) if "int8" in header else None
        return cls(
            weights, objects, header["training"], header["metrics"], header["depth_scale"], calibration,
            header.get("turns", 4), rgbd, quantization,
        )  # fmt: skip


def _storable(value: NDArray[Any]) -> NDArray[Any]:
    # Half precision halves the file; no loss of accuracy could be measured.
    return np.asarray(value, np.float16 if value.dtype.kind == "f" else None, order="C")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _read_object(number: int, entry: dict[str, Any], tensors: Arrays) -> ObjectModel:
    if not isinstance(entry, dict) or entry.keys() != {"name", "obj_id", "diameter", "unit"} or entry["unit"] != "m":
        raise InputError(f"object {number}: expected name, obj_id, diameter and the unit m, got {entry!r}")
    if not (isinstance(entry["name"], str) and isinstance(entry["obj_id"], int) and _is_number(entry["diameter"])):
        raise InputError(f"object {number}: expected a name, a whole obj_id and a diameter, got {entry!r}")
    missing = [name for name in _ARRAYS if f"objects.{number}.{name}" not in tensors]
    if missing:
        raise InputError(f"object {entry['name']}: {', '.join(missing)} missing")
    there = [*_ARRAYS, *(name for name in _LATER_ARRAYS if f"objects.{number}.{name}" in tensors)]
    arrays: dict[str, Any] = {name: tensors[f"objects.{number}.{name}"].astype(np.float64) for name in there}
    return ObjectModel(entry["name"], entry["obj_id"], entry["diameter"], **arrays)


def _weights(tensors: Arrays) -> Arrays:
    start = "network."
    return {name[len(start) :]: value for name, value in tensors.items() if name.startswith(start)}
