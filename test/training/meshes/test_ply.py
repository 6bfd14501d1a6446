"""PLY files, text and binary, as exporters write them: colours of every face, sizes, areas, or one line."""

import struct

import numpy as np
import pytest

from pose_regressor.types import InputError
from pose_regressor_training.meshes.mesh import load_mesh

CODES = {"uchar": "B", "ushort": "H", "short": "h", "int": "i", "uint": "I", "float": "f", "double": "d"}


def write_ply(path, elements, comments=(), form="ascii"):
    """elements: (name, properties, rows). A property is `float x`, or `list uchar int name` with a row's tuple."""
    lines = ["ply", f"format {form} 1.0", *(f"comment {comment}" for comment in comments)]
    body = []
    order = ">" if "big" in form else "<"
    for name, properties, rows in elements:
        lines += [f"element {name} {len(rows)}", *(f"property {own}" for own in properties)]
        for row in rows:
            words = []
            for own, value in zip(properties, row, strict=True):
                kinds = own.split()
                if kinds[0] == "list":
                    words += [(kinds[1], len(value)), *((kinds[2], item) for item in value)]
                else:
                    words.append((kinds[0], value))
            if form == "ascii":
                body.append((" ".join(f"{value:g}" for _, value in words) + "\n").encode())
            else:
                whole = [value if kind in ("float", "double") else int(value) for kind, value in words]
                body.append(struct.pack(order + "".join(CODES[kind] for kind, _ in words), *whole))
    path.write_bytes("\n".join([*lines, "end_header\n"]).encode() + b"".join(body))
    return path


XYZ = ("float x", "float y", "float z")
LIST = "list uchar int vertex_indices"
FORMS = ("ascii", "binary_little_endian", "binary_big_endian")


def corners(box):
    """(24, 3) vertices, four for each face of its own, and (6, 4) quads of them."""
    return box.vertices[box.quads].reshape(-1, 3), np.arange(24).reshape(6, 4)


@pytest.mark.parametrize("form", FORMS)
def test_triangles_and_quads_mixed(box, tmp_path, form):
    """As Blender writes spheres and cylinders."""
    vertices, quads = corners(box)
    faces = [tuple(quad) for quad in quads[:3]]
    faces += [triangle for quad in quads[3:] for triangle in (tuple(quad[[0, 1, 2]]), tuple(quad[[0, 2, 3]]))]
    rows = np.c_[vertices, box.colors.repeat(4, 0)]
    colors = ("uchar red", "uchar green", "uchar blue")
    path = write_ply(tmp_path / "a.ply", [("vertex", XYZ + colors, rows), ("face", (LIST,), [(f,) for f in faces])],
                     form=form)  # fmt: skip
    mesh = load_mesh(path, "mm")
    box.check(mesh)
    assert len(mesh.faces) == 12
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    with pytest.raises(InputError, match=r"is cut off in 'face' \d"):
        load_mesh(path, "mm")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("several", [False, True])
def test_texture_coordinates_of_wedges(box, tmp_path, form, several):
    """As MeshLab writes them, here with triangles and quads mixed, and one or two pictures."""
    box.write_picture(tmp_path, "a.png")
    box.write_picture(tmp_path, "b.png", colors=box.colors[::-1])
    rows = []
    for i, (quad, uv) in enumerate(zip(box.quads, box.uv, strict=True)):
        number = int(several and i >= 3)
        cuts = ([0, 1, 2, 3],) if i % 2 else ([0, 1, 2], [0, 2, 3])
        rows += [(quad[own], uv[own].ravel(), number) for own in cuts]
    names = ("a.png", "b.png") if several else ("a.png",)
    faces = ("face", (LIST, "list uchar float texcoord", "int texnumber"), rows)
    comments = ("VCGLIB generated", *(f"TextureFile {name}" for name in names))
    path = write_ply(tmp_path / "a.ply", [("vertex", XYZ, box.vertices), faces], comments, form)
    mesh = load_mesh(path, "mm")
    expected = [*box.colors[:3], *box.colors[::-1][3:]] if several else box.colors
    box.check(mesh, expected)
    assert "picture a.png, 48x32 on " in mesh.taken and ("picture b.png" in mesh.taken) == several


