"""glTF files: colours of every face, sizes, or one line that names the extension and the remedy."""

import base64
import json

import numpy as np
import pytest

from pose_regressor.color import srgb_from_linear, srgb_table
from pose_regressor.types import InputError
from pose_regressor_training.meshes.mesh import load_mesh


@pytest.fixture
def load(box, tmp_path):
    """A function that writes a GLB with the options of `box.glb` and loads it."""

    def load(edit=None, **options):
        (tmp_path / "box.glb").write_bytes(box.glb(edit, **options))
        return load_mesh(tmp_path / "box.glb")

    return load


def downwards(box):
    return np.stack([box.uv[..., 0], 1 - box.uv[..., 1]], -1)


def material(content):
    return content["materials"][0]


def plain(content):
    return material(content)["pbrMetallicRoughness"]


@pytest.mark.parametrize(("kind", "whole"), [("f4", 1), ("u2", 65535), ("u1", 255)])
def test_types_of_texture_coordinates(box, load, kind, whole):
    box.check(load(uv=np.round(downwards(box) * whole) if whole > 1 else downwards(box), uv_type=kind))


def test_the_second_set_of_texture_coordinates(box, load):
    def edit(content):
        plain(content)["baseColorTexture"]["texCoord"] = 1

    box.check(load(edit, uv=np.zeros((6, 4, 2)), more_uv=downwards(box)))


@pytest.mark.parametrize("rotation", [0.0, 0.3, np.pi / 2])
def test_texture_transform(box, load, rotation):
    """Scaled, then turned counter-clockwise as seen on the picture, then moved."""
    offset, scale = np.array([0.25, 0.5]), np.array([2.0, 0.5])
    cos, sin = np.cos(rotation), np.sin(rotation)
    turn = np.array([[cos, sin], [-sin, cos]])
    before = (downwards(box) - offset) @ np.linalg.inv(turn).T / scale

    def edit(content):
        about = {"offset": offset.tolist(), "scale": scale.tolist(), "rotation": rotation, "texCoord": 1}
        plain(content)["baseColorTexture"]["extensions"] = {"KHR_texture_transform": about}
        content["extensionsUsed"] = content["extensionsRequired"] = ["KHR_texture_transform"]

    box.check(load(edit, uv=np.zeros((6, 4, 2)), more_uv=before))


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("KHR_draco_mesh_compression", "without compression"),
        ("EXT_meshopt_compression", "without compression"),
        ("KHR_texture_basisu", "as PNG or JPEG"),
        ("VENDOR_unheard_of", "without that extension"),
    ],
)
def test_required_extensions_are_named(load, name, remedy):
    def edit(content):
        content["extensionsUsed"] = content["extensionsRequired"] = [name]

    with pytest.raises(InputError, match=f"needs the glTF extension {name}.*{remedy}"):
        load(edit)


def test_compressed_content_is_refused_even_if_it_is_not_required(load):
    def draco(content):
        primitive = content["meshes"][0]["primitives"][0]
        primitive["extensions"] = {"KHR_draco_mesh_compression": {"bufferView": 0, "attributes": {"POSITION": 0}}}
        for accessor in content["accessors"]:
            del accessor["bufferView"]

    with pytest.raises(InputError, match="KHR_draco_mesh_compression"):
        load(draco)

    def ktx(content):
        content["textures"] = [{"extensions": {"KHR_texture_basisu": {"source": 0}}}]

    with pytest.raises(InputError, match="KHR_texture_basisu"):
        load(ktx)


def test_materials_that_only_shine_or_are_of_older_kinds(box, load):
    def emissive(content):
        content["materials"] = [{"emissiveTexture": {"index": 0}, "emissiveFactor": [1, 1, 1]}]

    def specular(content):
        content["materials"] = [
            {"extensions": {"KHR_materials_pbrSpecularGlossiness": {"diffuseTexture": {"index": 0}}}}
        ]

    box.check(load(emissive))
    box.check(load(specular))


