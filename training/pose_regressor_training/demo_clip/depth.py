"""The depth that a camera beside the clip's own would have measured, without Blender: our ray tracer draws it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import Camera, FloatArray
from pose_regressor_training.demo_clip.scene import Cuboid, Item, Lathe, MeshFile, Scene
from pose_regressor_training.meshes.mesh import Mesh, load_mesh
from pose_regressor_training.meshes.primitives import Faces, capsules, cuboid, turned
from pose_regressor_training.raytracer.renderer import Raytracer
from pose_regressor_training.scenes import blank_scenes


def true_depth(scene: Scene, camera: Camera) -> Iterator[NDArray[np.float32]]:
    """(H, W) metres along z of each frame, 0 where nothing is.

    camera: pinhole in the place of the scene's own, perhaps with other pixels

    Edges are sharp, and what flows together in Blender's picture only touches here: millimetres at the hand.
    """
    raytracer = Raytracer([_mesh(item) for item in scene.items])
    for frame in range(scene.frames):
        scenes = blank_scenes(1, len(scene.items))
        scenes.camera_matrix[0] = camera.matrix
        scenes.mesh[0] = np.arange(len(scene.items))
        cam_from_world = np.linalg.inv(scene.camera_poses[frame])
        for place, item in enumerate(scene.items):
            scenes.cam_from_obj[0, place] = cam_from_world @ item.poses[min(frame, len(item.poses) - 1)]
        yield raytracer.render(scenes, camera.height, camera.width).depth[0].cpu().numpy()


def _mesh(item: Item) -> Mesh:
    shape = item.shape
    if isinstance(shape, MeshFile):
        return load_mesh(shape.path, "m")
    if isinstance(shape, Cuboid):
        return _of_polygons(*cuboid(shape.size))
    if isinstance(shape, Lathe):
        return _of_polygons(*turned(np.array(shape.profile, np.float64)))
    return _of_polygons(*capsules(shape))


def _of_polygons(vertices: FloatArray, polygons: Faces) -> Mesh:
    """A grey mesh of convex polygons."""
    faces = [[polygon[0], *polygon[k : k + 2]] for polygon in polygons for k in range(1, len(polygon) - 1)]
    colors = np.full((len(vertices), 3), 128, np.uint8)
    return Mesh(vertices.astype(np.float32), np.array(faces, np.int32), None, None, colors)
