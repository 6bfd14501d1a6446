"""Cycles materials: of the things in `Scenes`, and of tables as they stand in rooms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_regressor_training.blender.cycles import bpy, principled

#: Layers of the meshes: coordinates of the texture, coordinates in metres for other pictures, and linear colours.
TEXTURE_LAYER, PICTURE_LAYER, COLOR_LAYER = "texture", "picture", "paint"
#: Index of refraction of most painted, printed or varnished surfaces.
_VARNISH = 1.5


class Nodes:
    """The nodes of a material, put together from left to right."""

    def __init__(self, name: str) -> None:
        self.material = bpy.data.materials.new(name)
        self.material.use_nodes = True
        self._tree = self.material.node_tree
        self.surface = principled(self.material)

    def add(self, kind: str, inputs: dict[Any, Any] | None = None, **properties: Any) -> Any:
        """A new node. inputs: by name or number, other nodes' outputs or values."""
        node = self._tree.nodes.new(kind)
        for name, value in properties.items():
            setattr(node, name, value)
        for key, value in (inputs or {}).items():
            self.connect(value, node.inputs[key])
        return node

    def connect(self, value: Any, socket: Any) -> None:
        if isinstance(value, bpy.types.NodeSocket):
            self._tree.links.new(value, socket)
        else:
            socket.default_value = value

    def vector(self, operation: str, *operands: Any) -> Any:
        """Output of a vector operation; for DOT_PRODUCT a number."""
        node = self.add("ShaderNodeVectorMath", dict(enumerate(operands)), operation=operation)
        return node.outputs["Value" if operation == "DOT_PRODUCT" else "Vector"]

    def paint(self, color: Any, roughness: Any, reflectance: float) -> Any:
        """Connect the surface. reflectance: share of light that is mirrored at right angles."""
        self.connect(color, self.surface.inputs["Base Color"])
        self.connect(roughness, self.surface.inputs["Roughness"])
        root = np.sqrt(min(reflectance, 0.9))
        self.surface.inputs["IOR"].default_value = max((1 + root) / (1 - root), 1.0001)
        self.surface.inputs["Specular IOR Level"].default_value = 0.5 if reflectance > 0 else 0.0
        return self.material


def thing_material(look: NDArray[np.void], own: Any, picture: Any) -> Any:
    """The surface of a thing.

    look: one of MATERIAL
    own: texture of its mesh, or None
    picture: the one that `look` names, or None
    """
    nodes = Nodes("thing")
    if picture is not None:
        color = _laid_on(nodes, picture, float(look["picture_scale"]))
    elif own is not None:
        where = nodes.add("ShaderNodeUVMap", uv_map=TEXTURE_LAYER).outputs["UV"]
        color = nodes.add("ShaderNodeTexImage", {"Vector": where}, image=own).outputs["Color"]
    else:
        color = nodes.add("ShaderNodeAttribute", attribute_name=COLOR_LAYER).outputs["Color"]
    rows = [nodes.vector("DOT_PRODUCT", color, row.tolist()) for row in look["tint"]]
    mixed = nodes.add("ShaderNodeCombineXYZ", dict(enumerate(rows))).outputs["Vector"]
    shifted = nodes.vector("ADD", mixed, look["offset"].tolist())
    possible = nodes.vector("MINIMUM", nodes.vector("MAXIMUM", shifted, (0.0, 0.0, 0.0)), (1.0, 1.0, 1.0))
    return nodes.paint(possible, float(look["roughness"]), float(look["specular"]))


def ground_material(ground: NDArray[np.void], picture: Any) -> Any:
    """A matt plane with its picture. ground: one of GROUND."""
    nodes = Nodes("ground")
    color = _laid_on(nodes, picture, float(ground["picture_scale"]))
    return nodes.paint(nodes.vector("MULTIPLY", color, ground["tint"].tolist()), 1.0, 0.0)


def _laid_on(nodes: Nodes, picture: Any, scale: float) -> Any:
    where = nodes.add("ShaderNodeUVMap", uv_map=PICTURE_LAYER).outputs["UV"]
    # Rows of a picture go down, Blender's coordinates go up.
    placed = nodes.vector("MULTIPLY_ADD", where, (scale, -scale, 0.0), (0.0, 1.0, 0.0))
    return nodes.add("ShaderNodeTexImage", {"Vector": placed}, image=picture, extension="MIRROR").outputs["Color"]


