"""Light from all around in Cycles: the harmonics of `Scenes`, or Blender's pictures of real places."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_regressor_training.blender.cycles import bpy, hdri_folder, mathutils
from pose_regressor_training.scenes import axes_of_plane

#: How often each of Blender's places is drawn: rooms rather than woods.
PLACES = {"interior": 4, "studio": 3, "courtyard": 1, "city": 1, "forest": 1, "sunset": 1, "sunrise": 1, "night": 1}
#: How much of the place's own colour the camera's white balance removes, 0 to 1.
_WHITE_BALANCE = 0.75
#: Rows and columns of a picture of harmonics, which are smooth.
_ROWS, _COLUMNS = 64, 128


class World:
    """The surroundings of a Blender scene."""

    def __init__(self, scene: Any) -> None:
        world = bpy.data.worlds.new("world")
        world.use_nodes = True
        scene.world = world
        tree = world.node_tree
        nodes = tree.nodes
        where = nodes.new("ShaderNodeTexCoord")
        self._turn = nodes.new("ShaderNodeMapping")
        self._picture = nodes.new("ShaderNodeTexEnvironment")
        self._gain = nodes.new("ShaderNodeVectorMath")
        self._gain.operation = "MULTIPLY"
        shown = next(node for node in nodes if node.type == "BACKGROUND")
        for out, into in (
            (where.outputs["Generated"], self._turn.inputs["Vector"]),
            (self._turn.outputs["Vector"], self._picture.inputs["Vector"]),
            (self._picture.outputs["Color"], self._gain.inputs[0]),
            (self._gain.outputs["Vector"], shown.inputs["Color"]),
        ):
            tree.links.new(out, into)
        self._places: dict[str, tuple[Any, NDArray[np.float64]]] = {}
        self._smooth = bpy.data.images.new("harmonics", _COLUMNS, _ROWS, float_buffer=True)
        self._smooth.colorspace_settings.name = "Linear Rec.709"

    def place(self, rng: np.random.Generator, up: NDArray[np.float64], light: NDArray[np.float32]) -> None:
        """Use a real place, drawn at random and turned about the unit vector `up`.

        light: (3,) what a white table in it sends back, apart from what is left of the place's own colour
        """
        share = np.array(list(PLACES.values()), np.float64)
        name = list(PLACES)[rng.choice(len(share), p=share / share.sum())]
        if name not in self._places:
            image = bpy.data.images.load(str(hdri_folder() / f"{name}.exr"))
            self._places[name] = image, _on_a_table(image)
        self._picture.image, own = self._places[name]
        self._gain.inputs[1].default_value = light / (own**_WHITE_BALANCE * own.mean() ** (1 - _WHITE_BALANCE))
        side, ahead = (axis[0] for axis in axes_of_plane(up[None]))
        if np.dot(np.cross(side, ahead), up) < 0:
            ahead = -ahead
        angle = rng.uniform(0, 2 * np.pi)
        first = np.cos(angle) * side + np.sin(angle) * ahead
        place_from_cam = np.stack([first, np.cross(up, first), up])
        self._turn.inputs["Rotation"].default_value = mathutils.Matrix(place_from_cam.tolist()).to_euler()

    def harmonics(self, ambient: NDArray[np.float32]) -> None:
        """Use light given by spherical harmonics (9, 3), as in `Scenes.ambient`."""
        pixels = np.ones((_ROWS, _COLUMNS, 4), np.float32)
        pixels[..., :3] = radiance(ambient, _directions(_ROWS, _COLUMNS))
        self._smooth.pixels.foreach_set(pixels.ravel())
        self._smooth.update()
        self._picture.image = self._smooth
        self._gain.inputs[1].default_value = (1.0, 1.0, 1.0)
        self._turn.inputs["Rotation"].default_value = (0.0, 0.0, 0.0)


def radiance(ambient: NDArray[np.float32], directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., 3) light from the unit vectors (..., 3): the sum of the harmonics, relative to that of order 0."""
    x, y, z = np.moveaxis(directions, -1, 0)
    first, second = np.sqrt(3), np.sqrt(15)
    harmonics = [
        *(np.ones_like(x), first * y, first * z, first * x),
        *(second * x * y, second * y * z, np.sqrt(5) / 2 * (3 * z * z - 1), second * x * z),
        second / 2 * (x * x - y * y),
    ]
    return np.maximum(np.stack(harmonics, axis=-1) @ ambient.astype(np.float64), 0)


def _directions(rows: int, columns: int) -> NDArray[np.float64]:
    """(rows, columns, 3) unit vectors of the texels of Blender's surroundings, from the lowest row up."""
    angle = np.pi * (1 - 2 * (np.arange(columns) + 0.5) / columns)
    height = np.pi * ((np.arange(rows)[:, None] + 0.5) / rows - 0.5)
    level = np.cos(height)
    return np.stack(
        [level * np.cos(angle), level * np.sin(angle), np.broadcast_to(np.sin(height), (rows, columns))], axis=-1
    )


def _on_a_table(image: Any) -> NDArray[np.float64]:
    """(3,) what a white level surface sends back in a place: the mean light from above, weighted by the cosine."""
    columns, rows = image.size
    pixels = np.empty(rows * columns * 4, np.float32)
    image.pixels.foreach_get(pixels)
    light = pixels.reshape(rows, columns, 4)[..., :3].astype(np.float64)
    height = np.pi * ((np.arange(rows) + 0.5) / rows - 0.5)
    weight = np.maximum(np.sin(height), 0) * np.cos(height)
    return np.asarray(light.mean(1).T @ weight / weight.sum())