def test_two_pictures_and_no_word_which(box, tmp_path):
    box.write_picture(tmp_path, "a.png")
    vertices, quads = corners(box)
    vertex = ("vertex", (*XYZ, "float s", "float t"), np.c_[vertices, box.uv.reshape(-1, 2)])
    path = write_ply(tmp_path / "a.ply", [vertex, ("face", (LIST,), [(q,) for q in quads])],
                     ("TextureFile a.png", "TextureFile b.png"))  # fmt: skip
    with pytest.raises(InputError, match="names 2 pictures, but no face says which is its own"):
        load_mesh(path, "mm")


@pytest.mark.parametrize(
    "names",
    [("s", "t"), ("u", "v"), ("s0", "t0"), ("texture_u", "texture_v"), ("texcoord_u", "texcoord_v"), ("u0", "v0")],
)
def test_names_of_texture_coordinates(box, tmp_path, names):
    box.write_picture(tmp_path)
    vertices, quads = corners(box)
    vertex = ("vertex", XYZ + tuple(f"float {name}" for name in names), np.c_[vertices, box.uv.reshape(-1, 2)])
    face = ("face", ("list uchar uint vertex_index",), [(q,) for q in quads])
    for comment in ("TextureFile tex.png", "texturefile TEX.png", "TextureFile C:\\me\\tex.png"):
        box.check(load_mesh(write_ply(tmp_path / "a.ply", [vertex, face], (comment,)), "mm"))
    with pytest.warns(UserWarning, match="has texture coordinates, but names no picture"):
        load_mesh(write_ply(tmp_path / "a.ply", [vertex, face]), "mm")
    with pytest.raises(InputError, match=r"its texture .*gone.png is not there; put the picture beside"):
        load_mesh(write_ply(tmp_path / "a.ply", [vertex, face], ("TextureFile gone.png",)), "mm")


def test_a_picture_without_texture_coordinates(box, tmp_path):
    box.write_picture(tmp_path)
    elements = [("vertex", XYZ, box.vertices), ("face", (LIST,), [(q,) for q in box.quads])]
    path = write_ply(tmp_path / "a.ply", elements, ("TextureFile tex.png",))
    with pytest.raises(InputError, match=r"names the picture tex.png, but has no texture coordinates.*--color"):
        load_mesh(path, "mm")
    box.check(load_mesh(path, "mm", "#102030"), [(16, 32, 48)] * 6)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("kind", "scale"), [("uchar", 1), ("float", 1 / 255), ("float", 1), ("double", 1), ("ushort", 257), ("int", 1)]
)
@pytest.mark.parametrize("names", [("red", "green", "blue"), ("diffuse_red", "diffuse_green", "diffuse_blue")])
def test_colours_of_vertices(box, tmp_path, form, kind, scale, names):
    vertices, quads = corners(box)
    rows = np.c_[vertices, box.colors.repeat(4, 0) * scale]
    properties = XYZ + tuple(f"{kind} {name}" for name in names)
    path = write_ply(tmp_path / "a.ply", [("vertex", properties, rows), ("face", (LIST,), [(q,) for q in quads])],
                     form=form)  # fmt: skip
    box.check(load_mesh(path, "mm"))


@pytest.mark.parametrize("form", FORMS)
def test_colours_of_faces(box, tmp_path, form):
    rows = [(quad, *color) for quad, color in zip(box.quads, box.colors, strict=True)]
    face = ("face", (LIST, "uchar red", "uchar green", "uchar blue"), rows)
    box.check(load_mesh(write_ply(tmp_path / "a.ply", [("vertex", XYZ, box.vertices), face], form=form), "mm"))


def test_strips_of_triangles(box, tmp_path):
    """As Stanford's scans have them; -1 begins a new strip."""
    strips = [index for q in box.quads for index in (q[0], q[1], q[3], q[2], -1)]
    elements = [("vertex", XYZ, box.vertices), ("tristrips", ("list int int vertex_indices",), [(strips,)])]
    box.check(load_mesh(write_ply(tmp_path / "a.ply", elements), "mm"), [(160,) * 3] * 6)


