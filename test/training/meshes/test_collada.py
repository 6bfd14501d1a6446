"""COLLADA files: colours of every face, the unit, the up axis, every kind of face, or one line."""

import re
import warnings

import numpy as np
import pytest

from pose_regressor.types import InputError
from pose_regressor_training.meshes.mesh import load_mesh

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
    path.write_text(box.dae(vertices, asset))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # its unit is known
        mesh = load_mesh(path)
    box.check(mesh)
    assert "picture tex.png, 48x32 (material 'skin') on 100 %" in mesh.taken
    if metres < 0.1:  # a unit that is given holds
        box.check(load_mesh(path, "cm"), size=np.array((0.08, 0.06, 0.04)) / metres * 0.01)
    half = "<matrix>0.5 0 0 0.1 0 0.5 0 0 0 0 0.5 0 0 0 0 1</matrix>"
    path.write_text(box.dae(vertices, asset, place=half))
    box.check(load_mesh(path), size=(0.04, 0.03, 0.02))


def test_collada_with_plain_colours_and_without_pictures(box, tmp_path):
    asset, path = "<up_axis>Z_UP</up_axis>", tmp_path / "box.dae"
    path.write_text(box.dae(box.vertices / 1000, asset, diffuse="<color>0.8 0.2 0.4 1</color>"))
    box.check(load_mesh(path), [(204, 51, 102)] * 6)
    path.write_text(box.dae(box.vertices / 1000, asset))
    with pytest.raises(InputError, match=r"its texture .*tex.png is not there .*'skin'.*put the picture beside"):
        load_mesh(path)
    box.write_picture(tmp_path)
    path.write_text(box.dae(box.vertices / 1000, asset, picture="file:///home/me/my%20robot/tex.png"))
    box.check(load_mesh(path))
    path.write_text(box.dae(box.vertices / 1000, asset, uv=False))
    with pytest.raises(InputError, match=r"names the picture tex.png, but its triangles have no texture coordinates"):
        load_mesh(path)
    for text in ("<COLLADA/>", "no XML", '<!DOCTYPE x [<!ENTITY a "b">]><COLLADA/>', ""):
        path.write_text(text)
        with pytest.raises(InputError, match=r"box.dae: ") as caught:
            load_mesh(path)
        assert "\n" not in str(caught.value)


@pytest.fixture
def load(box, tmp_path):
    """A function that changes the box's text by (old, new) pairs, writes it and loads it."""
    box.write_picture(tmp_path)
    whole = box.dae(box.vertices / 1000, "<up_axis>Z_UP</up_axis>")

    def load(*changes, color=None):
        text = whole
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "box.dae").write_text(text)
        return load_mesh(tmp_path / "box.dae", color=color)

    return load


INPUTS = """<input semantic="VERTEX" source="#vtx" offset="0"/>
<input semantic="TEXCOORD" source="#uv" offset="1" set="0"/>"""


def polylist(box):
    """The text of the box's faces."""
    return re.search("<polylist.*</polylist>", box.dae(box.vertices, ""), re.DOTALL)[0]


def faces(box, tag, order, own=range(6), lists="<p>{}</p>"):
    """Elements of that tag: the corners of each face in this order, in a list of its own."""
    corners = [" ".join(f"{box.quads[i][k]} {4 * i + k}" for k in order) for i in own]
    return f'<{tag} material="m" count="{len(own)}">{INPUTS}{"".join(map(lists.format, corners))}</{tag}>'


@pytest.mark.parametrize(
    ("tag", "order"), [("tristrips", (0, 1, 3, 2)), ("trifans", (0, 1, 2, 3)), ("triangles", (0, 1, 2, 0, 2, 3)),
                       ("polygons", (0, 1, 2, 3))],
)  # fmt: skip
def test_kinds_of_faces(box, load, tag, order):
    old, text = polylist(box), faces(box, tag, order)
    if tag == "triangles":
        text = text.replace("</p><p>", " ")
    box.check(load((old, text)))
    lines = f'<linestrips material="m" count="1">{INPUTS}<p>0 0 1 1 2 2</p></linestrips>'
    box.check(load((old, text + lines + lines.replace("linestrips", "lines").replace(" 2 2", ""))))


