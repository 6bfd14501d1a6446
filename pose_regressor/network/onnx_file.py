"""Writes ONNX files: the few messages of onnx.proto that a network needs, in Protocol Buffers' wire format.

The package `onnx` is not needed. A message is a sequence of fields: a key, (number << 3) | kind, and a value. Kind 0 is
a varint, 2 is bytes with their length before them, 5 is four bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

#: Of the format, and of the operators: what ONNX Runtime 1.14 and OpenVINO 2023 read already.
IR_VERSION, OPSET = 8, 17
PRODUCER = "pose_regressor"
#: TensorProto.DataType.
_TYPES = {np.dtype(np.float32): 1, np.dtype(np.uint8): 2, np.dtype(np.int8): 3, np.dtype(np.int64): 7}

#: A whole number, a text, or whole numbers; a dimension is a number or a name.
Attribute = int | str | Sequence[int]
Shape = Sequence[int | str]


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1  # negative numbers as two's complement
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _number(key: int, value: int) -> bytes:
    return _varint(key << 3) + _varint(value)


def _bytes(key: int, value: bytes | str) -> bytes:
    content = value.encode() if isinstance(value, str) else value
    return _varint(key << 3 | 2) + _varint(len(content)) + content


def _each(key: int, values: Iterable[bytes | str]) -> bytes:
    return b"".join(_bytes(key, value) for value in values)


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, int):
        return _bytes(1, name) + _number(3, value) + _number(20, 2)
    if isinstance(value, str):
        return _bytes(1, name) + _bytes(4, value) + _number(20, 3)
    return _bytes(1, name) + b"".join(_number(8, item) for item in value) + _number(20, 7)


def _tensor(name: str, value: NDArray) -> bytes:
    dimensions = b"".join(_number(1, length) for length in value.shape)
    raw = value.astype(value.dtype.newbyteorder("<"), copy=False).tobytes()
    return dimensions + _number(2, _TYPES[value.dtype]) + _bytes(8, name) + _bytes(9, raw)


def _value_info(name: str, kind: type, shape: Shape) -> bytes:
    dimensions = (_number(1, length) if isinstance(length, int) else _bytes(2, length) for length in shape)
    tensor = _number(1, _TYPES[np.dtype(kind)]) + _bytes(2, _each(1, dimensions))
    return _bytes(1, name) + _bytes(2, _bytes(1, tensor))


@dataclass
class OnnxGraph:
    """A graph that is put together node by node. Values have names."""

    name: str
    _nodes: list[bytes] = field(default_factory=list)
    _constants: dict[str, bytes] = field(default_factory=dict)
    _inputs: list[bytes] = field(default_factory=list)
    _outputs: list[bytes] = field(default_factory=list)

    def input(self, name: str, kind: type, shape: Shape) -> str:
        self._inputs.append(_value_info(name, kind, shape))
        return name

    def output(self, name: str, kind: type, shape: Shape) -> None:
        self._outputs.append(_value_info(name, kind, shape))

    def forget_outputs(self) -> None:
        """Others can be named instead."""
        self._outputs.clear()

    def constant(self, name: str, value: NDArray) -> str:
        self._constants.setdefault(name, _tensor(name, value))
        return name

    def node(self, kind: str, name: str, inputs: Sequence[str], **attributes: Attribute) -> str:
        """Adds an operator with one output, which is named like the node. An input "" is left out."""
        parts = (_attribute(key, value) for key, value in attributes.items())
        self._nodes.append(_each(1, inputs) + _bytes(2, name) + _bytes(3, name) + _bytes(4, kind) + _each(5, parts))
        return name

    def content(self, metadata: Mapping[str, str], description: str = "") -> bytes:
        """The content of the ONNX file. metadata: texts that are kept in it."""
        graph = (
            _each(1, self._nodes)
            + _bytes(2, self.name)
            + _each(5, self._constants.values())
            + _each(11, self._inputs)
            + _each(12, self._outputs)
        )
        head = _number(1, IR_VERSION) + _bytes(2, PRODUCER) + (_bytes(6, description) if description else b"")
        texts = (_bytes(1, key) + _bytes(2, value) for key, value in metadata.items())
        return head + _bytes(7, graph) + _bytes(8, _number(2, OPSET)) + _each(14, texts)