def table_material(rng: np.random.Generator) -> Any:
    """Wood, laminate, stone or cloth, in metres on the plane."""
    return (_wood, _wood, _laminate, _stone, _cloth)[rng.integers(5)](rng)


def _somewhere(nodes: Nodes, rng: np.random.Generator, stretch: tuple[float, float]) -> Any:
    """Coordinates on the plane, moved and turned at random. stretch: factors of the coordinates."""
    where = nodes.add("ShaderNodeUVMap", uv_map=PICTURE_LAYER).outputs["UV"]
    turned = nodes.add(
        "ShaderNodeMapping",
        {"Vector": where, "Location": (*rng.uniform(-50, 50, 2), 0.0), "Rotation": (0.0, 0.0, rng.uniform(0, 6.28))},
    ).outputs["Vector"]
    return nodes.vector("MULTIPLY", turned, (*stretch, 1.0))


def _noise(nodes: Nodes, where: Any, scale: float, detail: float = 5.0, distortion: float = 0.0) -> Any:
    inputs = {"Vector": where, "Scale": scale, "Detail": detail, "Distortion": distortion}
    return nodes.add("ShaderNodeTexNoise", inputs, noise_dimensions="2D").outputs["Fac"]


def _ramp(nodes: Nodes, value: Any, stops: Sequence[tuple[float, NDArray[np.float64]]]) -> Any:
    """Linear colours at stops in [0, 1], blended between them."""
    node = nodes.add("ShaderNodeValToRGB", {"Fac": value})
    elements = node.color_ramp.elements
    while len(elements) < len(stops):
        elements.new(0.5)
    for element, (place, color) in zip(elements, stops, strict=True):
        element.position, element.color = place, (*np.clip(color, 0, 1), 1.0)
    return node.outputs["Color"]


def _wood(rng: np.random.Generator) -> Any:
    nodes = Nodes("wood")
    light = np.array([0.52, 0.33, 0.18]) * rng.uniform(0.25, 1.15) * (1, rng.uniform(0.85, 1.1), rng.uniform(0.7, 1.2))
    grain = _noise(nodes, _somewhere(nodes, rng, (1.0, 14.0)), rng.uniform(3, 6), distortion=0.6)
    color = _ramp(nodes, grain, [(0.3, light * rng.uniform(0.5, 0.8)), (0.7, light)])
    return nodes.paint(color, rng.uniform(0.25, 0.6), 0.04)


def _laminate(rng: np.random.Generator) -> Any:
    """One colour, from white to black, slightly worn."""
    nodes = Nodes("laminate")
    base = rng.uniform(0.03, 0.8) * (1 + rng.normal(0, 0.08, 3))
    worn = _noise(nodes, _somewhere(nodes, rng, (1.0, 1.0)), 9.0)
    color = _ramp(nodes, worn, [(0.3, base * 0.93), (0.7, base)])
    return nodes.paint(color, rng.uniform(0.2, 0.6), 0.04)


def _stone(rng: np.random.Generator) -> Any:
    """Speckled, from concrete to granite."""
    nodes = Nodes("stone")
    base = rng.uniform(0.1, 0.6) * (1 + rng.normal(0, 0.06, 3))
    speckle = _noise(nodes, _somewhere(nodes, rng, (1.0, 1.0)), rng.uniform(60, 250), detail=8.0)
    contrast = rng.uniform(0.1, 0.5)
    color = _ramp(nodes, speckle, [(0.35, base * (1 - contrast)), (0.65, base * (1 + contrast))])
    return nodes.paint(color, rng.uniform(0.15, 0.8), 0.04)


def _cloth(rng: np.random.Generator) -> Any:
    """Two sets of threads that cross each other."""
    nodes = Nodes("cloth")
    base = rng.uniform(0.05, 0.7) * rng.uniform(0.4, 1, 3)
    where = _somewhere(nodes, rng, (1.0, 1.0))
    threads = rng.uniform(60, 200)
    waves = [
        nodes.add("ShaderNodeTexWave", {"Vector": where, "Scale": threads, "Distortion": 0.5}, bands_direction=axis)
        for axis in "XY"
    ]
    woven = nodes.vector("MULTIPLY", *(wave.outputs["Color"] for wave in waves))
    color = _ramp(nodes, woven, [(0.0, base * 0.55), (0.6, base)])
    nodes.surface.inputs["Sheen Weight"].default_value = 0.2
    return nodes.paint(color, 0.9, 0.04)
