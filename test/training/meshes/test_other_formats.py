"""STL, OFF and COLLADA, units, sheets, and what is said of a mesh."""

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
    box.check(load_mesh(path, "mm"), GREY)
    path.write_bytes(stl(box)[:-60])
    with pytest.raises(InputError, match="is cut off: it has 10 of the 12 triangles"):
        load_mesh(path, "mm")


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
    for text in (text_stl(box), text_stl(box, 3), text_stl(box).upper(), text_stl(box).replace("\n", "\r\n")):
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


DAE = """<?xml version="1.0" encoding="utf-8"?>
<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1">
 <asset>{asset}</asset>
 <library_images><image id="img"><init_from>{picture}</init_from></image></library_images>
 <library_effects><effect id="fx"><profile_COMMON>
  <newparam sid="sf"><surface type="2D"><init_from>img</init_from></surface></newparam>
  <newparam sid="sp"><sampler2D><source>sf</source></sampler2D></newparam>
  <technique sid="common"><lambert><diffuse>{diffuse}</diffuse></lambert></technique>
 </profile_COMMON></effect></library_effects>
 <library_materials><material id="mat" name="skin"><instance_effect url="#fx"/></material></library_materials>
 <library_geometries><geometry id="geo"><mesh>
  <source id="pos"><float_array id="pa" count="24">{positions}</float_array><technique_common>
   <accessor source="#pa" count="8" stride="3"><param name="X" type="float"/><param name="Y" type="float"/>
   <param name="Z" type="float"/></accessor></technique_common></source>
  <source id="uv"><float_array id="ua" count="48">{uv}</float_array><technique_common>
   <accessor source="#ua" count="24" stride="2"><param name="S" type="float"/><param name="T" type="float"/>
   </accessor></technique_common></source>
  <vertices id="vtx"><input semantic="POSITION" source="#pos"/></vertices>
  <polylist material="m" count="6"><input semantic="VERTEX" source="#vtx" offset="0"/>
   {coordinates}<vcount>4 4 4 4 4 4</vcount><p>{indices}</p></polylist>
 </mesh></geometry></library_geometries>
 <library_visual_scenes><visual_scene id="s"><node>{place}<instance_geometry url="#geo">
  <bind_material><technique_common>
  <instance_material symbol="m" target="#mat"><bind_vertex_input semantic="UVMap" input_semantic="TEXCOORD"
   input_set="0"/></instance_material></technique_common></bind_material></instance_geometry></node>
 </visual_scene></library_visual_scenes>
 <scene><instance_visual_scene url="#s"/></scene>
</COLLADA>
"""


def dae(box, vertices, asset, picture="tex.png", diffuse='<texture texture="sp" texcoord="UVMap"/>', place="", uv=True):
    indices = [f"{v} {4 * i + k}" if uv else f"{v}" for i, quad in enumerate(box.quads) for k, v in enumerate(quad)]
    return DAE.format(
        asset=asset, picture=picture, diffuse=diffuse, place=place, indices=" ".join(indices),
        positions=" ".join(f"{x:g}" for x in vertices.ravel()), uv=" ".join(f"{x:.6f}" for x in box.uv.ravel()),
        coordinates='<input semantic="TEXCOORD" source="#uv" offset="1" set="0"/>' if uv else "",
    )  # fmt: skip


#: Where the file's axes x, y and z of each kind point in a frame with z up.
AXES = {
    "Z_UP": [(1, 0, 0), (0, 1, 0), (0, 0, 1)],
    "Y_UP": [(1, 0, 0), (0, 0, 1), (0, -1, 0)],
    "X_UP": [(0, 0, 1), (-1, 0, 0), (0, -1, 0)],
}


@pytest.mark.parametrize("up", AXES)
@pytest.mark.parametrize(("name", "metres"), [("meter", 1.0), ("centimeter", 0.01), ("inch", 0.0254)])
def test_collada_with_its_unit_and_up_axis(box, tmp_path, up, name, metres):
    box.write_picture(tmp_path)
    asset = f'<unit name="{name}" meter="{metres}"/><up_axis>{up}</up_axis>'
    vertices = box.vertices / 1000 / metres @ np.array(AXES[up], float).T
    path = tmp_path / "box.dae"
    path.write_text(dae(box, vertices, asset))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # its unit is known
        mesh = load_mesh(path)
    box.check(mesh)
    assert "picture tex.png, 48x32 (material 'skin') on 100 %" in mesh.taken
    if metres < 0.1:  # a unit that is given holds
        box.check(load_mesh(path, "cm"), size=np.array((0.08, 0.06, 0.04)) / metres * 0.01)
    half = "<matrix>0.5 0 0 0.1 0 0.5 0 0 0 0 0.5 0 0 0 0 1</matrix>"
    path.write_text(dae(box, vertices, asset, place=half))
    box.check(load_mesh(path), size=(0.04, 0.03, 0.02))


def test_collada_with_plain_colours_and_without_pictures(box, tmp_path):
    asset, path = "<up_axis>Z_UP</up_axis>", tmp_path / "box.dae"
    path.write_text(dae(box, box.vertices / 1000, asset, diffuse="<color>0.8 0.2 0.4 1</color>"))
    box.check(load_mesh(path), [(204, 51, 102)] * 6)
    path.write_text(dae(box, box.vertices / 1000, asset))
    with pytest.raises(InputError, match=r"its texture .*tex.png is not there .*'skin'.*put the picture beside"):
        load_mesh(path)
    box.write_picture(tmp_path)
    path.write_text(dae(box, box.vertices / 1000, asset, picture="file:///home/me/my%20robot/tex.png"))
    box.check(load_mesh(path))
    path.write_text(dae(box, box.vertices / 1000, asset, uv=False))
    with pytest.raises(InputError, match=r"names the picture tex.png, but its triangles have no texture coordinates"):
        load_mesh(path)
    for text in ("<COLLADA/>", "no XML", '<!DOCTYPE x [<!ENTITY a "b">]><COLLADA/>', ""):
        path.write_text(text)
        with pytest.raises(InputError, match=r"box.dae: ") as caught:
            load_mesh(path)
        assert "\n" not in str(caught.value)


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


@pytest.mark.parametrize(("name", "remedy"), [("a.step", "FreeCAD"), ("a.fbx", "Blender"), ("a.mtl", "give the OBJ"),
                                              ("a.xyz", "Blender")])  # fmt: skip
def test_other_formats_name_the_remedy(tmp_path, name, remedy):
    (tmp_path / name).write_text("x")
    with pytest.raises(InputError, match=rf"expected a file that ends in .obj, .ply.*\.dae; .*{remedy}"):
        load_mesh(tmp_path / name)
