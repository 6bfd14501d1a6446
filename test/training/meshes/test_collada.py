"""COLLADA as robots' URDF files name it: colours of every face, metres, or one line."""

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
    """A function that writes the box with some texts replaced, and loads it."""
    box.write_picture(tmp_path)

    def load(*changes, asset="<up_axis>Z_UP</up_axis>", scale=0.001, **options):
        text = box.dae(box.vertices * scale, asset)
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "box.dae").write_text(text)
        return load_mesh(tmp_path / "box.dae", **options)

    return load


def polygons(box, kind):
    """The polylist of the template as one of `kind`."""
    order = (0, 1, 3, 2) if kind == "tristrips" else (0, 1, 2, 3)
    rows = [" ".join(f"{quad[k]} {4 * i + k}" for k in order) for i, quad in enumerate(box.quads)]
    inputs = '<input semantic="VERTEX" source="#vtx" offset="0"/><input semantic="TEXCOORD" source="#uv" offset="1"/>'
    return f'<{kind} material="m" count="6">{inputs}' + "".join(f"<p>{row}</p>" for row in rows) + f"</{kind}>"


@pytest.mark.parametrize("kind", ["tristrips", "trifans", "polygons"])
def test_other_kinds_of_polygons(box, tmp_path, kind):
    box.write_picture(tmp_path)
    text = box.dae(box.vertices / 1000, "<up_axis>Z_UP</up_axis>")
    start, end = text.index("<polylist"), text.index("</polylist>") + len("</polylist>")
    (tmp_path / "box.dae").write_text(text[:start] + polygons(box, kind) + text[end:])
    box.check(load_mesh(tmp_path / "box.dae"))
    if kind == "polygons":
        holed = polygons(box, kind).replace("<p>", "<ph><p>", 1).replace("</p>", "</p><h>0 0 1 1 2 2</h></ph>", 1)
        (tmp_path / "box.dae").write_text(text[:start] + holed + text[end:])
        with pytest.raises(InputError, match=r"has polygons with holes \(ph\).*export triangles"):
            load_mesh(tmp_path / "box.dae")


def test_nodes_that_are_used_again(box, load):
    library = ("<library_visual_scenes>", "<library_nodes>{}</library_nodes><library_visual_scenes>")
    text = box.dae(box.vertices / 1000, "")
    node = text[text.index("<node>") : text.index("</node>") + len("</node>")]
    used = '<node><scale>2 2 2</scale><instance_node url="#lib"/></node>'
    library = (library[0], library[1].format(node.replace("<node>", '<node id="lib">')))
    box.check(load((node, used), library), size=(0.16, 0.12, 0.08))


def test_units_without_a_length_and_units_of_parts(box, load):
    box.check(load(asset='<unit name="centimeter"/><up_axis>Z_UP</up_axis>', scale=0.1))
    box.check(load(asset='<unit name="millimeters"/><up_axis>Z_UP</up_axis>', scale=1.0))
    with pytest.raises(InputError, match="expected a unit of so many metres, got 'cubit'"):
        load(asset='<unit name="cubit"/><up_axis>Z_UP</up_axis>')
    for own in ('<unit meter="0.01"/>', "<up_axis>Y_UP</up_axis>"):
        with pytest.raises(InputError, match="parts have units or up axes of their own: export it with one for all"):
            load(('<geometry id="geo">', f'<geometry id="geo"><asset>{own}</asset>'))
    box.check(load(('<geometry id="geo">', '<geometry id="geo"><asset><unit meter="1"/></asset>')))


SKIN = """<library_controllers><controller id="skin"><skin source="#geo">
<source id="j"><Name_array id="ja" count="1">bone</Name_array><technique_common>
<accessor source="#ja" count="1" stride="1"><param name="JOINT" type="name"/></accessor></technique_common></source>
<source id="b"><float_array id="ba" count="16">1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1</float_array><technique_common>
<accessor source="#ba" count="1" stride="16"><param type="float4x4"/></accessor></technique_common></source>
<source id="w"><float_array id="wa" count="1">1</float_array><technique_common>
<accessor source="#wa" count="1" stride="1"><param name="WEIGHT" type="float"/></accessor></technique_common></source>
<joints><input semantic="JOINT" source="#j"/><input semantic="INV_BIND_MATRIX" source="#b"/></joints>
<vertex_weights count="8"><input semantic="JOINT" source="#j" offset="0"/>
<input semantic="WEIGHT" source="#w" offset="1"/>
<vcount>1 1 1 1 1 1 1 1</vcount><v>0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0</v></vertex_weights>
</skin></controller></library_controllers><library_visual_scenes>"""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            [("<library_visual_scenes>", SKIN), ('<visual_scene id="s">', '<visual_scene id="s"><node>'
              '<instance_controller url="#skin"/></node>')],
            r"has a skeleton or a morph that moves its vertices \(instance_controller\).*apply it",
        ),
        ([("<node>", "<node><skew>45 1 0 0 0 1 0</skew>")], r"a node with a skew \(skew\).*apply its transformation"),
        ([("<mesh>", "<convex_mesh>"), ("</mesh>", "</convex_mesh>")], "Geometry #geo.*COLLADA 1.4.1, or as GLB"),
        ([('url="#geo"', 'url="other.dae#geo"')], "Invalid url.*COLLADA 1.4.1, or as GLB"),
        ([('<scene><instance_visual_scene url="#s"/></scene>', "")], "expected a scene that shows its geometries"),
    ],
)  # fmt: skip
def test_what_would_be_passed_over_is_refused(load, changes, message):
    for color in (None, "#102030"):
        with pytest.raises(InputError, match=message) as caught:
            load(*changes, color=color)
        assert "\n" not in str(caught.value)


def test_a_material_that_is_bound_to_nothing_is_said(box, load):
    with pytest.warns(
        UserWarning, match="to have the material 'm', which is bound to none of the file's; they are grey"
    ):
        box.check(load(('symbol="m"', 'symbol="other"')), [(160, 160, 160)] * 6)


def test_pictures_that_are_mirrored_beyond_their_edges(box, load):
    """Coordinates of the opposite sign see the mirrored picture."""
    places = " ".join(f"{x:.6f}" for x in box.uv.ravel())
    mirrored = " ".join(f"{-u:.6f} {v:.6f}" for u, v in box.uv.reshape(-1, 2))
    source = ("<source>sf</source>", "<source>sf</source><wrap_s>MIRROR</wrap_s>")
    box.check(load((places, mirrored), source))
    box.check(load((places, mirrored), (source[0], source[1].replace("MIRROR", "CLAMP"))),
              box.colors[[0, 0, 0, 3, 3, 3]])  # fmt: skip


def test_pictures_of_collada_1_5(box, load):
    box.check(load(("2005/11", "2008/03"), ("1.4.1", "1.5.0"), (">tex.png<", "><ref>tex.png</ref><")))