def test_colours_of_vertices_are_multiplied_with_the_texture_in_linear_light(box, load):
    """A colour for each face, as one for all, as whole numbers, and beside a factor of the material."""
    light = np.random.default_rng(0).uniform(0.05, 1, (6, 3))
    expected = srgb_from_linear(srgb_table()[box.colors] * light)
    box.check(load(colors=light[:, None].repeat(4, 1)), expected)
    whole = np.round(light * 255)
    box.check(load(colors=whole[:, None].repeat(4, 1), color_type="u1"), expected, tolerance=3)
    box.check(load(colors=np.ones((6, 4, 3))))
    half = srgb_from_linear(srgb_table()[box.colors] * (0.5, 0.25, 1))
    box.check(load(colors=np.full((6, 4, 3), (0.5, 0.25, 1))), half)

    def factor(content):
        plain(content)["baseColorFactor"] = [0.5, 0.25, 1, 1]

    box.check(load(factor), half)
    box.check(load(factor, colors=light[:, None].repeat(4, 1)), srgb_from_linear(
        srgb_table()[box.colors] * light * (0.5, 0.25, 1)), tolerance=2)  # fmt: skip


def test_colours_that_vary_within_faces_are_painted_into_the_texture(box, load):
    light = np.random.default_rng(1).uniform(0.1, 1, (6, 4, 3))
    mesh = load(colors=light)
    for place, faces in enumerate((light[:, [0, 1, 2]], light[:, [0, 2, 3]])):
        expected = srgb_table()[box.colors] * faces.mean(1)
        height, width = mesh.texture.shape[:2]
        u, v = mesh.uv[place::2].mean(1).T
        found = mesh.texture[np.floor((1 - v) * height).astype(int), np.floor(u * width).astype(int)]
        np.testing.assert_allclose(srgb_table()[found], expected, atol=0.06)  # a patch is 16 texels wide
    with pytest.raises(InputError, match="faces of different colours share a place on it: bake them into one texture"):
        load(uv=np.tile(downwards(box)[:1], (6, 1, 1)), colors=light)


def test_a_material_with_a_picture_and_no_texture_coordinates(load):
    def edit(content):
        del content["meshes"][0]["primitives"][0]["attributes"]["TEXCOORD_0"]

    with pytest.raises(InputError, match=r"material 'skin' names a picture, but its triangles have no TEXCOORD_0"):
        load(edit)


@pytest.mark.parametrize("mode", [5, 6])
def test_strips_and_fans(box, tmp_path, mode):
    """Each face is a primitive of its own."""

    def edit(content):
        first = content["meshes"][0]["primitives"][0]
        order = (0, 1, 3, 2) if mode == 5 else (0, 1, 2, 3)
        data = np.array([4 * i + k for i in range(6) for k in order], "<u2").tobytes()
        content["buffers"].append({"uri": f"data:application/octet-stream;base64,{base64.b64encode(data).decode()}",
                                   "byteLength": len(data)})  # fmt: skip
        content["bufferViews"].append({"buffer": 1, "byteLength": len(data)})
        primitives = []
        for i in range(6):
            content["accessors"].append({"bufferView": len(content["bufferViews"]) - 1, "byteOffset": 8 * i,
                                         "componentType": 5123, "count": 4, "type": "SCALAR"})  # fmt: skip
            primitives.append({**first, "indices": len(content["accessors"]) - 1, "mode": mode})
        content["meshes"][0]["primitives"] = primitives

    (tmp_path / "box.glb").write_bytes(box.glb(edit))
    box.check(load_mesh(tmp_path / "box.glb"))


def test_nodes_place_scale_and_mirror(box, load):
    def nodes(content):
        content["nodes"] = [{"children": [1], "scale": [2, 2, 2]}, {"mesh": 0, "translation": [1, 2, 3]}]

    def mirrored(content):
        content["nodes"][0]["scale"] = [-1, 1, 1]

    box.check(load(nodes), size=(0.16, 0.12, 0.08))
    box.check(load(mirrored), box.colors[[1, 0, 2, 3, 4, 5]])

    def circle(content):
        content["nodes"] = [{"children": [1]}, {"children": [0]}]

    with pytest.raises(InputError, match="form no tree"):
        load(circle)


