"""STL and OFF, units, sheets, and what is said of a mesh."""

import struct
import warnings

import numpy as np
import pytest

from pose_regressor.types import InputError
from pose_regressor_training.meshes.mesh import load_mesh, object_model
from pose_regressor_training.meshes.symmetry import find_symmetries

GREY = [(160, 160, 160)] * 6


def stl(box, header=b"", behind=b"", scale=1.0):
    data = header.ljust(80, b"\0") + struct.pack("<I", 12)
    for triangle in box.triangles:
        data += struct.pack("<12fH", 0, 0, 0, *(box.vertices[triangle] * scale).ravel(), 0)
    return data + behind


@pytest.mark.parametrize("header", [b"", b"solid exported by a CAD program", b"solid\nfacet normal 1 0 0\n"])
@pytest.mark.parametrize("behind", [b"", b"\0\0\0\0", b"made by somebody", bytes(50)])
def test_binary_stl_is_read_by_its_count(box, tmp_path, header, behind):
    path = tmp_path / "a.stl"
    path.write_bytes(stl(box, header, behind))
    if b"facet" in header and behind:
        return  # whether this is a text cannot be told
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        box.check(load_mesh(path, "mm"), GREY)
    more = "states 12 triangles, which are read, but has bytes for 13"
    assert [more in str(warning.message) for warning in said] == [True] * (len(behind) >= 50)
    path.write_bytes(stl(box)[:-60])
    with pytest.raises(InputError, match="is cut off: it has 10 of the 12 triangles"):
        load_mesh(path, "mm")


@pytest.mark.parametrize("count", [0, 2**32 - 1])
def test_binary_stl_whose_writer_did_not_know_the_count(box, tmp_path, count):
    path = tmp_path / "a.stl"
    path.write_bytes(stl(box)[:80] + struct.pack("<I", count) + stl(box)[84:])
    box.check(load_mesh(path, "mm"), GREY)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match="found none" if count == 0 else "is cut off: it has 11 of the 4,294,967,295"):
        load_mesh(path, "mm")


def painted_stl(box, header, numbers):
    """numbers: (6,) of the box's faces."""
    data = bytearray(stl(box, header))
    for place in range(12):
        struct.pack_into("<H", data, 84 + 50 * place + 48, int(numbers[place % 6]))
    return bytes(data)


def test_colours_of_binary_stl(box, tmp_path):
    """Five bits each. Magics: red lowest, bit 15: the colour of the whole. VisCAM: blue lowest, bit 15: its own."""
    path = tmp_path / "a.stl"
    red, green, blue = np.round(box.colors.T * 31 / 255).astype(int)
    expected = np.round(np.stack([red, green, blue], 1) * 255 / 31)
    magics = b"COLOR=" + bytes((204, 51, 102, 255)) + b",MATERIAL="
    path.write_bytes(painted_stl(box, magics, red | green << 5 | blue << 10))
    box.check(load_mesh(path, "mm"), expected)
    path.write_bytes(painted_stl(box, magics, np.full(6, 0x8000)))
    box.check(load_mesh(path, "mm"), [(204, 51, 102)] * 6)
    own = 0x8000 | blue | green << 5 | red << 10
    path.write_bytes(painted_stl(box, b"", own))
    box.check(load_mesh(path, "mm"), expected)
    path.write_bytes(painted_stl(box, b"", [0, *own[1:]]))
    box.check(load_mesh(path, "mm"), [(160, 160, 160), *expected[1:]])
    box.check(load_mesh(path, "mm", "#0a63c7"), [(10, 99, 199)] * 6)
    path.write_bytes(painted_stl(box, b"", range(6)))  # numbers of another meaning
    box.check(load_mesh(path, "mm"), GREY)


def text_stl(box, solids=1):
    each = 12 // solids
    text = ""
    for part in range(solids):
        text += f"solid part {part}\n"
        for triangle in box.triangles[part * each : (part + 1) * each]:
            lines = "".join("    vertex {:e} {:e} {:e}\n".format(*v) for v in box.vertices[triangle])
            text += f"  facet normal 0 0 0\n   outer loop\n{lines}   endloop\n  endfacet\n"
        text += f"endsolid part {part}\n"
    return text


def test_text_stl(box, tmp_path):
    path = tmp_path / "a.stl"
    for text in (text_stl(box), text_stl(box, 3), text_stl(box).upper(), text_stl(box).replace("\n", "\r\n"),
                 text_stl(box).replace("\n", "\r")):  # fmt: skip
        path.write_text(text, newline="")
        box.check(load_mesh(path, "mm"), GREY)
    path.write_text(text_stl(box)[:-300])
    with pytest.raises(InputError, match="cut off"):
        load_mesh(path, "mm")


