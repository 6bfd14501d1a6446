"""Whole mesh files to break: of every format, with materials, pictures and colours."""

import base64
import io
import json
import struct

import numpy as np
import trimesh
from fuzz_mutations import mutate
from PIL import Image

from pose_regressor.types import InputError
from pose_regressor_training.meshes.mesh import load_mesh

OBJ = """mtllib broken.mtl
v 0 0 0
v 1 0 0
v 0 1 0
v 0 0 1
v 1 1 1
vt 0.1 0.2
vt 0.9 0.5
vt 0.5 0.9
vn 0 0 1
usemtl skin
f 1/1/1 2/2/1 3/3/1
f -5/1 -4/2 -2/3
usemtl plain
f 2 5 3 4
f 1//1 3//1 4//1
"""
MTL = """# a comment
newmtl skin
Kd 1 0.5 0.2
map_Kd -s 1 1 1 -clamp on skin.png
newmtl plain
Kd 0 0 0
Ke 0.2 0.3 0.4
d 0.9
"""
PLY = """ply
format ascii 1.0
comment TextureFile skin.png
element vertex 4
property float x
property float y
property float z
property uchar red
property uchar green
property uchar blue
element face 4
property list uchar int vertex_indices
property list uchar float texcoord
property int texnumber
property int material_index
element material 1
property uchar diffuse_red
property uchar diffuse_green
property uchar diffuse_blue
end_header
0 0 0 255 0 0
1 0 0 0 255 0
0 1 0 0 0 255
0 0 1 9 9 9
3 0 1 2 6 0 0 1 0 1 1 0 0
3 0 1 3 6 0 0 1 0 1 1 0 0
3 1 2 3 0 0 0
3 0 2 3 6 0 0 1 0 1 1 0 -1
7 8 9
"""
DAE = """<?xml version="1.0"?>
<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1">
<asset><unit meter="0.1"/><up_axis>Y_UP</up_axis></asset>
<library_images><image id="i"><init_from>skin.png</init_from></image></library_images>
<library_effects><effect id="e"><profile_COMMON>
<newparam sid="f"><surface type="2D"><init_from>i</init_from></surface></newparam>
<newparam sid="s"><sampler2D><source>f</source><wrap_s>CLAMP</wrap_s></sampler2D></newparam>
<technique sid="c"><lambert><diffuse><texture texture="s" texcoord="UV"/></diffuse></lambert></technique>
</profile_COMMON></effect></library_effects>
<library_materials><material id="m"><instance_effect url="#e"/></material></library_materials>
<library_geometries><geometry id="g"><mesh>
<source id="p"><float_array id="pa" count="12">0 0 0 1 0 0 0 1 0 0 0 1</float_array><technique_common>
<accessor source="#pa" count="4" stride="3"><param name="X"/><param name="Y"/><param name="Z"/></accessor>
</technique_common></source>
<source id="u"><float_array id="ua" count="6">0 0 1 0 0 1</float_array><technique_common>
<accessor source="#ua" count="3" stride="2"><param name="S"/><param name="T"/></accessor></technique_common></source>
<vertices id="v"><input semantic="POSITION" source="#p"/></vertices>
<triangles material="x" count="2"><input semantic="VERTEX" source="#v" offset="0"/>
<input semantic="TEXCOORD" source="#u" offset="1" set="0"/><p>0 0 1 1 2 2 0 0 1 1 3 2</p></triangles>
<polylist material="x" count="1"><input semantic="VERTEX" source="#v" offset="0"/>
<input semantic="TEXCOORD" source="#u" offset="1" set="0"/><vcount>4</vcount><p>0 0 2 1 3 2 1 1</p></polylist>
<tristrips material="x" count="1"><input semantic="VERTEX" source="#v" offset="0"/>
<input semantic="TEXCOORD" source="#u" offset="1" set="0"/><p>0 0 1 1 2 2 3 0</p></tristrips>
</mesh></geometry></library_geometries>
<library_visual_scenes><visual_scene id="w"><node><translate>1 2 3</translate><instance_geometry url="#g">
<bind_material><technique_common><instance_material symbol="x" target="#m"/></technique_common></bind_material>
</instance_geometry>
</node></visual_scene></library_visual_scenes><scene><instance_visual_scene url="#w"/></scene></COLLADA>
"""