def test_parts_in_files_of_their_own(box, tmp_path):
    """A .gltf beside its .bin and picture, whose names have spaces; missing ones are named."""
    data = box.glb()
    length = int.from_bytes(data[12:16], "little")
    content = json.loads(data[20 : 20 + length])
    (tmp_path / "my box.bin").write_bytes(data[28 + length :])
    box.write_picture(tmp_path, "my tex.png")
    content["buffers"][0]["uri"], content["images"] = "my%20box.bin", [{"uri": "my%20tex.png"}]
    (tmp_path / "box.gltf").write_text(json.dumps(content))
    box.check(load_mesh(tmp_path / "box.gltf"))
    (tmp_path / "my tex.png").unlink()
    with pytest.raises(InputError, match=r"its texture .*my tex.png is not there"):
        load_mesh(tmp_path / "box.gltf")
    (tmp_path / "my box.bin").unlink()
    with pytest.raises(InputError, match=r"its buffer .*my box.bin is not there"):
        load_mesh(tmp_path / "box.gltf", color="#102030")


def test_files_that_are_cut_off(box, tmp_path):
    whole = box.glb()
    for length in (10, 19, 100, 600, len(whole) // 2, len(whole) - 1):
        (tmp_path / "box.glb").write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"box.glb: ") as caught:
            load_mesh(tmp_path / "box.glb")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "edit",
    [
        lambda g: g.update(asset={"version": "1.0"}),
        lambda g: g["accessors"][0].update(count=10**12),
        lambda g: g["accessors"][0].update(count=-1),
        lambda g: g["accessors"][0].update(byteOffset=-4),
        lambda g: g["bufferViews"][1].update(byteStride=1),
        lambda g: g["accessors"][2].update(bufferView=99),
        lambda g: g["meshes"][0]["primitives"][0].update(material=-1),
        lambda g: g["meshes"][0].update(primitives=7),
        lambda g: g.update(nodes=[{"mesh": True}]),
        lambda g: g["images"][0].update(bufferView=2),
        lambda g: g["accessors"][0].update(type="MAT9"),
    ],
)
def test_broken_content(load, edit):
    with pytest.raises(InputError, match=r"mesh .*box.glb: ") as caught:
        load(edit)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("mode", "moved"), [(33648, "mirrored"), (33071, "stretched")])
def test_what_is_seen_beyond_the_edges_of_a_picture(box, load, mode, moved):
    def edit(content):
        content["samplers"] = [{"wrapS": mode, "wrapT": mode}]
        content["textures"] = [{"source": 0, "sampler": 0}]

    uv = downwards(box)
    if moved == "mirrored":
        box.check(load(edit, uv=-uv))
        box.check(load(edit, uv=2 - uv))
        box.check(load(edit, uv=2 + uv))
    else:
        box.check(load(edit, uv=uv - 1), [box.colors[0]] * 6)
        box.check(load(edit, uv=uv + (1, 1)), [box.colors[5]] * 6)
        with pytest.raises(InputError, match=r"span .* times its texture, whose edge is stretched \(clamp\)"):
            load(edit, uv=uv * 1e9)
    assert load(edit, uv=uv).texture.shape == (32, 48, 3)  # nothing is added if nothing lies beyond
    mesh = load(edit, uv=uv + (1 / 3, 0))  # no more is added than lies beyond: 0.27 of the width
    assert mesh.texture.shape == (32, 48 + 13, 3)
    box.check(mesh, box.colors[[1, 2, 2, 4, 5, 5]])


def test_long_strips_of_a_picture(box, load):
    def edit(content):
        content["samplers"] = [{"wrapS": 33071}]
        content["textures"] = [{"source": 0, "sampler": 0}]

    mesh = load(edit, uv=downwards(box) * (2_500, 1) - (5_000, 0))
    assert mesh.texture.shape[1] == 2048


@pytest.mark.parametrize("mode", ["MASK", "BLEND"])
def test_transparent_materials_are_said(box, load, mode):
    with pytest.warns(UserWarning, match=rf"'skin' may be transparent \(alphaMode {mode}\); it is drawn opaque"):
        box.check(load(lambda content: material(content).update(alphaMode=mode)))


def test_a_picture_that_no_triangle_shows_is_said(box, load):
    with pytest.warns(UserWarning, match="no triangles have its material 'skin', which has a picture"):
        box.check(load(lambda content: content["meshes"][0]["primitives"][0].pop("material")), [(160, 160, 160)] * 6)