@pytest.mark.parametrize("form", FORMS)
def test_concave_polygons(tmp_path, form):
    outline = [(0, 0), (60, 0), (60, 20), (20, 20), (20, 60), (0, 60)]
    vertices = [(x, y, z) for z in (0, 20) for x, y in outline]
    faces = [(5, 4, 3, 2, 1, 0), (6, 7, 8, 9, 10, 11)] + [(i, (i + 1) % 6, (i + 1) % 6 + 6, i + 6) for i in range(6)]
    elements = [("vertex", XYZ, vertices), ("face", (LIST,), [(face,) for face in faces])]
    mesh = load_mesh(write_ply(tmp_path / "a.ply", elements, form=form), "mm")
    corners = mesh.vertices[mesh.faces].astype(float)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert np.linalg.norm(normals, axis=1).sum() / 2 == pytest.approx(8800e-6, rel=1e-4)


def test_colours_of_faces_beside_plain_ones_of_vertices(box, tmp_path):
    rgb = ("uchar red", "uchar green", "uchar blue")
    faces = [(tuple(quad), *color) for quad, color in zip(box.quads, box.colors, strict=True)]
    for own, rows in ((XYZ, box.vertices), ((*XYZ, *rgb), [(*v, 255, 255, 255) for v in box.vertices])):
        elements = [("vertex", own, [tuple(row) for row in rows]), ("face", (LIST, *rgb), faces)]
        box.check(load_mesh(write_ply(tmp_path / "a.ply", elements), "mm"))


@pytest.mark.parametrize("form", FORMS)
def test_colours_of_materials(box, tmp_path, form):
    colors = ("uchar diffuse_red", "uchar diffuse_green", "uchar diffuse_blue")
    elements = [
        ("vertex", XYZ, [tuple(v) for v in box.vertices]),
        ("face", (LIST, "int material_index"), [(tuple(quad), 5 - i) for i, quad in enumerate(box.quads)]),
        ("material", colors, [tuple(color) for color in box.colors[::-1]]),
    ]
    box.check(load_mesh(write_ply(tmp_path / "a.ply", elements, form=form), "mm"))
    elements[2] = ("material", colors, [tuple(color) for color in box.colors[:5]])
    with pytest.raises(InputError, match="a face names material 5 of 5"):
        load_mesh(write_ply(tmp_path / "a.ply", elements, form=form), "mm")


def test_names_with_capitals_and_colours_that_are_not_known(box, tmp_path):
    faces = ("face", (LIST,), [(tuple(quad),) for quad in box.quads])
    names = ("uchar Red", "uchar Green", "uchar Blue")
    vertices = ("vertex", (*XYZ, *names), [(*v, 204, 51, 102) for v in box.vertices])
    box.check(load_mesh(write_ply(tmp_path / "a.ply", [vertices, faces]), "mm"), [(204, 51, 102)] * 6)
    vertices = ("vertex", (*XYZ, "uint rgb", "float quality"), [(*v, 204, 1) for v in box.vertices])
    with pytest.warns(UserWarning, match="its properties rgb are not known as colours here, so it is grey"):
        box.check(load_mesh(write_ply(tmp_path / "a.ply", [vertices, faces]), "mm"), [(160, 160, 160)] * 6)


HEAD = "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
FACE = "element face 1\nproperty list uchar int vertex_indices\nend_header\n0 0 0\n1 0 0\n0 1 1\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + FACE + "3 0 1 9\n", "a face names vertex 9 of 3"),
        (HEAD + FACE + "3 0 1\n", "is cut off in 'face' 0"),
        (HEAD + FACE + "3 0 one 2\n", "expected numbers, found 'one'"),
        (HEAD + FACE.replace("face 1", "face 999999999"), "999,999,999 triangles"),
        (HEAD.replace("vertex 3", "vertex 999999999") + FACE, "is cut off in 'vertex' 0"),
        (HEAD.replace("float z", "colour z") + FACE, "unknown line 'property colour z' in its PLY header"),
        (HEAD.replace("float z", "float w") + FACE + "3 0 1 2\n", "expected vertices with x, y and z"),
        (HEAD.replace("ascii", "utf") + FACE, "expected a PLY format"),
        (HEAD, "expected a PLY header"),
        ("ply\r\n" * 3, "expected a PLY header"),
    ],
)
def test_broken_files(tmp_path, text, message):
    (tmp_path / "a.ply").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        load_mesh(tmp_path / "a.ply", "m")
    assert "\n" not in str(caught.value)
