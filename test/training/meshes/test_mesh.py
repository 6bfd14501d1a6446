"""Mesh files as people have them: of several kinds and materials, in some unit, and bad ones."""

import struct
import warnings

import numpy as np
import pytest
import trimesh
from PIL import Image

from pose_regressor.color import srgb_from_linear
from pose_regressor.types import InputError
from pose_regressor_training.meshes.mesh import Mesh, load_mesh, object_model
from pose_regressor_training.raytracer.renderer import Raytracer
from pose_regressor_training.scenes import blank_scenes


def textured(shape: trimesh.Trimesh, color, uv=None) -> trimesh.Trimesh:
    uv = np.random.default_rng(0).random((len(shape.vertices), 2)) if uv is None else uv
    shape.visual = trimesh.visual.TextureVisuals(uv=uv, image=Image.new("RGB", (64, 32), color))
    return shape


def seen_colors(mesh: Mesh) -> set[tuple[int, int, int]]:
    """The sRGB colours that a view of the mesh in even light consists of."""
    scenes = blank_scenes(1, 1)
    scenes.camera_matrix[:] = [[60, 0, 31.5], [0, 60, 31.5], [0, 0, 1]]
    scenes.mesh[:], scenes.cam_from_obj[:, 0, :3, 3] = 0, (0, 0, 0.4)
    rendered = Raytracer([mesh]).render(scenes, 64, 64)
    return set(map(tuple, srgb_from_linear(rendered.color[rendered.thing == 0].numpy()).tolist()))


@pytest.mark.parametrize("suffix", [".glb", ".obj"])
def test_several_materials_become_one_texture(tmp_path, suffix):
    red = textured(trimesh.creation.box((0.1, 0.1, 0.1)), (255, 0, 0))
    green = textured(trimesh.creation.icosphere(radius=0.05), (0, 255, 0))
    green.apply_translation([0.12, 0, 0])
    for part in (red, green):
        part.visual.material = trimesh.visual.material.PBRMaterial(baseColorTexture=part.visual.material.image)
    trimesh.Scene([red, green]).export(tmp_path / f"two{suffix}")
    mesh = load_mesh(tmp_path / f"two{suffix}", "m")
    assert mesh.texture is not None and len(mesh.faces) == len(red.faces) + len(green.faces)
    assert seen_colors(mesh) == {(255, 0, 0), (0, 255, 0)}


def test_a_plain_part_beside_a_textured_one(tmp_path):
    box = textured(trimesh.creation.box((0.1, 0.1, 0.1)), (255, 0, 0))
    box.visual.material = trimesh.visual.material.PBRMaterial(baseColorTexture=box.visual.material.image)
    ball = trimesh.creation.icosphere(radius=0.05)
    ball.apply_translation([0.12, 0, 0])
    ball.visual = trimesh.visual.TextureVisuals(
        material=trimesh.visual.material.PBRMaterial(baseColorFactor=[0, 0, 255, 255])
    )
    trimesh.Scene([box, ball]).export(tmp_path / "mixed.glb")
    assert seen_colors(load_mesh(tmp_path / "mixed.glb", "m")) == {(255, 0, 0), (0, 0, 255)}


def test_textures_that_repeat_cannot_share_a_picture(tmp_path):
    parts = [textured(trimesh.creation.box((0.1, 0.1, 0.1)), c, np.random.default_rng(1).random((8, 2)) * 3)
             for c in ((255, 0, 0), (0, 255, 0))]  # fmt: skip
    trimesh.Scene(parts).export(tmp_path / "repeat.glb")
    with pytest.raises(InputError, match="repeat within a face"):
        load_mesh(tmp_path / "repeat.glb", "m")
    trimesh.Scene(parts[:1]).export(tmp_path / "one.glb")
    assert load_mesh(tmp_path / "one.glb", "m").uv.max() > 1.5


