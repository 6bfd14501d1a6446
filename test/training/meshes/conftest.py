"""A box of 80 x 60 x 40 mm whose six faces have six colours, written in the ways in which people have it."""

import io
import json
import struct

import numpy as np
import pytest
from PIL import Image

COLORS = np.array([(220, 30, 30), (30, 180, 40), (40, 60, 220), (230, 210, 40), (200, 50, 200), (40, 200, 210)])
#: Outward directions of the faces; face i has COLORS[i].
OUTWARDS = np.array([(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)], float)
#: Corners on a patch of the picture, counter-clockwise, with a margin.
PATCH = np.array([(0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8)])

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


class PaintedBox:
    """vertices (8, 3) mm, quads (6, 4) counter-clockwise from outside, uv (6, 4, 2) on the picture, v upwards."""

    colors = COLORS

    def __init__(self):
        self.vertices = np.array([(x, y, z) for x in (-40, 40) for y in (-30, 30) for z in (-20, 20)], float)
        self.quads = np.array([self._quad(outwards) for outwards in OUTWARDS])
        places = [((i % 3 + PATCH[:, 0]) / 3, (1 - i // 3 + PATCH[:, 1]) / 2) for i in range(6)]
        self.uv = np.array([np.stack(place, 1) for place in places])

    def _quad(self, outwards):
        own = np.flatnonzero(self.vertices @ outwards == np.abs(self.vertices @ outwards).max())
        side = np.roll(outwards, 1)
        offset = self.vertices[own] - self.vertices[own].mean(0)
        angle = np.arctan2(offset @ np.cross(outwards, side), offset @ side)
        return own[np.argsort(angle)]

    @property
    def triangles(self):
        """(12, 3) vertices, the first halves of all quads first."""
        return np.concatenate([self.quads[:, [0, 1, 2]], self.quads[:, [0, 2, 3]]])

    @property
    def triangle_uv(self):
        return np.concatenate([self.uv[:, [0, 1, 2]], self.uv[:, [0, 2, 3]]])

    @staticmethod
    def picture(colors=COLORS):
        """Three patches above three."""
        return Image.fromarray(np.uint8(colors).reshape(2, 3, 3).repeat(16, 0).repeat(16, 1))

    def write_picture(self, folder, name="tex.png", **options):
        (folder / name).parent.mkdir(exist_ok=True)
        self.picture(**options).save(folder / name)

    def obj(self, mtllib="mtllib box.mtl", usemtl="usemtl skin", uv=True, vertex="{:g} {:g} {:g}"):
        """The text of an OBJ with quads."""
        lines = [mtllib, *("v " + vertex.format(*v) for v in self.vertices)]
        if uv:
            lines += [f"vt {u:.6f} {v:.6f}" for u, v in self.uv.reshape(-1, 2)]
        lines.append(usemtl)
        for i, quad in enumerate(self.quads):
            lines.append("f " + " ".join(f"{v + 1}/{4 * i + k + 1}" if uv else f"{v + 1}" for k, v in enumerate(quad)))
        return "\n".join(lines) + "\n"

    def glb(self, edit=None, uv=None, uv_type="f4", colors=None, color_type="f4", more_uv=None):
        """The bytes of a GLB in metres. edit: changes the JSON; uv: (6, 4, 2) with v downwards; colors: (6, 4, 3)."""
        uv = np.stack([self.uv[..., 0], 1 - self.uv[..., 1]], -1) if uv is None else uv
        buffer = io.BytesIO()
        self.picture().save(buffer, "PNG")
        corners = (self.vertices[self.quads] / 1000).reshape(-1, 3)
        order = np.array([4 * i + k for i in range(6) for k in (0, 1, 2, 0, 2, 3)])
        blobs, views, accessors = [buffer.getvalue()], [], []

        def add(values, kind, width, normalized=False):
            blobs.append(values.astype("<" + kind).tobytes())
            codes = {"f4": 5126, "u2": 5123, "u1": 5121}
            accessors.append({"bufferView": len(blobs) - 1, "componentType": codes[kind], "count": len(values)})
            accessors[-1] |= {"type": "SCALAR" if width == 1 else f"VEC{width}", "normalized": normalized}
            return len(accessors) - 1

        attributes = {"POSITION": add(corners, "f4", 3)}
        attributes["TEXCOORD_0"] = add(uv.reshape(-1, 2), uv_type, 2, uv_type != "f4")
        if more_uv is not None:
            attributes["TEXCOORD_1"] = add(more_uv.reshape(-1, 2), "f4", 2)
        if colors is not None:
            attributes["COLOR_0"] = add(np.asarray(colors).reshape(-1, 3), color_type, 3, color_type != "f4")
        primitive = {"attributes": attributes, "indices": add(order, "u2", 1), "material": 0}
        place, data = 0, b""
        for blob in blobs:
            views.append({"buffer": 0, "byteOffset": place, "byteLength": len(blob)})
            data += blob + bytes(-len(blob) % 4)
            place = len(data)
        content = {
            "asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": [0]}], "nodes": [{"mesh": 0}],
            "meshes": [{"primitives": [primitive]}], "accessors": accessors, "bufferViews": views,
            "materials": [{"name": "skin", "pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
            "textures": [{"source": 0}], "images": [{"bufferView": 0, "mimeType": "image/png", "name": "tex"}],
            "buffers": [{"byteLength": len(data)}],
        }  # fmt: skip
        if edit:
            edit(content)
        text = json.dumps(content).encode()
        text += b" " * (-len(text) % 4)
        head = struct.pack("<4sIII4s", b"glTF", 2, 28 + len(text) + len(data), len(text), b"JSON")
        return head + text + struct.pack("<I4s", len(data), b"BIN\0") + data

    def dae(
        self, vertices, asset, picture="tex.png", diffuse='<texture texture="sp" texcoord="UVMap"/>', place="", uv=True
    ):
        """The text of a COLLADA file with quads. vertices: (8, 3) in its unit; asset: its unit and up axis."""
        indices = [
            f"{v} {4 * i + k}" if uv else f"{v}" for i, quad in enumerate(self.quads) for k, v in enumerate(quad)
        ]
        return DAE.format(
            asset=asset, picture=picture, diffuse=diffuse, place=place, indices=" ".join(indices),
            positions=" ".join(f"{x:g}" for x in vertices.ravel()), uv=" ".join(f"{x:.6f}" for x in self.uv.ravel()),
            coordinates='<input semantic="TEXCOORD" source="#uv" offset="1" set="0"/>' if uv else "",
        )  # fmt: skip

    def check(self, mesh, colors=COLORS, size=(0.08, 0.06, 0.04), tolerance=1):
        """The mesh is the box, outside out, and each face has its colour."""
        corners = mesh.vertices[mesh.faces].astype(float)
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2
        area = np.linalg.norm(normals, axis=1)
        np.testing.assert_allclose(np.ptp(mesh.vertices, axis=0), size, rtol=1e-5)
        scale = size[0] / 0.08
        assert area.sum() == pytest.approx(0.0208 * scale**2, rel=1e-4)
        face = (normals @ OUTWARDS.T / area[:, None]).argmax(1)
        assert np.allclose((normals * OUTWARDS[face]).sum(1), area, rtol=1e-4)
        middle = corners.mean(1) - (mesh.vertices.min(0) + mesh.vertices.max(0)) / 2
        assert ((middle * OUTWARDS[face]).sum(1) > 0).all(), "faces inwards"
        np.testing.assert_allclose(face_colors(mesh), np.asarray(colors)[face], atol=tolerance)


def face_colors(mesh):
    """(F, 3) colour at the middle of each face."""
    if mesh.texture is None:
        return mesh.vertex_colors[mesh.faces].mean(1)
    height, width = mesh.texture.shape[:2]
    u, v = mesh.uv.mean(1).T
    return mesh.texture[np.floor((1 - v) % 1 * height).astype(int), np.floor(u % 1 * width).astype(int)].astype(float)


@pytest.fixture(scope="session")
def box():
    return PaintedBox()


@pytest.fixture(scope="session")
def colors_of():
    return face_colors
