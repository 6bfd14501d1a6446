"""OBJ and MTL files as exporters write them: colours of every face, sizes, areas, or one line."""

import numpy as np
import pytest
from PIL import Image

from pose_regressor.types import InputError
from pose_regressor_training.meshes.mesh import load_mesh

MTL = "newmtl skin\nKd 1 1 1\nmap_Kd {}\n"
WHOLE = MTL.format("tex.png")


@pytest.fixture
def write(box, tmp_path):
    """A function that writes box.obj, box.mtl and tex.png, and returns the OBJ's path."""
    box.write_picture(tmp_path)

    def write(mtl=WHOLE, obj=None):
        (tmp_path / "box.mtl").write_bytes(mtl if isinstance(mtl, bytes) else mtl.encode())
        text = box.obj() if obj is None else obj
        (tmp_path / "box.obj").write_bytes(text if isinstance(text, bytes) else text.encode())
        return tmp_path / "box.obj"

    return write


@pytest.mark.parametrize(
    "line",
    [
        "-s 1 1 1 tex.png",
        "-o 0 0 0 -s 1 1 1 tex.png",
        "-clamp on tex.png",
        "-mm 0 1 -texres 64 -blendu off tex.png",
        "-bm 0.5 -imfchan r tex.png",
        "tex.png   ",
        '"tex.png"',
        "TEX.png",
        "./tex.png",
        "C:\\Users\\me\\Desktop\\tex.png",
        "/home/me/project/tex.png",
        "..\\textures\\tex.png",
    ],
)
def test_ways_to_name_a_picture(box, write, line):
    box.check(load_mesh(write(MTL.format(line)), "mm"))


@pytest.mark.parametrize("name", ["my tex 1.png", "sub/tex.png", "höhe.png"])
def test_names_of_pictures(box, write, tmp_path, name):
    box.write_picture(tmp_path, name)
    (tmp_path / "tex.png").unlink()
    box.check(load_mesh(write(MTL.format(name)), "mm"))
    box.check(load_mesh(write(MTL.format("-clamp on " + name.replace("/", "\\"))), "mm"))


def test_scale_and_offset_of_a_texture(box, write):
    """u' = s u + o, as MTL says."""
    moved = box.obj()
    lines = [line.split() for line in moved.splitlines()]
    for words in lines:
        if words[0] == "vt":
            words[1:] = [f"{(float(words[1]) - 0.25) / 2:.6f}", f"{(float(words[2]) + 0.5) / 0.5:.6f}"]
    moved = "\n".join(" ".join(words) for words in lines) + "\n"
    box.check(load_mesh(write(MTL.format("-s 2 0.5 1 -o 0.25 -0.5 0 tex.png"), moved), "mm"))


@pytest.mark.parametrize("lines", ["mtllib other.mtl\nmtllib box.mtl", "mtllib other.mtl box.mtl", "mtllib\tbox.mtl",
                                   "mtllib box.mtl\nmtllib other.mtl", "mtllib .\\box.mtl"])  # fmt: skip
def test_several_material_files(box, write, tmp_path, lines):
    (tmp_path / "other.mtl").write_text("newmtl other\nKd 0 0 0\n")
    box.check(load_mesh(write(obj=box.obj(lines)), "mm"))


def test_a_material_file_with_spaces_in_its_name(box, write, tmp_path):
    path = write(obj=box.obj("mtllib my box.mtl"))
    (tmp_path / "box.mtl").rename(tmp_path / "my box.mtl")
    box.check(load_mesh(path, "mm"))
    (tmp_path / "my box.mtl").unlink()
    with pytest.raises(InputError, match=r"its material file .* is not there; put it beside"):
        load_mesh(path, "mm")


@pytest.mark.parametrize("encoding", ["latin-1", "gbk", "utf-8", "utf-8-sig"])
def test_encodings(box, write, tmp_path, encoding):
    name = "纹理" if encoding == "gbk" else "größe"
    box.write_picture(tmp_path, f"{name}.png")
    (tmp_path / "tex.png").unlink()
    mtl = f"# {name}\nnewmtl {name}\nKd 1 1 1\nmap_Kd {name}.png\n".encode(encoding)
    obj = ("# " + name + "\n" + box.obj(usemtl=f"usemtl {name}")).encode(encoding)
    box.check(load_mesh(write(mtl, obj), "mm"))
    obj = ("# " + name + "\n" + box.obj(usemtl=f"usemtl {name}")).encode()  # in another one than its material file
    box.check(load_mesh(write(mtl, obj), "mm"))


@pytest.mark.parametrize("change", [lambda t: t.replace("f ", "f\t"), lambda t: t.replace(" ", "  "),
                                    lambda t: t.replace("\n", "\r\n"), lambda t: t.replace("\nf ", "\n  f "),
                                    lambda t: "\n".join(x + " # c" if x[:2] in ("v ", "vt", "f ") else x
                                                        for x in t.splitlines()),
                                    lambda t: t.replace("vt ", "vn 0 0 1\nvt "), lambda t: t.rstrip("\n")],
                         ids=["tab", "spaces", "crlf", "indented", "comments", "normals", "no end"])  # fmt: skip
