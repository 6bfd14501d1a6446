"""The container of glTF 2.0: its JSON, buffers, accessors and images."""

from __future__ import annotations

import base64
import json
import struct
import urllib.parse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import InputError
from pose_regressor_training.meshes.pictures import REMEDY, find_file, open_picture

COMPONENTS = {5120: "i1", 5121: "u1", 5122: "i2", 5123: "u2", 5125: "u4", 5126: "f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
#: More values than this are no accessor of a mesh that is allowed.
MOST = 20_000_000
#: Extensions that change nothing that is read here, or are applied.
KNOWN = {
    "KHR_texture_transform",
    "KHR_mesh_quantization",
    "KHR_lights_punctual",
    "KHR_materials_pbrSpecularGlossiness",
    "EXT_texture_webp",
    "KHR_xmp",
    "KHR_xmp_json_ld",
}
#: Materials' extensions change how light is reflected, not the base colour.
KNOWN_PREFIX = "KHR_materials_"
REMEDIES = {
    "KHR_draco_mesh_compression": "export it without compression (Blender: Data, Compression off)",
    "EXT_meshopt_compression": "write it without compression (gltfpack without -c)",
    "KHR_meshopt_compression": "write it without compression (gltfpack without -c)",
    "KHR_texture_basisu": "write its textures as PNG or JPEG (gltf-transform ktxdecompress)",
    "MSFT_texture_dds": "write its textures as PNG or JPEG",
    "EXT_texture_avif": "write its textures as PNG or JPEG",
    "EXT_mesh_gpu_instancing": "write its instances as nodes (gltf-transform uninstance)",
}


class GltfFile:
    """A .gltf or .glb file. Raises InputError if it is broken, or requires an extension that is not known here."""

    def __init__(self, path: Path) -> None:
        self.path = path
        data = path.read_bytes()
        self._binary = b""
        if data[:4] == b"glTF":
            data = self._chunks(data)
        content = json.loads(data)
        if not isinstance(content, dict):
            raise InputError(f"mesh {path}: cannot be read: expected a glTF file")
        self.content: dict[str, Any] = content
        version = str(content.get("asset", {}).get("version", ""))
        if not version.startswith("2"):
            raise InputError(f"mesh {path}: expected glTF 2.0, got version {version[:20]!r}: export it as 2.0")
        for name in content.get("extensionsRequired", []):
            if name not in KNOWN and not str(name).startswith(KNOWN_PREFIX):
                self.refuse(str(name))
        self._buffers: dict[int, bytes] = {}
        self._pictures: dict[int, NDArray[np.uint8]] = {}

    def refuse(self, extension: str) -> None:
        """Raise InputError that names the extension and what helps."""
        remedy = REMEDIES.get(extension, "export it without that extension")
        raise InputError(
            f"mesh {self.path}: needs the glTF extension {extension[:60]}, which is not read here: {remedy}"
        )

    def _chunks(self, data: bytes) -> bytes:
        """The JSON of a .glb. Keeps its binary chunk."""
        version, total = struct.unpack_from("<II", data, 4)
        if version != 2:
            raise InputError(f"mesh {self.path}: expected glTF 2.0, got version {version}: export it as 2.0")
        if total > len(data):
            raise InputError(
                f"mesh {self.path}: is cut off: it has {len(data):,} of the {total:,} bytes that it states"
            )
        place, text = 12, b""
        while place + 8 <= total:
            length, kind = struct.unpack_from("<I4s", data, place)
            chunk = data[place + 8 : place + 8 + length]
            if len(chunk) < length:
                raise InputError(f"mesh {self.path}: is cut off within a chunk of {length:,} bytes")
            if kind == b"JSON" and not text:
                text = chunk
            elif kind == b"BIN\0" and not self._binary:
                self._binary = chunk
            place += 8 + length
        return text

    def item(self, kind: str, index: Any) -> dict[str, Any]:
        """An entry of one of the file's lists, such as `accessors`."""
        if isinstance(index, bool) or not isinstance(index, int) or index < 0:
            raise InputError(f"mesh {self.path}: expected a number of one of its {kind}, got {str(index)[:40]!r}")
        found = self.content[kind][index]
        if not isinstance(found, dict):
            raise InputError(f"mesh {self.path}: cannot be read: expected a mapping in {kind}")
        return found

    def _uri(self, uri: str, what: str) -> bytes:
        if uri.startswith("data:"):
            return base64.b64decode(uri.partition(",")[2], validate=False)
        name = urllib.parse.unquote(uri)
        file = find_file(self.path.parent, name.encode()) or find_file(self.path.parent, uri.encode())
        if file is None:
            raise InputError(f"mesh {self.path}: its {what} {self.path.parent / name} is not there; {REMEDY}")
        return file.read_bytes()

    def _view(self, index: Any) -> tuple[bytes, int]:
        """The bytes of a buffer view, and its stride, 0 if there is none."""
        view = self.item("bufferViews", index)
        number = view["buffer"]
        buffer = self.item("buffers", number)
        if number not in self._buffers:
            if "uri" in buffer:
                self._buffers[number] = self._uri(buffer["uri"], "buffer")
            elif number == 0 and self._binary:
                self._buffers[number] = self._binary
            else:
                name = next(iter(view.get("extensions", {})), "")
                if name:
                    self.refuse(name)
                raise InputError(f"mesh {self.path}: is cut off: buffer {number} is not there")
        start, length = int(view.get("byteOffset", 0)), int(view["byteLength"])
        data = self._buffers[number][start : start + length]
        if start < 0 or length < 0 or len(data) < length:
            raise InputError(f"mesh {self.path}: is cut off: buffer {number} has fewer bytes than are asked of it")
        return data, int(view.get("byteStride", 0))

    def accessor(self, index: Any) -> NDArray:
        """(N, K) values. Whole numbers that stand for real ones (`normalized`) become real."""
        about = self.item("accessors", index)
        kind, width, count = np.dtype("<" + COMPONENTS[about["componentType"]]), WIDTHS[about["type"]], about["count"]
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= MOST:
            raise InputError(f"mesh {self.path}: expected a count of values, got {str(count)[:40]}")
        there = "bufferView" in about
        values = self._rows(about, kind, width, count) if there else np.zeros((count, width), kind)
        if "sparse" in about:
            values = self._sparse(about["sparse"], values)
        if about.get("normalized") and kind.kind in "iu":
            values = np.maximum(values.astype(np.float64) / np.iinfo(kind).max, -1.0)
        return values

    def columns(self, index: Any, width: int) -> NDArray:
        """(N, width) values, of which the first `width` are taken."""
        values = self.accessor(index)
        if values.shape[1] < width:
            raise InputError(f"mesh {self.path}: expected vectors of {width} numbers, got {values.shape[1]}")
        return values[:, :width]

    def _rows(self, about: dict[str, Any], kind: np.dtype, width: int, count: int) -> NDArray:
        data, stride = self._view(about["bufferView"])
        start, size = int(about.get("byteOffset", 0)), kind.itemsize * width
        stride = stride or size
        if start < 0 or stride < size or (count and start + stride * (count - 1) + size > len(data)):
            raise InputError(f"mesh {self.path}: is cut off: a buffer view has fewer bytes than {count:,} values need")
        rows = np.ndarray((count, width), kind, data, start, (stride, kind.itemsize))
        return np.array(rows)

    def _sparse(self, about: dict[str, Any], values: NDArray) -> NDArray:
        count = int(about["count"])
        kind = np.dtype("<" + COMPONENTS[about["indices"]["componentType"]])
        where = self._rows(about["indices"], kind, 1, count)[:, 0].astype(np.int64)
        values[where] = self._rows(about["values"], values.dtype, values.shape[1], count)
        return values

    def picture(self, index: Any) -> tuple[NDArray[np.uint8], str]:
        """(H, W, 3) RGB of an image, and its name."""
        about = self.item("images", index)
        uri = about.get("uri", "")
        name = str(
            about.get("name") or ("" if uri.startswith("data:") else urllib.parse.unquote(uri)) or f"image {index}"
        )
        if index not in self._pictures:
            data = self._view(about["bufferView"])[0] if "bufferView" in about else self._uri(uri, "texture")
            if "ktx" in str(about.get("mimeType", "")) or data.startswith(b"\xabKTX"):
                self.refuse("KHR_texture_basisu")
            self._pictures[index] = open_picture(data, self.path, name)
        return self._pictures[index], name
