"""Textures that end at the picture's edge, or are turned over beyond it: as each format says so."""

import numpy as np
import pytest

from pose_regressor_training.meshes.mesh import load_mesh


@pytest.fixture(scope="module")
def beyond(box):
    """(6, 4, 2) coordinates, v upwards, of which each face is on another side of the picture or on it."""
    middles = np.array([(-0.4, 0.2), (1.4, 0.7), (0.2, 1.6), (0.8, -0.3), (-0.9, 1.2), (1.8, -0.6)])
    return middles[:, None] + 0.02 * (box.uv - box.uv.mean(1, keepdims=True))


def expected(box, beyond, modes):
    """(6, 3) colours at the middle of each face, by the definition of each mode."""
    u, v = beyond.mean(1).T
    coordinates = []
    for value, mode in ((u, modes[0]), (v, modes[1])):
        near = {"repeat": value % 1, "clamp": value.clip(0.01, 0.99), "mirror": 1 - abs(value % 2 - 1)}[mode]
        coordinates.append(near)
    column, row = np.floor(coordinates[0] * 3).astype(int), np.floor((1 - coordinates[1]) * 2).astype(int)
    return box.colors.reshape(2, 3, 3)[row, column]


CODES = {"repeat": 10497, "clamp": 33071, "mirror": 33648}
PAIRS = [("clamp", "clamp"), ("mirror", "mirror"), ("repeat", "repeat"), ("clamp", "repeat"), ("mirror", "clamp")]


@pytest.mark.parametrize("modes", PAIRS)
def test_gltf(box, beyond, tmp_path, modes):
    def edit(content):
        content["samplers"] = [{"wrapS": CODES[modes[0]], "wrapT": CODES[modes[1]]}]
        content["textures"][0]["sampler"] = 0

    downwards = np.stack([beyond[..., 0], 1 - beyond[..., 1]], -1)
    (tmp_path / "box.glb").write_bytes(box.glb(edit, uv=downwards))
    box.check(load_mesh(tmp_path / "box.glb"), expected(box, beyond, modes))


@pytest.mark.parametrize("modes", PAIRS)
def test_collada(box, beyond, tmp_path, modes):
    names = {"repeat": "WRAP", "clamp": "CLAMP", "mirror": "MIRROR"}
    box.write_picture(tmp_path)
    text = box.dae(box.vertices / 1000, "<up_axis>Z_UP</up_axis>")
    old = " ".join(f"{x:.6f}" for x in box.uv.ravel())
    assert old in text
    text = text.replace(old, " ".join(f"{x:.6f}" for x in beyond.ravel()))
    wraps = f"<wrap_s>{names[modes[0]]}</wrap_s><wrap_t>{names[modes[1]]}</wrap_t>"
    (tmp_path / "box.dae").write_text(text.replace("</source></sampler2D>", f"</source>{wraps}</sampler2D>"))
    box.check(load_mesh(tmp_path / "box.dae"), expected(box, beyond, modes))


@pytest.mark.parametrize("word", ["on", "off"])
def test_obj(box, beyond, tmp_path, word):
    box.write_picture(tmp_path)
    (tmp_path / "box.mtl").write_text(f"newmtl skin\nmap_Kd -clamp {word} tex.png\n")
    lines = [line for line in box.obj().splitlines() if not line.startswith("vt")]
    lines[1:1] = [f"vt {u:.6f} {v:.6f}" for u, v in beyond.reshape(-1, 2)]
    (tmp_path / "box.obj").write_text("\n".join(lines))
    mode = "clamp" if word == "on" else "repeat"
    box.check(load_mesh(tmp_path / "box.obj", "mm"), expected(box, beyond, (mode, mode)))