def test_ways_to_write_lines(box, write, change):
    box.check(load_mesh(write(obj=change(box.obj())), "mm"))


def test_continued_lines(box, write):
    lines = [x.replace(" ", " \\\n ", 2) if x.startswith("f ") else x for x in box.obj().splitlines()]
    box.check(load_mesh(write(obj="\n".join(lines) + "\n"), "mm"))


def test_relative_indices_in_blocks(box, write):
    """They count backwards from where the face stands."""
    lines = ["mtllib box.mtl", "usemtl skin"]
    for quad, uv in zip(box.quads, box.uv, strict=True):
        lines += [f"v {x} {y} {z}" for x, y, z in box.vertices[quad]] + [f"vt {u:.5f} {v:.5f}" for u, v in uv]
        lines.append("f -4/-4 -3/-3 -2/-2 -1/-1")
    box.check(load_mesh(write(obj="\n".join(lines) + "\n"), "mm"))
    lines = []
    for shift in (0, 100):
        lines += [f"v {x / 2 + shift} {y * 2 / 3} {z}" for x, y, z in box.vertices]
        lines += ["f " + " ".join(str(k - 8) for k in quad) for quad in box.quads]
    mesh = load_mesh(write(obj="\n".join(lines) + "\n"), "mm")
    np.testing.assert_allclose(np.ptp(mesh.vertices, axis=0), (0.14, 0.04, 0.04), rtol=1e-5)
    assert len(mesh.faces) == 24 and len(mesh.vertices) == 16


@pytest.mark.parametrize("scale", [1, 255])
def test_vertex_colours_up_to_one_or_255(box, write, scale):
    red = " ".join(f"{c * scale:g}" for c in (0.8, 0.2, 0.4))
    for vertex in ("{:g} {:g} {:g} " + red, "{:g} {:g} {:g} 1.0 " + red):
        text = box.obj("", "", uv=False, vertex=vertex)
        box.check(load_mesh(write(obj=text), "mm"), [(204, 51, 102)] * 6)


def test_materials_by_name_without_pictures(box, write, tmp_path):
    lines = ["mtllib box.mtl", *(f"v {x} {y} {z}" for x, y, z in box.vertices)]
    for i, quad in enumerate(box.quads):
        lines += [f"usemtl Färbe {i} rot", "f " + " ".join(str(v + 1) for v in quad)]
    mtl = "".join("newmtl Färbe {} rot\nKd {} {} {}\n".format(i, *c / 255) for i, c in enumerate(box.colors))
    box.check(load_mesh(write(mtl, "\n".join(lines)), "mm"))
    assert (
        "6 parts: plain colour #c832c8 (material 'Färbe 4 rot') on 23 %" in load_mesh(tmp_path / "box.obj", "mm").taken
    )


def test_some_faces_without_texture_coordinates(box, write, colors_of):
    """They get the material's plain colour, the others keep the picture, and it is said."""
    lines = box.obj().splitlines()
    lines[-1] = " ".join(corner.split("/")[0] for corner in lines[-1].split())
    path = write("newmtl skin\nKd 0.2 0.4 0.6\nmap_Kd tex.png\n", "\n".join(lines))
    with pytest.warns(UserWarning, match=r"2 of 12 triangles of material 'skin' have no texture coord.*#336699"):
        mesh = load_mesh(path, "mm")
    box.check(mesh, [*box.colors[:5], (51, 102, 153)])
    assert "picture tex.png, 48x32 (material 'skin') on 77 % of the surface" in mesh.taken
    assert "plain colour #336699 (material 'skin') on 23 %" in mesh.taken


def test_a_picture_that_no_face_shows_is_refused(box, write):
    with pytest.raises(InputError, match=r"material 'skin' names the picture tex.png, but its faces have no texture"):
        load_mesh(write(obj=box.obj(uv=False)), "mm")
    with pytest.raises(InputError, match=r"names the picture tex.png, but no face uses that material .*no usemtl"):
        load_mesh(write(obj=box.obj(usemtl="")), "mm")
    with pytest.raises(InputError, match=r"no face uses that material \(they use 'other'\)"):
        load_mesh(write(MTL.format("tex.png") + "newmtl other\nKd 1 0 0\n", box.obj(usemtl="usemtl other")), "mm")
    with pytest.raises(InputError, match=r"its texture .*gone.png is not there.*--color"):
        load_mesh(write(MTL.format("gone.png")), "mm")
    box.check(load_mesh(write(MTL.format("gone.png")), "mm", "#0a63c7"), [(10, 99, 199)] * 6)  # needs no picture


def test_a_picture_of_16_bits(box, write, tmp_path):
    ramp = np.linspace(0, 65535, 32 * 48).reshape(32, 48)
    Image.fromarray(ramp.astype(np.uint16)).save(tmp_path / "tex.png")
    texture = load_mesh(write(), "mm").texture
    np.testing.assert_allclose(texture[..., 0], ramp / 257, atol=1)