def test_polygons_with_holes_are_refused(box, load):
    text = faces(box, "polygons", range(4), range(5)) + faces(
        box, "polygons", range(4), [5], "<ph><p>{}</p><h>0 0 1 1 2 2</h></ph>"
    )
    for color in (None, "#102030"):
        with pytest.raises(InputError, match=r"has polygons with holes .*export it as triangles"):
            load((polylist(box), text), color=color)


#: Of the box in the scene, and of its material.
BOUND = """
  <bind_material><technique_common>
  <instance_material symbol="m" target="#mat"><bind_vertex_input semantic="UVMap" input_semantic="TEXCOORD"
   input_set="0"/></instance_material></technique_common></bind_material>"""
INSTANCE = f'<instance_geometry url="#geo">{BOUND}</instance_geometry>'


def test_instances_of_nodes(box, load):
    """A node of the library is placed by its own matrix and by that of the node that names it."""
    library = f'<library_nodes><node id="n"><scale>2 2 2</scale>{INSTANCE}</node></library_nodes>'
    changes = [(INSTANCE, '<scale>0.25 0.25 0.25</scale><instance_node url="#n"/>'),
               ("<library_visual_scenes>", library + "<library_visual_scenes>")]  # fmt: skip
    box.check(load(*changes), size=(0.04, 0.03, 0.02))


SKIN = """<library_controllers><controller id="c"><skin source="#geo">
<source id="j"><Name_array id="ja" count="1">bone</Name_array><technique_common>
 <accessor source="#ja" count="1" stride="1"><param name="JOINT" type="name"/></accessor></technique_common></source>
<source id="b"><float_array id="ba" count="16">1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1</float_array><technique_common>
 <accessor source="#ba" count="1" stride="16"><param type="float4x4"/></accessor></technique_common></source>
<source id="w"><float_array id="wa" count="1">1</float_array><technique_common>
 <accessor source="#wa" count="1" stride="1"><param name="WEIGHT" type="float"/></accessor></technique_common></source>
<joints><input semantic="JOINT" source="#j"/><input semantic="INV_BIND_MATRIX" source="#b"/></joints>
<vertex_weights count="8"><input semantic="JOINT" source="#j" offset="0"/>
 <input semantic="WEIGHT" source="#w" offset="1"/><vcount>1 1 1 1 1 1 1 1</vcount>
 <v>0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0</v></vertex_weights></skin></controller></library_controllers>"""


@pytest.mark.parametrize("beside", [False, True])
def test_skins_are_refused(load, beside):
    """Alone, or beside a mesh that can be read: then a part would be missing."""
    skinned = INSTANCE.replace("instance_geometry", "instance_controller").replace("#geo", "#c")
    changes = [(INSTANCE, INSTANCE * beside + skinned), ("<library_visual_scenes>", SKIN + "<library_visual_scenes>")]
    for color in (None, "#102030"):
        with pytest.raises(
            InputError, match=r"a skeleton or a morph shapes \(<instance_controller>\).*Convert to Mesh"
        ):
            load(*changes, color=color)


def test_a_geometry_that_is_not_there_is_missed_with_a_colour_too(box, load):
    gone = (INSTANCE, INSTANCE + INSTANCE.replace("#geo", "#gone"))
    for color in (None, "#102030"):
        with pytest.raises(InputError, match="Geometry #gone not found"):
            load(gone, color=color)
    box.check(load(('<material id="mat"', '<material id="other"'), color="#102030"), [(16, 32, 48)] * 6)


def test_a_material_that_no_face_has(box, load):
    with pytest.raises(
        InputError, match=r"its material 'skin' names a picture, but no face has that material.*--color"
    ):
        load((BOUND, ""))
    # Without a binding, the symbol may be the material's name.
    box.check(load((BOUND, ""), ('<polylist material="m"', '<polylist material="mat"')))


def test_the_shown_scene_and_collada_1_5(box, load):
    box.check(load(('<scene><instance_visual_scene url="#s"/></scene>', "")))
    with pytest.raises(InputError, match="expected a scene that is shown"):
        load(('<scene><instance_visual_scene url="#s"/></scene>', ""),
             ("<library_visual_scenes>", '<library_visual_scenes><visual_scene id="t"/>'))  # fmt: skip
    box.check(load(("2005/11", "2008/03"), ("1.4.1", "1.5.0"), (">tex.png<", "><ref>tex.png</ref><")))