def test_colours_of_vertices_and_of_faces(tmp_path):
    box = trimesh.creation.box((0.1, 0.1, 0.1))
    box.visual.vertex_colors = np.tile([10, 200, 30, 255], (8, 1))
    box.export(tmp_path / "vertex.ply")
    assert seen_colors(load_mesh(tmp_path / "vertex.ply", "m")) == {(10, 200, 30)}
    box = trimesh.creation.box((0.1, 0.1, 0.1))
    box.visual.face_colors = np.random.default_rng(0).integers(0, 256, (12, 4))
    box.export(tmp_path / "face.ply")
    faces = {tuple(color[:3].tolist()) for color in box.visual.face_colors}
    mesh = load_mesh(tmp_path / "face.ply", "m")
    assert seen_colors(mesh) <= faces and len(mesh.faces) == 12
    trimesh.creation.box((0.1, 0.1, 0.1)).export(tmp_path / "plain.stl")
    plain = load_mesh(tmp_path / "plain.stl", "m")
    assert len(np.unique(plain.vertex_colors, axis=0)) == 1


def write_glb(path, light, factor):
    """A box with vertex colours, a plain material or both, each linear as glTF has them."""
    box = trimesh.creation.box((0.1, 0.06, 0.04))
    colors = None if light is None else np.tile(np.uint8([*light, 255]), (8, 1))
    if factor is None:
        box.visual.vertex_colors = colors
    else:
        material = trimesh.visual.material.PBRMaterial(baseColorFactor=[*factor, 255])
        box.visual = trimesh.visual.TextureVisuals(material=material)
        if colors is not None:
            box.visual.vertex_attributes["color"] = colors
    box.export(path)


@pytest.mark.parametrize(("light", "factor"), [("dark", None), (None, "dark"), ("dark", "white"), ("white", "dark")])
def test_colours_of_gltf_are_linear_and_go_with_a_material(tmp_path, light, factor):
    values = {"dark": (55, 0, 8), "white": (255, 255, 255), None: None}  # of 255; dark is sRGB 128, 0, 50
    write_glb(tmp_path / "box.glb", values[light], values[factor])
    colors = load_mesh(tmp_path / "box.glb", "m").vertex_colors
    np.testing.assert_allclose(colors, np.tile([128, 0, 50], (len(colors), 1)), atol=1)


def test_vertex_colours_beside_a_plain_material(tmp_path):
    """As MeshLab writes OBJ."""
    box = trimesh.creation.box((0.1, 0.06, 0.04))
    colors = np.array([(1, 0, 0)] * 4 + [(0, 1, 0)] * 4)
    lines = [f"v {x} {y} {z} {r} {g} {b}" for (x, y, z), (r, g, b) in zip(box.vertices, colors, strict=True)]
    lines += ["usemtl plain", *(f"f {i} {j} {k}" for i, j, k in box.faces + 1)]
    (tmp_path / "box.obj").write_text("\n".join(["mtllib box.mtl", *lines]) + "\n")
    for factor in (1.0, 0.4):
        (tmp_path / "box.mtl").write_text(f"newmtl plain\nKa 0.2 0.2 0.2\nKd {factor} {factor} {factor}\n")
        mesh = load_mesh(tmp_path / "box.obj", "m")
        side = np.sign(mesh.vertices[:, 0]) < 0  # as trimesh's box is numbered
        for face, color in ((side, (1, 0, 0)), (~side, (0, 1, 0))):
            assert np.unique(mesh.vertex_colors[face], axis=0).tolist() == [[round(255 * factor * c) for c in color]]


def test_a_colour_in_place_of_the_files_own(tmp_path):
    textured(trimesh.creation.box((0.1, 0.1, 0.1)), (255, 0, 0)).export(tmp_path / "textured.obj")
    trimesh.creation.box((0.1, 0.1, 0.1)).export(tmp_path / "plain.stl")
    for name in ("textured.obj", "plain.stl"):
        assert seen_colors(load_mesh(tmp_path / name, "m", "#0a63C7")) == {(10, 99, 199)}
    for wrong in ("red", "#12345", "#12345g", "0a63c7", ""):
        with pytest.raises(InputError, match=f"color '{wrong}'.*hexadecimal"):
            load_mesh(tmp_path / "plain.stl", "m", wrong)