def test_a_concave_polygon(write):
    """An L bracket of 60 x 60 x 20 mm whose caps are polygons of six corners."""
    outline = [(0, 0), (60, 0), (60, 20), (20, 20), (20, 60), (0, 60)]
    for start in range(6):
        corners = outline[start:] + outline[:start]
        lines = [f"v {x} {y} {z}" for z in (0, 20) for x, y in corners]
        lines += ["f 6 5 4 3 2 1", "f 7 8 9 10 11 12"]
        lines += [f"f {i + 1} {(i + 1) % 6 + 1} {(i + 1) % 6 + 7} {i + 7}" for i in range(6)]
        mesh = load_mesh(write(obj="\n".join(lines)), "mm")
        corners = mesh.vertices[mesh.faces].astype(float)
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        assert np.linalg.norm(normals, axis=1).sum() / 2 == pytest.approx(8800e-6, rel=1e-4)  # 2 x 2000 + 240 x 20 mm²
        volume = np.einsum("fi,fi->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
        assert volume == pytest.approx(40000e-9, rel=1e-4)


def test_a_concave_quad_with_a_texture(write, colors_of):
    """An arrow head: its fan from the first corner would cover the notch. Texture coordinates stay with corners."""
    places = [(0, 0), (40, 30), (0, 60), (15, 30)]
    lines = ["mtllib box.mtl", "usemtl skin"]
    lines += [f"v {x} {y} {z}" for z in (0, 10) for x, y in places] + [f"vt {x / 60} {y / 60}" for x, y in places]
    lines += ["f 1/1 4/4 3/3 2/2", "f 5/1 6/2 7/3 8/4"]
    mesh = load_mesh(write(obj="\n".join(lines)), "mm")
    corners = mesh.vertices[mesh.faces].astype(float)
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    assert area.sum() == pytest.approx(2 * 750e-6, rel=1e-4)  # half of 25 x 60 mm² each
    np.testing.assert_allclose(mesh.uv, corners[..., :2] / 0.06, atol=1e-6)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("v 1 2\nf 1 1 1", "a line 'v 1 2' has 2 numbers, expected 3"),
        ("v 1 2 x\nf 1 1 1", "cannot be read"),
        ("v 0 0 0\nf 1 2 3", "a face names vertex 3 of 1"),
        ("v 0 0 0\nf -1 -2 -3", "a face names vertex -. of 1"),
        ("v 0 0 0\nf a b c", "expected numbers in a face, got 'a'"),
        ("v 0 0 0\nf 1 99999999999999999999 1", "a face names vertex [0-9]+ of 1"),
    ],
)
def test_broken_lines(tmp_path, lines, message):
    (tmp_path / "a.obj").write_text(lines + "\n")
    with pytest.raises(InputError, match=message) as caught:
        load_mesh(tmp_path / "a.obj", "m")
    assert "\n" not in str(caught.value)


def test_colours_of_vertices_in_all_their_orders(box, write):
    """Also with a weight before the colour, with alpha behind it, as 0 to 255, and as ZBrush's polypaint."""
    expected = [(204, 51, 102)] * 6
    for numbers in ("0.8 0.2 0.4", "1 0.8 0.2 0.4", "0.8 0.2 0.4 1", "204 51 102", "204 51 102 255"):
        text = box.obj("", "", uv=False, vertex="{:g} {:g} {:g} " + numbers)
        box.check(load_mesh(write(obj=text), "mm"), expected)
    painted = "#MRGB " + "ffcc3366" * 5 + "\n#MRGB " + "ffcc3366" * 3
    box.check(load_mesh(write(obj=box.obj(painted, "", uv=False)), "mm"), expected)
    lines = box.obj("", "", uv=False).splitlines()
    lines = [line + " 0 0 1" * (i < 5) for i, line in enumerate(lines)]
    with pytest.warns(UserWarning, match="4 of 8 vertices have no colour; they are grey"):
        mesh = load_mesh(write(obj="\n".join(lines)), "mm")
    assert {tuple(color) for color in mesh.vertex_colors} == {(0, 0, 255), (160, 160, 160)}


def test_keys_and_names_of_materials_with_other_capitals(box, write):
    box.check(load_mesh(write(obj=box.obj("MTLLIB box.mtl", "UseMtl Skin")), "mm"))


@pytest.mark.parametrize("mtl", ["# nothing\n", "newmtl other\nKd 1 0 0\n"])
def test_a_material_that_is_in_no_file_is_named(box, write, mtl):
    for uv in (True, False):
        with pytest.warns(UserWarning, match="material 'skin' is in none of its material files; its faces are grey"):
            load_mesh(write(mtl, box.obj(uv=uv)), "mm")


def test_free_form_surfaces_are_refused(box, write):
    surface = "cstype bezier\ndeg 3 3\nsurf 0 1 0 1 1 2 3 4\nend\n"
    with pytest.raises(InputError, match=r"free-form surfaces \(surf\), expected triangles"):
        load_mesh(write(obj=box.obj() + surface), "mm")
    with pytest.raises(InputError, match=r"expected triangles, found none \(points alone need a surface first"):
        load_mesh(write(obj="v 0 0 0\nv 1 0 0\n"), "mm")
