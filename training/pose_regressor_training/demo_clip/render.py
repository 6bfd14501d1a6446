"""Renders a `Scene` frame by frame with Cycles, Blender's path tracer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import FloatArray, InputError
from pose_regressor_training.blender.cycles import (  # fmt: skip
    CV_FROM_BLENDER,
    add_camera,
    bpy,
    hdri_folder,
    link,
    mathutils,
    principled,
    quiet,
    set_lens,
    set_up,
)
from pose_regressor_training.demo_clip.scene import Cuboid, Item, Lathe, Material, MeshFile, Scene
from pose_regressor_training.meshes.primitives import Faces, capsules, cuboid, turned


class Blender:
    """A scene, built once and rendered frame by frame."""

    def __init__(self, scene: Scene, samples: int = 12) -> None:
        if scene.camera.is_distorted:
            raise InputError("Blender's camera: expected no distortion")
        self._scene = set_up(samples, bounces=3)
        # Linear between keys, so the pose at a whole frame is exactly the given one.
        bpy.context.preferences.edit.keyframe_new_interpolation_type = "LINEAR"
        self._settings(scene)
        self._camera = add_camera(self._scene)
        set_lens(self._scene, scene.camera.matrix, scene.camera.width, scene.camera.height)
        _move(self._camera, scene.camera_poses @ CV_FROM_BLENDER)
        self._objects = {item.name: _add_item(item) for item in scene.items}
        _add_world(scene)
        for lamp in scene.lamps:
            light = bpy.data.lights.new("lamp", "AREA")
            light.size, light.energy, light.color = lamp.size, lamp.power, lamp.color
            thing = link("lamp", light)
            thing.location = lamp.position
            down = mathutils.Vector(lamp.target) - mathutils.Vector(lamp.position)
            thing.rotation_mode = "QUATERNION"
            thing.rotation_quaternion = down.to_track_quat("-Z", "Y")
        self._matrix = scene.camera.matrix

    def render(self, frame: int, path: Path) -> None:
        """Write one frame as PNG."""
        self._scene.frame_set(frame)
        self._scene.render.filepath = str(path)
        with quiet():
            bpy.ops.render.render(write_still=True)

    def masks(self, frame: int, name: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(height, width) masks of an item at `frame`: all pixels that it would cover alone, and those where it is
        visible.

        One ray goes through every pixel's centre.
        """
        self._scene.frame_set(frame)
        thing = self._objects[name]
        graph = bpy.context.evaluated_depsgraph_get()
        evaluated = thing.evaluated_get(graph)
        to_local = thing.matrix_world.inverted()
        turn = to_local.to_3x3()
        eye = self._camera.matrix_world.translation
        whole = np.zeros((self._scene.render.resolution_y, self._scene.render.resolution_x), bool)
        seen = whole.copy()
        world_from_cv = np.array(self._camera.matrix_world)[:3, :3] @ CV_FROM_BLENDER[:3, :3]
        ys, xs = (index.reshape(-1) for index in np.indices(whole.shape))
        rays = np.stack([xs, ys, np.ones_like(xs)]).T @ (world_from_cv @ np.linalg.inv(self._matrix)).T
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        for x, y, ray in zip(xs.tolist(), ys.tolist(), rays.tolist(), strict=True):
            direction = mathutils.Vector(ray)
            if not evaluated.ray_cast(to_local @ eye, turn @ direction)[0]:
                continue
            whole[y, x] = True
            hit = self._scene.ray_cast(graph, eye, direction)
            seen[y, x] = hit[4] is not None and hit[4].name == name
        return whole, seen

    def _settings(self, scene: Scene) -> None:
        render, cycles = self._scene.render, self._scene.cycles
        render.image_settings.file_format = "PNG"
        render.image_settings.color_mode = "RGB"
        render.use_persistent_data = True  # frames share whatever does not move
        render.use_motion_blur = True
        render.motion_blur_shutter = 0.25
        render.motion_blur_position = "CENTER"  # the true pose is the one in the middle of the exposure
        # This view keeps the textures' colours; Blender's default washes them out.
        view = self._scene.view_settings
        view.view_transform = "Khronos PBR Neutral"
        view.use_white_balance, view.white_balance_temperature = True, scene.white_balance
        cycles.use_adaptive_sampling = True
        cycles.adaptive_threshold = 0.05


def _add_item(item: Item) -> Any:
    shape = item.shape
    if isinstance(shape, MeshFile):
        thing = _load(shape)
    elif isinstance(shape, Cuboid):
        thing = link(item.name, _mesh(cuboid(shape.size)))
        _bevel(thing, shape.bevel)
    elif isinstance(shape, Lathe):
        thing = link(item.name, _mesh(turned(np.array(shape.profile, np.float64)), smooth=True))
    else:
        thing = link(item.name, _mesh(capsules(shape), smooth=True))
        if shape.melt:
            skin = thing.modifiers.new("skin", "REMESH")
            skin.mode, skin.voxel_size, skin.use_smooth_shade = "VOXEL", 0.0025, True
            smooth = thing.modifiers.new("smooth", "SMOOTH")
            smooth.factor, smooth.iterations = 0.5, 6
    thing.name = item.name
    if item.material is not None:
        thing.data.materials.append(_material(item.name, item.material))
    _move(thing, item.poses)
    return thing