def test_ply_with_a_texture_file(tmp_path):
    """As in BOP's data sets: a comment names the picture, vertices have texture coordinates."""
    box = trimesh.creation.box((100, 100, 100))
    rows = [f"{x:g} {y:g} {z:g} 0.5 0.5" for x, y, z in box.vertices]
    rows += [f"3 {a} {b} {c}" for a, b, c in box.faces]
    header = ["ply", "format ascii 1.0", "comment TextureFile skin.png", "element vertex 8"]
    header += [f"property float {name}" for name in ("x", "y", "z", "texture_u", "texture_v")]
    header += ["element face 12", "property list uchar int vertex_indices", "end_header"]
    (tmp_path / "box.ply").write_text("\n".join(header + rows) + "\n")
    with pytest.raises(InputError, match=r"its texture .*skin.png is not there"):
        load_mesh(tmp_path / "box.ply", "mm")
    Image.new("RGB", (8, 8), (9, 99, 199)).save(tmp_path / "skin.png")
    assert seen_colors(load_mesh(tmp_path / "box.ply", "mm")) == {(9, 99, 199)}


def test_units(tmp_path):
    trimesh.creation.box((80, 50, 40)).export(tmp_path / "box.ply")
    with pytest.warns(UserWarning, match="taken for mm, which makes it 0.08 m long"):
        guessed = load_mesh(tmp_path / "box.ply")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stated = load_mesh(tmp_path / "box.ply", "mm")
        trimesh.creation.box((0.08, 0.05, 0.04)).export(tmp_path / "box.glb")
        metres = load_mesh(tmp_path / "box.glb")  # the standard says metres
    np.testing.assert_allclose(np.ptp(guessed.vertices, axis=0), (0.08, 0.05, 0.04), rtol=1e-6)
    np.testing.assert_allclose(np.ptp(stated.vertices, axis=0), np.ptp(metres.vertices, axis=0), rtol=1e-6)
    with pytest.raises(InputError, match=r"in unit 'm' it is 80 m long.*in 'mm' it would be 0.08 m"):
        load_mesh(tmp_path / "box.ply", "m")
    with pytest.raises(InputError, match=r"in unit 'mm' it is 8e-05 m long.*in 'm' it would be 0.08 m"):
        load_mesh(tmp_path / "box.glb", "mm")
    with pytest.raises(InputError, match="expected m, mm, cm or in"):
        load_mesh(tmp_path / "box.glb", "inch")


