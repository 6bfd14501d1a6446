"""What both renderers with Cycles, Blender's path tracer, share: set-up, camera, surfaces, and silence on the terminal.

The module ``bpy`` is large and needs one certain Python (5.0: 3.11) and NumPy below 2. So it is an extra, best in a
virtual environment of its own. Nothing here needs torch.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pose_regressor.types import FloatArray, InputError

try:
    import bpy
    import mathutils
except ImportError as error:
    raise InputError(
        "rendering needs Blender as a module: pip install bpy (Python 3.11 only, best in an environment of its own)"
    ) from error

__all__ = [
    "CV_FROM_BLENDER",
    "add_camera",
    "bpy",
    "hdri_folder",
    "link",
    "mathutils",
    "principled",
    "quiet",
    "set_lens",
    "set_up",
]

_SENSOR = 36.0  # mm; any width will do, since the lens scales with it
#: Blender's camera looks along -z with y up, OpenCV's along z with y down.
CV_FROM_BLENDER = np.diag([1.0, -1.0, -1.0, 1.0])


def set_up(samples: int, bounces: int) -> Any:
    """The empty scene of a fresh Blender. samples: paths through every pixel; bounces: how often light is passed on."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.render.resolution_percentage = 100
    cycles = scene.cycles
    cycles.device = "CPU"
    cycles.samples = samples
    cycles.use_denoising = True
    cycles.denoiser = "OPENIMAGEDENOISE"
    cycles.denoising_prefilter = "FAST"
    cycles.max_bounces = bounces
    cycles.diffuse_bounces = cycles.glossy_bounces = cycles.transmission_bounces = min(2, bounces)
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 5.0
    cycles.seed = 1
    return scene


def add_camera(scene: Any) -> Any:
    camera = link("camera", bpy.data.cameras.new("camera"))
    camera.data.clip_start, camera.data.clip_end = 0.02, 500.0
    scene.camera = camera
    return camera


def set_lens(scene: Any, camera_matrix: FloatArray, width: int, height: int) -> None:
    """Set the camera's intrinsics. Pixel centres are whole numbers, so the image's middle is at ((width - 1) / 2,
    (height - 1) / 2).
    """
    (fx, skew, cx), (_, fy, cy), _ = camera_matrix.tolist()
    if skew:
        raise InputError(f"Blender's camera: expected no skew, got {skew:g}")
    scene.render.resolution_x, scene.render.resolution_y = width, height
    # Pixels are higher than wide by fx / fy. Blender takes no aspect below 1.
    scene.render.pixel_aspect_x, scene.render.pixel_aspect_y = max(1.0, fy / fx), max(1.0, fx / fy)
    lens = scene.camera.data
    lens.sensor_fit, lens.sensor_width = "HORIZONTAL", _SENSOR
    lens.lens = fx * _SENSOR / width
    lens.shift_x = ((width - 1) / 2 - cx) / width
    lens.shift_y = (cy - (height - 1) / 2) / width * (fx / fy)


def link(name: str, data: Any) -> Any:
    thing = bpy.data.objects.new(name, data)
    bpy.context.collection.objects.link(thing)
    return thing


def hdri_folder() -> Path:
    """The folder with Blender's own surroundings: CC0 panoramas of real places."""
    return Path(bpy.utils.system_resource("DATAFILES")) / "studiolights" / "world"


def principled(material: Any) -> Any:
    """The physically based surface in a material's node tree."""
    return next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silences the line that Blender prints for every frame, past Python's own streams."""
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