def binary_ply():
    """Triangles and quads mixed, colours of vertices."""
    header = "ply\nformat binary_little_endian 1.0\nelement vertex 4\n"
    header += "".join(f"property float {axis}\n" for axis in "xyz") + "property uchar red\nproperty uchar green\n"
    header += "property uchar blue\nelement face 3\nproperty list uchar int vertex_indices\nend_header\n"
    rows = b"".join(struct.pack("<3f3B", *v, 9, 99, 199) for v in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)))
    faces = struct.pack("<B3i", 3, 0, 1, 2) + struct.pack("<B4i", 4, 0, 1, 2, 3) + struct.pack("<B3i", 3, 0, 1, 3)
    return header.encode() + rows + faces


def glb(picture):
    """A textured tetrahedron with whole texture coordinates, a texture transform, colours of vertices, a skeleton."""
    parts = [
        np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)], "<f4").tobytes(),
        np.array([(0, 0), (65535, 0), (0, 65535), (30000, 30000)], "<u2").tobytes(),
        np.array([(0.5, 0.5, 1)] * 4, "<f4").tobytes(),
        np.array([0, 1, 2, 0, 1, 3, 1, 2, 3, 0, 2, 3], "<u2").tobytes(),
        np.array([(0, 1, 0, 0)] * 4, "<u1").tobytes(),
        np.array([(0.5, 0.5, 0, 0)] * 4, "<f4").tobytes(),
        np.stack([np.eye(4)] * 2).astype("<f4").tobytes(),
        picture + bytes(-len(picture) % 4),
    ]
    views, place = [], 0
    for part in parts:
        views.append({"buffer": 0, "byteOffset": place, "byteLength": len(part)})
        place += len(part)
    kinds = ((5126, 4, "VEC3"), (5123, 4, "VEC2"), (5126, 4, "VEC3"), (5123, 12, "SCALAR"), (5121, 4, "VEC4"),
             (5126, 4, "VEC4"), (5126, 2, "MAT4"))  # fmt: skip
    accessors = [{"bufferView": i, "componentType": c, "count": n, "type": t, "normalized": i == 1}
                 for i, (c, n, t) in enumerate(kinds)]  # fmt: skip
    texture = {"index": 0, "extensions": {"KHR_texture_transform": {"scale": [0.5, 2], "rotation": 0.1}}}
    attributes = {"POSITION": 0, "TEXCOORD_0": 1, "COLOR_0": 2, "JOINTS_0": 4, "WEIGHTS_0": 5}
    primitive = {"attributes": attributes, "indices": 3, "material": 0, "mode": 4, "targets": [{"POSITION": 2}]}
    tiny = f"data:application/octet-stream;base64,{base64.b64encode(b'unused').decode()}"
    content = {
        "asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": [0]}],
        "nodes": [{"children": [1], "rotation": [0, 0, 0, 1]}, {"mesh": 0, "scale": [1, 2, 1], "skin": 0}],
        "meshes": [{"primitives": [primitive], "weights": [0.5]}],
        "skins": [{"joints": [0, 1], "inverseBindMatrices": 6}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": texture, "baseColorFactor": [1, 0.5, 1, 1]}}],
        "textures": [{"source": 0, "sampler": 0}], "images": [{"bufferView": 7, "mimeType": "image/png"}],
        "samplers": [{"wrapS": 33071, "wrapT": 33648}],
        "accessors": accessors, "bufferViews": views, "extensionsUsed": ["KHR_texture_transform"],
        "buffers": [{"byteLength": place}, {"byteLength": 6, "uri": tiny}],
    }  # fmt: skip
    return glb_of(json.dumps(content).encode(), b"".join(parts))


