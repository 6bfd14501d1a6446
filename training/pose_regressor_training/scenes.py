"""Scenes as arrays, many at a time: what the randomization draws and what every renderer takes and returns.

B scenes of up to K things each. Lengths are metres, the camera frame is OpenCV's (x right, y down, z forward), pixel
centres have integer coordinates. Light and surface colours are linear; 1 is a white page under full light. Pictures and
textures are stored as sRGB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import FloatArray

# Renderers in a Python without torch read scenes too.
if TYPE_CHECKING:
    from torch import Tensor

#: Directional lights in every scene. Unused ones are black.
LIGHTS = 3
#: No thing in this place, no picture on this surface.
NONE = -1

MATERIAL = np.dtype(
    [
        ("tint", "f4", (3, 3)),  # albedo = tint @ colour + offset, of the linear colour of the mesh or of `picture`
        ("offset", "f4", (3,)),
        ("picture", "i4"),  # a picture of the bank in place of the mesh's own colours, or NONE
        ("picture_scale", "f4"),  # its repeats for each metre, laid on along the object's nearest axis
        ("specular", "f4"),  # reflectance at right angles, of highlights and surroundings; 0: matt, plastic about 0.04
        ("roughness", "f4"),  # their width, 0 to 1, as in the usual GGX parametrisation
    ]
)
LIGHT = np.dtype(
    [
        ("direction", "f4", (3,)),  # unit vector towards the light, camera frame
        ("color", "f4", (3,)),  # what a white surface that faces it sends back
        ("radius", "f4"),  # half the angle it is seen under, radians: softness of its shadows
        ("shadow", "i4"),  # 1: it casts shadows
    ]
)
#: A plane through the scene; with `picture` NONE there is none.
GROUND = np.dtype(
    [
        ("plane", "f4", (4,)),  # n, d with n @ x + d = 0, n a unit vector towards the camera's side
        ("picture", "i4"),
        ("picture_scale", "f4"),  # repeats for each metre
        ("tint", "f4", (3,)),
    ]
)
#: What is visible where no ray hits anything: a picture, laid over the image unchanged.
BACKGROUND = np.dtype(
    [
        ("picture", "i4"),  # NONE: black
        ("from_pixel", "f4", (2, 3)),  # (column, row, 1) of the image -> (x, y) on the picture, 1 being its edge
        ("tint", "f4", (3, 3)),
    ]
)


@dataclass(frozen=True, eq=False)
class Scenes:
    """B scenes, each seen by its own camera.

    camera_matrix: (B, 3, 3) float64, without skew
    mesh: (B, K) int32, which of the renderer's meshes stands in each place, or NONE
    cam_from_obj: (B, K, 4, 4) float64, metres
    material: (B, K) of MATERIAL
    light: (B, LIGHTS) of LIGHT
    ambient: (B, 9, 3) float32, light from all around as spherical harmonics: real, camera frame, order 1, then y z x,
        then xy yz 3z²-1 xz x²-y². Scaled so that coefficient 0 alone gives what a white surface sends back.
    ground: (B,) of GROUND
    background: (B,) of BACKGROUND
    """

    camera_matrix: NDArray[np.float64]
    mesh: NDArray[np.int32]
    cam_from_obj: NDArray[np.float64]
    material: NDArray[np.void]
    light: NDArray[np.void]
    ambient: NDArray[np.float32]
    ground: NDArray[np.void]
    background: NDArray[np.void]

    def __len__(self) -> int:
        return len(self.camera_matrix)


def blank_scenes(count: int, places: int) -> Scenes:
    """Scenes to fill in, with `places` empty places each.

    White light from all around, no ground, no background; materials keep a mesh's colours; focal length 1 about the
    first pixel.
    """
    material, ground = np.zeros((count, places), MATERIAL), np.zeros(count, GROUND)
    background, light = np.zeros(count, BACKGROUND), np.zeros((count, LIGHTS), LIGHT)
    material["tint"], material["picture"], material["roughness"] = np.eye(3), NONE, 0.5
    light["direction"] = 0, 0, -1
    ground["plane"], ground["picture"], ground["tint"] = (0, -1, 0, 1), NONE, 1
    background["picture"], background["tint"] = NONE, np.eye(3)
    ambient = np.zeros((count, 9, 3), np.float32)
    ambient[:, 0] = 1
    return Scenes(
        camera_matrix=np.tile(np.eye(3), (count, 1, 1)),
        mesh=np.full((count, places), NONE, np.int32),
        cam_from_obj=np.tile(np.eye(4), (count, places, 1, 1)),
        material=material,
        light=light,
        ambient=ambient,
        ground=ground,
        background=background,
    )


@dataclass(frozen=True, eq=False)
class Rendering:
    """B images of H x W pixels, on the renderer's device.

    color: (B, H, W, 3) float32, linear, not clipped
    thing: (B, H, W) int32, the place of the visible thing; NONE for the background, K for the ground
    depth: (B, H, W) float32 metres along z, 0 on the background
    normal: (B, H, W, 3) float32 unit vectors in the camera frame, towards the camera; 0 on the background
    position: (B, H, W, 3) float32 coordinates in the frame of the visible object, 0 elsewhere
    covered: (B, H, W) int32, bit k is set where thing k would be visible if it stood alone
    """

    color: Tensor
    thing: Tensor
    depth: Tensor
    normal: Tensor
    position: Tensor
    covered: Tensor


def axes_of_plane(normal: NDArray) -> tuple[NDArray, NDArray]:
    """Two unit vectors (B, 3) that span the planes with normals (B, 3).

    Pictures lie on grounds along them, from the point nearest to the camera.
    """
    flattest = np.eye(3)[np.abs(normal).argmin(1)]
    first = np.cross(normal, flattest)
    first /= np.linalg.norm(first, axis=1, keepdims=True).clip(1e-6)
    return first, np.cross(normal, first)


class Renderer(Protocol):
    """Turns scenes into images."""

    def render(self, scenes: Scenes, height: int, width: int) -> Rendering: ...


def looking_at(eye: FloatArray, target: FloatArray) -> FloatArray:
    """(N, 4, 4) world_from_camera of level cameras at `eye` (N, 3) that look at `target` (N, 3)."""
    forward = target - eye
    forward = forward / np.linalg.norm(forward, axis=1, keepdims=True)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    poses = np.broadcast_to(np.eye(4), (len(eye), 4, 4)).copy()
    poses[:, :3, :3] = np.stack([right, np.cross(forward, right), forward], axis=2)
    poses[:, :3, 3] = eye
    return poses