def test_off(box, tmp_path):
    path = tmp_path / "a.off"
    vertices = "\n".join("{:g} {:g} {:g}".format(*v) for v in box.vertices)
    faces = ["4 " + " ".join(map(str, quad)) for quad in box.quads]
    path.write_text(f"OFF\n# a comment\n8 6 0\n{vertices}\n" + "\n".join(faces) + "\n")
    box.check(load_mesh(path, "mm"), GREY)
    painted = [f"{face} {r} {g} {b}" for face, (r, g, b) in zip(faces, box.colors, strict=True)]
    path.write_text(f"OFF 8 6 0\n{vertices}\n" + "\n".join(painted))
    box.check(load_mesh(path, "mm"))
    own = "\n".join("{:g} {:g} {:g} 204 51 102 255".format(*v) for v in box.vertices)
    path.write_text(f"COFF\n8 6 0\n{own}\n" + "\n".join(faces))
    box.check(load_mesh(path, "mm"), [(204, 51, 102)] * 6)
    path.write_text("OFF\n6 1 0\n" + "\n".join(f"{x} {y} 0" for x, y in (
        (0, 0), (60, 0), (60, 20), (20, 20), (20, 60), (0, 60))) + "\n6 0 1 2 3 4 5\n")  # fmt: skip
    mesh = load_mesh(path, "mm")
    corners = mesh.vertices[mesh.faces].astype(float)
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum() / 2
    assert area == pytest.approx(2000e-6, rel=1e-5)
    for text in (
        "OFF\n8 6 0\n0 0 0\n",
        "PLY",
        "OFF\n1 1 0\n0 0 0\n9 0 0 0\n",
        "",
        "OFF\n3 1 0\n1 1 1\n1 1\n1 1 1\n3 0 1 2",
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=r"a.off: "):
            load_mesh(path, "mm")


@pytest.mark.parametrize(("unit", "metres"), [("m", 1), ("mm", 0.001), ("cm", 0.01), ("in", 0.0254)])
def test_units(box, tmp_path, unit, metres):
    (tmp_path / "a.stl").write_bytes(stl(box, scale=0.001 / metres))
    box.check(load_mesh(tmp_path / "a.stl", unit), GREY)


def test_a_wrong_unit_is_answered_with_those_that_fit(box, tmp_path):
    (tmp_path / "a.stl").write_bytes(stl(box))
    with pytest.raises(InputError, match=r"in 'mm' it would be 0.08 m long, in 'cm' it would be 0.8 m.*in 'in' it wo"):
        load_mesh(tmp_path / "a.stl", "m")
    with pytest.warns(UserWarning, match=r"taken for mm, which makes it 0.08 m long; --unit m, mm, cm, in states it"):
        load_mesh(tmp_path / "a.stl")


@pytest.mark.parametrize("turn", [np.eye(3), [[0.36, 0.48, -0.8], [-0.8, 0.6, 0], [0.48, 0.64, 0.6]]])
def test_a_sheet_without_thickness_is_one_line(tmp_path, turn):
    corners = np.array([(-60, -40, 0), (60, -40, 0), (60, 40, 0), (-60, 40, 0)]) @ np.array(turn).T
    lines = ["v {:.6f} {:.6f} {:.6f}".format(*v) for v in corners] + ["f 1 2 3 4"]
    (tmp_path / "card.obj").write_text("\n".join(lines))
    mesh = load_mesh(tmp_path / "card.obj", "mm")
    for use in (lambda: object_model(mesh, "card", 1), lambda: find_symmetries(mesh)):
        with pytest.raises(InputError, match=r"is flat: 120 x 80 mm without a thickness.*Solidify"):
            use()
    sheet = np.concatenate([corners, corners + np.array(turn)[:, 2] * 0.2])  # paper of 0.2 mm
    lines = ["v {:.6f} {:.6f} {:.6f}".format(*v) for v in sheet]
    lines += ["f 4 3 2 1", "f 5 6 7 8", *(f"f {i + 1} {(i + 1) % 4 + 1} {(i + 1) % 4 + 5} {i + 5}" for i in range(4))]
    (tmp_path / "card.obj").write_text("\n".join(lines))
    thick = load_mesh(tmp_path / "card.obj", "mm")
    assert object_model(thick, "card", 1).diameter == pytest.approx(np.hypot(0.12, 0.08), rel=1e-4)
    find_symmetries(thick)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("a.step", "FreeCAD"), ("a.fbx", "Blender"), ("a.mtl", "give the OBJ"), ("a.xyz", "Blender"), ("a.zip", "unpack"),
     ("a.obj.gz", "unpack")],
)  # fmt: skip
def test_other_formats_name_the_remedy(tmp_path, name, remedy):
    (tmp_path / name).write_text("x")
    with pytest.raises(InputError, match=rf"expected a file that ends in .obj, .ply.*\.dae; .*{remedy}"):
        load_mesh(tmp_path / name)


def test_the_content_tells_the_format(box, tmp_path):
    (tmp_path / "box.obj").write_bytes(box.glb())
    box.check(load_mesh(tmp_path / "box.obj"))


def test_other_words_between_numbers_are_named(tmp_path):
    (tmp_path / "a.obj").write_text("v 0,5 1 2\nv 0 1 0\nv 1 0 0\nf 1 2 3\n")
    with pytest.raises(InputError, match="expected numbers, found '0,5'"):
        load_mesh(tmp_path / "a.obj")