def glb_of(text, data):
    text += b" " * (-len(text) % 4)
    head = struct.pack("<4sIII4s", b"glTF", 2, 28 + len(text) + len(data), len(text), b"JSON")
    return head + text + struct.pack("<I4s", len(data), b"BIN\0") + data


def mutate_glb(rng, data):
    """The bytes, or the JSON, with the lengths around it put right."""
    if rng.random() < 0.3:
        return mutate(rng, data)
    length = int.from_bytes(data[12:16], "little")
    return glb_of(mutate(rng, data[20 : 20 + length]), data[28 + length :])


def cut_off(rng, data):
    """The picture without its end, or with zeros in its place, as an interrupted download leaves it.

    A PNG is whole without its last bytes: they are checksums and an empty chunk.
    """
    length = rng.randrange(len(data) - (40 if data.startswith(b"\x89PNG") else 0))
    return data[:length] + bytes(len(data) - length) * rng.randrange(2)


def encoded(kind):
    """The bytes of a picture of noise."""
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (24, 24, 3), np.uint8)
    Image.fromarray(noise).save(buffer, kind, **({"quality": 95} if kind == "JPEG" else {}))
    return buffer.getvalue()


def all_pictured(folder, suffix):
    """Reads a picture beside and within meshes of all kinds. None of them may take it."""
    name = f"broken{suffix}"
    (folder / f"pictured{suffix}.mtl").write_text(MTL.replace("skin.png", name))
    (folder / f"pictured{suffix}.obj").write_text(OBJ.replace("broken.mtl", f"pictured{suffix}.mtl"))
    (folder / f"pictured{suffix}.ply").write_text(PLY.replace("skin.png", name))
    (folder / f"pictured{suffix}.dae").write_text(DAE.replace("skin.png", name))

    def load(path):
        (folder / f"pictured{suffix}.glb").write_bytes(glb(path.read_bytes()))
        reasons = [refusal(folder / f"pictured{suffix}{kind}") for kind in (".obj", ".ply", ".dae", ".glb")]
        raise InputError(str(reasons[0]))

    return load


def refusal(path):
    try:
        load_mesh(path)
    except InputError as error:
        assert "\n" not in str(error), str(error)
        return error
    raise AssertionError(f"a picture that is cut off was taken from a mesh in {path.suffix}")


def mesh_kinds(folder):
    """Ending, whole bytes, reader and mutation of each kind of mesh file. What they name is written to the folder."""
    picture = encoded("PNG")
    (folder / "skin.png").write_bytes(picture)
    (folder / "whole.mtl").write_text(MTL)
    (folder / "named.obj").write_text(OBJ)

    def load_named(_):
        load_mesh(folder / "named.obj")

    cube = trimesh.creation.box((0.1, 0.2, 0.3))
    return {
        "mesh obj": (".obj", OBJ.replace("broken.mtl", "whole.mtl").encode(), load_mesh, mutate),
        "mesh mtl": (".mtl", MTL.encode(), load_named, mutate),
        "mesh png": (".png", picture, all_pictured(folder, ".png"), cut_off),
        "mesh jpeg": (".jpg", encoded("JPEG"), all_pictured(folder, ".jpg"), cut_off),
        "mesh ply": (".ply", PLY.encode(), load_mesh, mutate),
        "mesh ply binary": (".ply", binary_ply(), load_mesh, mutate),
        "mesh stl": (".stl", painted(cube.export(file_type="stl")), load_mesh, mutate),
        "mesh stl text": (".stl", cube.export(file_type="stl_ascii").encode(), load_mesh, mutate),
        "mesh glb": (".glb", glb(picture), load_mesh, mutate_glb),
        "mesh off": (".off", cube.export(file_type="off").encode(), load_mesh, mutate),
        "mesh dae": (".dae", DAE.encode(), load_mesh, mutate),
    }


def painted(data):
    """A binary STL with a colour in each facet."""
    out = bytearray(data)
    out[:12] = b"COLOR=\xff\x80\x40\xffxx"
    for place in range(84 + 48, len(out), 50):
        struct.pack_into("<H", out, place, place * 37 % 0x10000)
    return bytes(out)