def _load(shape: MeshFile) -> Any:
    with quiet():
        bpy.ops.wm.obj_import(filepath=str(shape.path), forward_axis="Y", up_axis="Z")
    thing = bpy.context.selected_objects[0]
    for material in thing.data.materials:
        surface = principled(material)
        surface.inputs["Roughness"].default_value = 0.38
        surface.inputs["Specular IOR Level"].default_value = 0.4
    _bevel(thing, shape.bevel)
    return thing


def _bevel(thing: Any, radius: float) -> None:
    if radius > 0:
        bevel = thing.modifiers.new("bevel", "BEVEL")
        bevel.width, bevel.segments, bevel.harden_normals = radius, 2, True


def _mesh(shape: tuple[FloatArray, Faces], smooth: bool = False) -> Any:
    vertices, faces = shape
    mesh = bpy.data.meshes.new("mesh")
    mesh.from_pydata(vertices.tolist(), [], faces)
    if smooth:
        mesh.shade_smooth()
        mesh.set_sharp_from_angle(angle=np.radians(40))
    return mesh


def _move(thing: Any, poses: FloatArray) -> None:
    """Key the poses (N, 4, 4) of all frames; a single pose stands still."""
    thing.rotation_mode = "QUATERNION"
    last = None
    for frame, pose in enumerate(poses):
        place, turn, _ = mathutils.Matrix(pose.tolist()).decompose()
        if last is not None:
            turn.make_compatible(last)
        thing.location, thing.rotation_quaternion, last = place, turn, turn
        if len(poses) > 1:
            thing.keyframe_insert("location", frame=frame)
            thing.keyframe_insert("rotation_quaternion", frame=frame)


def _linear(color: tuple[float, float, float]) -> tuple[float, float, float, float]:
    red, green, blue = mathutils.Color(color).from_srgb_to_scene_linear()
    return red, green, blue, 1.0


def _material(name: str, look: Material) -> Any:
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    tree = material.node_tree
    surface = principled(material)
    surface.inputs["Base Color"].default_value = _linear(look.color)
    surface.inputs["Roughness"].default_value = look.roughness
    surface.inputs["Metallic"].default_value = look.metallic
    if look.kind == "wood":
        _grain(tree, surface, look)
    return material


def _grain(tree: Any, surface: Any, look: Material) -> None:
    """Noise stretched along x, coloured from dark to light around the material's colour."""
    where = tree.nodes.new("ShaderNodeTexCoord")
    stretch = tree.nodes.new("ShaderNodeMapping")
    stretch.inputs["Scale"].default_value = (1.2, 16.0, 16.0)
    noise = tree.nodes.new("ShaderNodeTexNoise")
    noise.inputs["Scale"].default_value = 3.0
    noise.inputs["Detail"].default_value = 4.0
    noise.inputs["Distortion"].default_value = 0.6
    ramp = tree.nodes.new("ShaderNodeValToRGB")
    ramp.color_ramp.elements[0].position, ramp.color_ramp.elements[1].position = 0.32, 0.72
    for element, factor in zip(ramp.color_ramp.elements, (0.82, 1.08), strict=True):
        red, green, blue = (min(1.0, factor * value) for value in look.color)
        element.color = _linear((red, green, blue))
    for out, into in (
        (where.outputs["Object"], stretch.inputs["Vector"]),
        (stretch.outputs["Vector"], noise.inputs["Vector"]),
        (noise.outputs["Fac"], ramp.inputs["Fac"]),
        (ramp.outputs["Color"], surface.inputs["Base Color"]),
    ):
        tree.links.new(out, into)


def _add_world(scene: Scene) -> None:
    path = hdri_folder() / f"{scene.world}.exr"
    if not path.is_file():
        raise InputError(f"world {scene.world!r}: not among Blender's own in {path.parent}")
    world = bpy.data.worlds.new("world")
    world.use_nodes = True
    bpy.context.scene.world = world
    tree = world.node_tree
    picture = tree.nodes.new("ShaderNodeTexEnvironment")
    picture.image = bpy.data.images.load(str(path))
    where, turn = tree.nodes.new("ShaderNodeTexCoord"), tree.nodes.new("ShaderNodeMapping")
    turn.inputs["Rotation"].default_value = (0, 0, scene.world_turn)
    ground = next(node for node in tree.nodes if node.type == "BACKGROUND")
    ground.inputs["Strength"].default_value = scene.world_strength
    tree.links.new(where.outputs["Generated"], turn.inputs["Vector"])
    tree.links.new(turn.outputs["Vector"], picture.inputs["Vector"])
    tree.links.new(picture.outputs["Color"], ground.inputs["Color"])