OBJ = "v 0 0 0\nv 0.1 0 0\nv 0 0.1 0\n"
PLY = "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
BAD = {
    "empty.obj": ("", "empty.obj"),
    "cloud.obj": (OBJ, "expected triangles, found none"),
    "cloud.ply": (PLY + "end_header\n0 0 0\n1 0 0\n0 1 0\n", "expected triangles, found none"),
    "nan.obj": (OBJ + "v nan 0 0\nf 1 2 4\n", "expected finite vertices"),
    "line.obj": (OBJ + "f 1 2 2\n", "with an area"),
    "index.ply": (
        PLY + "element face 1\nproperty list uchar int vertex_indices\nend_header\n0 0 0\n1 0 0\n0 1 0\n3 0 1 9\n",
        "index.ply",
    ),
    "library.obj": ("mtllib gone.mtl\nusemtl a\n" + OBJ + "f 1 2 3\n", "material file .*gone.mtl is not there"),
    "junk.glb": ("glTF rubbish that is longer than a header", "cannot be read"),
    "junk.stl": ("x", "junk.stl"),
    "model.step": ("ISO-10303-21;", "expected a file that ends in"),
    "many.ply": (PLY.replace("vertex 3", "vertex 5000000") + "element face 10000000\nend_header\n", "10,000,000 tri"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files(tmp_path, name):
    content, message = BAD[name]
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        load_mesh(tmp_path / name, "m")
    assert "\n" not in str(caught.value) and str(tmp_path / name) in str(caught.value)


def test_a_missing_or_broken_picture(tmp_path):
    faces = "mtllib skin.mtl\nusemtl skin\n" + OBJ + "vt 0 0\nvt 1 0\nvt 0 1\nf 1/1 2/2 3/3\n"
    (tmp_path / "a.obj").write_text(faces)
    (tmp_path / "skin.mtl").write_text("newmtl skin\nKd 1 1 1\nmap_Kd my skin.png\n")
    with pytest.raises(InputError, match=r"its texture .*my skin.png is not there"):
        load_mesh(tmp_path / "a.obj", "m")
    Image.new("RGB", (300, 300), (9, 99, 199)).save(tmp_path / "my skin.png")
    assert load_mesh(tmp_path / "a.obj", "m").texture.shape == (300, 300, 3)
    whole = (tmp_path / "my skin.png").read_bytes()
    (tmp_path / "my skin.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"a.obj: .*"):
        load_mesh(tmp_path / "a.obj", "m")
    # A material without a picture is plain, texture coordinates or not.
    (tmp_path / "skin.mtl").write_text("newmtl skin\nKd 1 0 0\n")
    assert (load_mesh(tmp_path / "a.obj", "m").vertex_colors == (255, 0, 0)).all()


@pytest.mark.parametrize("kind", ["obj", "stl", "off"])
def test_ten_million_triangles_are_refused_before_they_are_read(tmp_path, kind):
    count = 10_000_000
    path = tmp_path / f"many.{kind}"
    if kind == "stl":
        with path.open("wb") as file:
            file.write(bytes(80) + struct.pack("<I", count))
            file.truncate(84 + 50 * count)
    else:
        line = b"f 1 2 3\n" if kind == "obj" else b"3 0 1 2\n"
        with path.open("wb") as file:
            for _ in range(100):
                file.write(line * (count // 100))
    with pytest.raises(InputError, match=r"10,000,000 triangles, expected at most 2,000,000"):
        load_mesh(path, "m")


def test_points_without_a_triangle_do_not_count(tmp_path):
    (tmp_path / "stray.obj").write_text(OBJ + "v 4 4 4\nf 1 2 3\n")
    mesh = load_mesh(tmp_path / "stray.obj", "m")
    assert mesh.vertices.max() == pytest.approx(0.1) and len(mesh.vertices) == 3


def test_object_model_of_a_box():
    box = trimesh.creation.box((0.1, 0.06, 0.08))
    mesh = Mesh(np.float32(box.vertices), np.int32(box.faces), None, None, np.zeros((8, 3), np.uint8))
    model = object_model(mesh, "box", 3)
    assert model.diameter == pytest.approx(np.sqrt(0.1**2 + 0.06**2 + 0.08**2), rel=1e-6)
    np.testing.assert_allclose(model.bounds, [[-0.05, -0.03, -0.04], [0.05, 0.03, 0.04]], rtol=1e-6)
    on_surface = np.isclose(np.abs(model.points) / (0.05, 0.03, 0.04), 1, atol=1e-5).any(1)
    assert on_surface.all() and model.keypoints.shape == (16, 3)


@pytest.mark.shared
def test_reference_meshes(shared_data):
    sizes = {"cube/model/cube.obj": ("m", 0.0845), "dragon/dragon.ply": ("m", 0.1025)}
    sizes |= {f"lmo/models/obj_{i:06}.ply": ("mm", size) for i, size in ((1, 0.0918), (5, 0.1937), (12, 0.1085))}
    for name, (unit, size) in sizes.items():
        mesh = load_mesh(shared_data / name, unit)
        assert np.ptp(mesh.vertices, axis=0).max() == pytest.approx(size, abs=1e-4)
        assert len(seen_colors(mesh)) > (20 if "dragon" not in name else 0)


def test_meshes_that_cannot_be_used(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load_mesh(tmp_path / "none.obj", "m")
    (tmp_path / "empty.obj").write_text("")
    with pytest.raises(InputError, match=r"empty.obj"):
        load_mesh(tmp_path / "empty.obj", "m")
    (tmp_path / "junk.ply").write_bytes(b"ply\nrubbish")
    with pytest.raises(InputError, match=r"junk.ply: cannot be read"):
        load_mesh(tmp_path / "junk.ply", "m")
    trimesh.creation.box((160, 110, 60)).export(tmp_path / "millimetres.ply")
    with pytest.raises(InputError, match="is the unit right"):
        load_mesh(tmp_path / "millimetres.ply", "m")
    assert load_mesh(tmp_path / "millimetres.ply", "mm").vertices.max() == pytest.approx(0.08)
    with pytest.raises(InputError, match="expected m, mm, cm or in"):
        load_mesh(tmp_path / "millimetres.ply", "inch")
    (tmp_path / "nan.obj").write_text("v 0 0 nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    with pytest.raises(InputError, match="finite vertices"):
        load_mesh(tmp_path / "nan.obj", "m")
