"""The depth that a camera beside the clip's own would have measured, without Blender: our ray tracer draws it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.files.bop import MILLIMETRES_PER_METRE
from pose_regressor.files.io import replacing
from pose_regressor.types import Camera, FloatArray, InputError
from pose_regressor_training.demo_clip.scene import Cuboid, Item, Lathe, MeshFile, Scene
from pose_regressor_training.meshes.mesh import Mesh, load_mesh
from pose_regressor_training.meshes.primitives import Faces, capsules, cuboid, turned
from pose_regressor_training.raytracer.renderer import Raytracer
from pose_regressor_training.samples.sensor_depth import SensorDepth
from pose_regressor_training.scenes import blank_scenes

#: A stereo camera of 320x240 pixels that reaches 1 m. It has half the image's size, since noise cannot be compressed:
#: so the clip's depth takes 3 MB.
SENSOR, REDUCED, REACH = SensorDepth("stereo"), 2, 1.0


def write_depth(folder: Path, scene: Scene) -> None:
    """Write the sensor's depth of each frame as a 16-bit PNG of the image's size, millimetres: 000000.png and so on.

    Each measured pixel fills a square of pixels of the image.

    Raises InputError if a file cannot be written.
    """
    camera = _reduced(scene.camera)
    for frame, true in enumerate(true_depth(scene, camera)):
        depth = SENSOR.measure(true, camera.matrix, np.random.default_rng((frame, 1)))
        millimetres = np.rint(np.where(depth <= REACH, depth, 0) * MILLIMETRES_PER_METRE).astype(np.uint16)
        image = millimetres.repeat(REDUCED, axis=0).repeat(REDUCED, axis=1)
        path = folder / f"{frame:06d}.png"
        with replacing(path) as temporary:
            if not cv2.imwrite(str(temporary), image, _SMALL):
                raise InputError(f"{path}: cannot be written")


#: Of a PNG: the filters that make these files smallest, where this OpenCV can choose them.
_SMALL = [cv2.IMWRITE_PNG_COMPRESSION, 9, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_FILTERED]
if hasattr(cv2, "IMWRITE_PNG_FILTER"):
    _SMALL += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_ALL_FILTERS]


def _reduced(camera: Camera) -> Camera:
    """A camera in the same place whose pixels are squares of the camera's."""
    matrix = camera.matrix.copy()
    matrix[:2] /= REDUCED
    matrix[:2, 2] = (camera.matrix[:2, 2] + 0.5) / REDUCED - 0.5
    return Camera(camera.width // REDUCED, camera.height // REDUCED, matrix)


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
