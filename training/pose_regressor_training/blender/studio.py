"""Builds the scenes of a `Stage` in Blender and renders them with Cycles. Needs ``bpy``."""

from __future__ import annotations

import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_regressor_training.blender.cycles import (  # fmt: skip
    CV_FROM_BLENDER,
    add_camera,
    bpy,
    link,
    mathutils,
    quiet,
    set_lens,
    set_up,
)
from pose_regressor_training.blender.materials import (  # fmt: skip
    COLOR_LAYER,
    PICTURE_LAYER,
    TEXTURE_LAYER,
    ground_material,
    table_material,
    thing_material,
)
from pose_regressor_training.blender.stage import Prop, Stage
from pose_regressor_training.blender.world import World
from pose_regressor_training.scenes import NONE, axes_of_plane

#: Half the edge of the ground, metres.
_GROUND = 100.0


class Studio:
    """Renders the scenes of a stage. It keeps meshes, textures and surroundings and builds the rest for each scene."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        settings = stage.settings
        self._scene = set_up(settings.samples, settings.bounces)
        render = self._scene.render
        render.threads_mode, render.threads = ("FIXED", settings.threads) if settings.threads else ("AUTO", 1)
        render.image_settings.file_format, render.image_settings.color_depth = "OPEN_EXR", "32"
        render.image_settings.color_mode = "RGBA"
        # A background picture is laid under the result later; a real place is rendered.
        render.film_transparent = not settings.realistic
        self._scene.cycles.pixel_filter_type = "BOX"  # the camera's blur is applied later
        camera = add_camera(self._scene)
        camera.matrix_world = mathutils.Matrix(CV_FROM_BLENDER.tolist())  # the world frame is the camera's
        self._meshes = [None if prop is None else _mesh(prop) for prop in stage.props]
        self._textures = [
            None if prop is None or not prop.texture.size else _image(prop.texture) for prop in stage.props
        ]
        self._pictures: dict[int, Any] = {}
        self._world = World(self._scene)

    def render(self, number: int) -> NDArray[np.float32]:
        """(H, W, 4) linear light of a scene, multiplied by opacity, and the opacity."""
        scenes, settings = self._stage.scenes, self._stage.settings
        set_lens(self._scene, scenes.camera_matrix[number], settings.width, settings.height)
        # The same place for the same scene, whatever the file holds before it.
        what = zlib.crc32(scenes.cam_from_obj[number].tobytes() + scenes.camera_matrix[number].tobytes())
        rng = np.random.default_rng(what)
        things = [
            self._add_thing(int(mesh), scenes.cam_from_obj[number, place], scenes.material[number, place])
            for place, mesh in enumerate(scenes.mesh[number])
            if mesh != NONE
        ]
        ground = scenes.ground[number]
        if ground["picture"] != NONE:
            material = table_material(rng) if settings.realistic else ground_material(ground, self._named(ground))
            things.append(_add_ground(ground["plane"].astype(np.float64), material))
        things += [_add_lamp(lamp) for lamp in scenes.light[number] if lamp["color"].any()]
        up = ground["plane"][:3] if ground["picture"] != NONE else np.array([0.0, -1.0, 0.0])
        if settings.realistic:
            self._world.place(rng, up.astype(np.float64), scenes.ambient[number, 0])
        else:
            self._world.harmonics(scenes.ambient[number])
        picture = self._picture()
        _remove(things)
        return picture

    def _picture(self) -> NDArray[np.float32]:
        settings = self._stage.settings
        with tempfile.TemporaryDirectory() as folder, quiet():
            path = Path(folder) / "picture.exr"
            self._scene.render.filepath = str(path)
            bpy.ops.render.render(write_still=True)
            image = bpy.data.images.load(str(path))
            pixels = np.empty(settings.height * settings.width * 4, np.float32)
            image.pixels.foreach_get(pixels)
            bpy.data.images.remove(image)
        return pixels.reshape(settings.height, settings.width, 4)[::-1]

    def _add_thing(self, mesh: int, pose: NDArray[np.float64], look: NDArray[np.void]) -> Any:
        thing = link("thing", self._meshes[mesh])
        thing.matrix_world = mathutils.Matrix(pose.tolist())
        # Things of different materials share the mesh.
        slot = thing.material_slots[0]
        slot.link = "OBJECT"
        slot.material = thing_material(look, self._textures[mesh], self._named(look))
        return thing

    def _named(self, surface: NDArray[np.void]) -> Any:
        """The picture that a MATERIAL or GROUND names, or None."""
        number = int(surface["picture"])
        if number != NONE and number not in self._pictures:
            self._pictures[number] = _image(self._stage.pictures[number])
        return self._pictures.get(number)


def _mesh(prop: Prop) -> Any:
    mesh = bpy.data.meshes.new("mesh")
    count = len(prop.faces)
    mesh.vertices.add(len(prop.vertices))
    mesh.vertices.foreach_set("co", np.ascontiguousarray(prop.vertices, np.float32).ravel())
    mesh.loops.add(3 * count)
    mesh.loops.foreach_set("vertex_index", np.ascontiguousarray(prop.faces, np.int32).ravel())
    mesh.polygons.add(count)
    mesh.polygons.foreach_set("loop_start", np.arange(0, 3 * count, 3, dtype=np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(count, bool))
    mesh.update(calc_edges=True)
    corners = prop.vertices[prop.faces]
    layers = {PICTURE_LAYER: _along_nearest_axis(corners)} | ({TEXTURE_LAYER: prop.uv} if prop.uv.size else {})
    for name, uv in layers.items():
        mesh.uv_layers.new(name=name).uv.foreach_set("vector", np.ascontiguousarray(uv, np.float32).ravel())
    if prop.colors.size:
        color = np.ones((len(prop.colors), 4), np.float32)
        color[:, :3] = prop.colors / np.float32(255)
        layer = mesh.color_attributes.new(COLOR_LAYER, "FLOAT_COLOR", "POINT")
        layer.data.foreach_set("color_srgb", color.ravel())
    mesh.normals_split_custom_set(prop.normals.reshape(-1, 3).tolist())
    mesh.materials.append(None)
    return mesh


def _along_nearest_axis(corners: NDArray[np.float32]) -> NDArray[np.float32]:
    """(F, 3, 2) coordinates of corners (F, 3, 3), seen along the axis nearest to the face's normal."""
    normal = np.abs(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
    axis = np.where(
        (normal[:, 1] >= normal[:, 0]) & (normal[:, 1] >= normal[:, 2]), 1, np.where(normal[:, 2] >= normal[:, 0], 2, 0)
    )
    across = np.stack([(axis + 1) % 3, (axis + 2) % 3], axis=1)
    return np.take_along_axis(corners, across[:, None], axis=2)


def _image(picture: NDArray[np.uint8]) -> Any:
    height, width = picture.shape[:2]
    image = bpy.data.images.new("picture", width, height)
    pixels = np.ones((height, width, 4), np.float32)
    pixels[..., :3] = picture[::-1] / np.float32(255)
    image.pixels.foreach_set(pixels.ravel())
    image.update()
    return image


def _add_ground(plane: NDArray[np.float64], material: Any) -> Any:
    normal, offset = plane[:3], plane[3]
    first, second = (axis[0] for axis in axes_of_plane(normal[None]))
    spread = _GROUND * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    mesh = bpy.data.meshes.new("ground")
    # The picture's origin is below the camera, as in the ray tracer.
    corners = spread @ np.stack([first, second]) - offset * normal
    facing = np.dot(np.cross(first, second), normal) > 0
    mesh.from_pydata(corners.tolist(), [], [(0, 1, 2, 3) if facing else (3, 2, 1, 0)])
    uv = spread if facing else spread[::-1]
    mesh.uv_layers.new(name=PICTURE_LAYER).uv.foreach_set("vector", uv.astype(np.float32).ravel())
    mesh.materials.append(material)
    return link("ground", mesh)


def _add_lamp(lamp: NDArray[np.void]) -> Any:
    """lamp: one of LIGHT. A white surface that faces a sun of strength pi sends back 1."""
    strength = float(lamp["color"].max())
    light = bpy.data.lights.new("lamp", "SUN")
    light.energy, light.color = np.pi * strength, (lamp["color"] / strength).tolist()
    light.angle = 2 * float(lamp["radius"])
    light.use_shadow = bool(lamp["shadow"])
    thing = link("lamp", light)
    thing.rotation_mode = "QUATERNION"
    thing.rotation_quaternion = mathutils.Vector(lamp["direction"].tolist()).to_track_quat("Z", "Y")
    return thing


def _remove(things: list[Any]) -> None:
    """Remove things with their materials, lamps and grounds. Meshes with other users stay."""
    for thing in things:
        data = thing.data
        materials = [slot.material for slot in thing.material_slots]
        bpy.data.objects.remove(thing)
        for material in materials:
            bpy.data.materials.remove(material)
        if isinstance(data, bpy.types.Light):
            bpy.data.lights.remove(data)
        elif data.name.startswith("ground"):
            bpy.data.meshes.remove(data)
