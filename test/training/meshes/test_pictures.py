"""Pictures of meshes, in files of their own and within the mesh's: whole, cut off, or something else."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from pose_regressor.types import InputError
from pose_regressor_training.meshes.mesh import load_mesh

NOISE = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)


def encoded(suffix, **options):
    buffer = io.BytesIO()
    Image.fromarray(NOISE).save(buffer, {"jpg": "jpeg", "tif": "tiff"}.get(suffix, suffix), **options)
    return buffer.getvalue()


def obj(box, folder):
    (folder / "box.mtl").write_text("newmtl skin\nmap_Kd tex\n")
    (folder / "box.obj").write_text(box.obj())
    return folder / "box.obj"


def ply(box, folder):
    lines = ["ply", "format ascii 1.0", "comment TextureFile tex", "element vertex 24"]
    lines += [f"property float {name}" for name in "xyzst"]
    lines += ["element face 6", "property list uchar int vertex_indices", "end_header"]
    rows = np.concatenate([box.vertices[box.quads], box.uv], 2).reshape(-1, 5)
    lines += [" ".join(f"{x:.6f}" for x in row) for row in rows]
    lines += ["4 " + " ".join(str(4 * i + k) for k in range(4)) for i in range(6)]
    (folder / "box.ply").write_text("\n".join(lines) + "\n")
    return folder / "box.ply"


def collada(box, folder):
    (folder / "box.dae").write_text(box.dae(box.vertices / 1000, "<up_axis>Z_UP</up_axis>", picture="tex"))
    return folder / "box.dae"


def gltf(box, folder):
    """Beside it."""
    return with_image(box, folder, {"uri": "tex"})


def gltf_text(box, folder):
    """Within the JSON."""
    data = base64.b64encode((folder / "tex").read_bytes()).decode()
    return with_image(box, folder, {"uri": f"data:image/png;base64,{data}"})


def with_image(box, folder, image):
    data = box.glb()
    length = int.from_bytes(data[12:16], "little")
    content = json.loads(data[20 : 20 + length])
    (folder / "box.bin").write_bytes(data[28 + length :])
    content["buffers"][0]["uri"], content["images"] = "box.bin", [image]
    (folder / "box.gltf").write_text(json.dumps(content))
    return folder / "box.gltf"


def glb(box, folder):
    """Within the binary chunk."""
    picture = (folder / "tex").read_bytes()

    def edit(content):
        encoded = base64.b64encode(picture).decode()
        content["buffers"].append({"byteLength": len(picture), "uri": f"data:;base64,{encoded}"})
        content["bufferViews"][0] = {"buffer": 1, "byteLength": len(picture)}

    (folder / "box.glb").write_bytes(box.glb(edit))
    return folder / "box.glb"


UNITS = {obj: "mm", ply: "mm", collada: "m", gltf: "m", gltf_text: "m", glb: "m"}


@pytest.mark.parametrize("container", UNITS, ids=lambda container: container.__name__)
@pytest.mark.parametrize("kind", ["png", "jpg", "progressive"])
def test_pictures_that_are_cut_off_are_never_taken(box, tmp_path, container, kind):
    """Also if zeros stand in place of the rest, as an interrupted download leaves them."""
    options = {"quality": 95, "progressive": True} if kind == "progressive" else {}
    whole = encoded("jpg" if kind == "progressive" else kind, **options)
    (tmp_path / "tex").write_bytes(whole)
    assert load_mesh(container(box, tmp_path), UNITS[container]).texture.shape == (64, 64, 3)
    for share in (0.0, 0.1, 0.5, 0.9, 0.99):
        start = whole[: int(share * len(whole))]
        for data in (start, start + bytes(len(whole) - len(start))):
            (tmp_path / "tex").write_bytes(data)
            with pytest.raises(InputError, match=r"texture .* cannot be read: .*; (put the picture|export the mesh)"):
                load_mesh(container(box, tmp_path), UNITS[container])


@pytest.mark.parametrize(("suffix", "end"), [("png", "zeros"), ("jpg", "zeros"), ("jpg", "mark")])
def test_pictures_that_are_cut_off_and_end_as_if_they_were_whole(box, tmp_path, suffix, end):
    """Downloads keep their length, and some programs add the mark of the end. A slope compresses, unlike noise."""
    slope = np.add.outer(np.arange(91), np.arange(97))[..., None]
    picture = (slope + np.random.default_rng(0).integers(0, 60, (91, 97, 3))).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / f"tex.{suffix}")
    whole = (tmp_path / f"tex.{suffix}").read_bytes()
    path = obj(box, tmp_path)
    (tmp_path / "box.mtl").write_text(f"newmtl skin\nmap_Kd tex.{suffix}\n")
    np.testing.assert_array_equal(load_mesh(path, "mm").texture, Image.open(tmp_path / f"tex.{suffix}"))
    for length in (len(whole) // 2, len(whole) * 9 // 10, len(whole) - 60):
        rest = bytes(len(whole) - length) if end == "zeros" else whole[-2:]
        (tmp_path / f"tex.{suffix}").write_bytes(whole[:length] + rest)
        with pytest.raises(InputError, match=rf"mesh .*: its texture .*tex.{suffix} cannot be read: "):
            load_mesh(path, "mm")


@pytest.mark.parametrize("suffix", ["bmp", "tga", "tif", "webp"])
def test_pictures_of_other_kinds_that_are_cut_off(box, tmp_path, suffix):
    whole = encoded(suffix)
    (tmp_path / f"tex.{suffix}").write_bytes(whole)
    path = obj(box, tmp_path)
    (tmp_path / "box.mtl").write_text(f"newmtl skin\nmap_Kd tex.{suffix}\n")
    assert load_mesh(path, "mm").texture.shape == (64, 64, 3)
    (tmp_path / f"tex.{suffix}").write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(InputError, match=rf"texture .*tex.{suffix} cannot be read"):
        load_mesh(path, "mm")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "a pointer of Git LFS.*git lfs pull"),
        ("<!DOCTYPE html>\n<html></html>", "is a web page: download the file itself"),
        ("\n<html>", "is a web page: download the file itself"),
    ],
)
def test_what_stands_in_place_of_a_file(box, tmp_path, text, message):
    (tmp_path / "tex").write_text(text)
    with pytest.raises(InputError, match=rf"its texture .*tex {message}|its texture .*tex is {message}"):
        load_mesh(obj(box, tmp_path), "mm")
    for suffix in ("obj", "ply", "stl", "glb", "dae"):
        (tmp_path / f"a.{suffix}").write_text(text)
        with pytest.raises(InputError, match=rf"a.{suffix}: .*{message}"):
            load_mesh(tmp_path / f"a.{suffix}")


@pytest.mark.parametrize("size", [(6000, 1), (1, 6000), (9000, 2)])
def test_thin_pictures_of_more_pixels_than_are_kept(box, tmp_path, size):
    """They stay one pixel thin. Found by fuzzing."""
    Image.new("RGB", size, (200, 100, 50)).save(tmp_path / "tex", "PNG")
    box.check(load_mesh(obj(box, tmp_path), "mm"), [(200, 100, 50)] * 6)
