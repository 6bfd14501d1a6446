#!/usr/bin/env bash
# trimesh 5.2.0 passes over two rules of core glTF 2.0 for texture coordinates, without a warning.
#
# Seen, with a square whose texture is red on its left half and blue on its right half:
# - The material says "texCoord": 1. trimesh takes TEXCOORD_0 and shows red; TEXCOORD_1 points at blue.
# - The coordinates are normalized unsigned shorts, as exporters write them to save space. trimesh gives 49151 where the
#   value is 49151 / 65535 = 0.75.
#
# Exits with 0 if this is still so, and with 1 if it has changed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install -q trimesh==5.2.0 pillow 2>/dev/null
cat > look.py <<'PY'
import io
import json
import struct

import numpy as np
import PIL.Image
import trimesh

POSITIONS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
FACES = np.array([0, 1, 2, 0, 2, 3], np.uint16)
RED, BLUE = np.array([[0.25, 0.5]] * 4, np.float32), np.array([[0.75, 0.5]] * 4, np.float32)
FLOAT, SHORT = 5126, 5123


def glb(name, coordinates, texture):
    """Writes a square. coordinates: accessor fields and values of TEXCOORD_0, TEXCOORD_1, ..."""
    picture, data = PIL.Image.new("RGB", (2, 1), "red"), io.BytesIO()
    picture.putpixel((1, 0), (0, 0, 255))
    picture.save(data, "PNG")
    contents = [POSITIONS.tobytes(), FACES.tobytes(), *(values.tobytes() for _, values in coordinates), data.getvalue()]
    blob, views = b"", []
    for content in contents:
        views.append({"buffer": 0, "byteOffset": len(blob), "byteLength": len(content)})
        blob += content + b"\0" * (-len(content) % 4)
    attributes = {"POSITION": 0, **{f"TEXCOORD_{k}": 2 + k for k in range(len(coordinates))}}
    text = json.dumps({
        "asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": [0]}], "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": attributes, "indices": 1, "material": 0}]}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0, **texture}}}],
        "textures": [{"source": 0}], "images": [{"bufferView": len(contents) - 1, "mimeType": "image/png"}],
        "accessors": [
            {"bufferView": 0, "componentType": FLOAT, "count": 4, "type": "VEC3", "min": [0, 0, 0], "max": [1, 1, 0]},
            {"bufferView": 1, "componentType": SHORT, "count": 6, "type": "SCALAR"},
            *({"bufferView": 2 + k, "count": 4, "type": "VEC2", **kind} for k, (kind, _) in enumerate(coordinates)),
        ],
        "bufferViews": views, "buffers": [{"byteLength": len(blob)}],
    }).encode()  # fmt: skip
    text += b" " * (-len(text) % 4)
    with open(name, "wb") as file:
        file.write(struct.pack("<4sII", b"glTF", 2, 28 + len(text) + len(blob)))
        file.write(struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(blob), b"BIN\0") + blob)
    return trimesh.load(name, force="mesh")


print("trimesh", trimesh.__version__)
plain = {"componentType": FLOAT}
second = glb("second.glb", [(plain, RED), (plain, BLUE)], {"texCoord": 1})
color = second.visual.to_color().vertex_colors[0][:3].tolist()
print("texCoord 1, which points at blue:", second.visual.uv[0].tolist(), "colour", color)
shorts = np.round(BLUE.astype(np.float64) * 65535).astype(np.uint16)
normalized = glb("short.glb", [({"componentType": SHORT, "normalized": True}, shorts)], {})
u = float(normalized.visual.uv[0][0])
print("normalized unsigned short of 0.75:", u)
raise SystemExit(color != [255, 0, 0] or u != 49151)
PY
env/bin/python look.py
