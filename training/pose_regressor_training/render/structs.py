# mypy: ignore-errors
"""What the ray tracer's kernels read, one record a mesh, a thing, or a scene; filled on the host as NumPy records."""

from __future__ import annotations

import warp as wp

#: How a mesh is coloured.
TEXTURED, COLOURED = 0, 1


@wp.struct
class MeshRecord:
    """`first_*`: where the mesh starts in the arrays that hold all meshes one after the other."""

    id: wp.uint64
    coloring: wp.int32
    first_face: wp.int32
    first_corner: wp.int32  # of the texture coordinates
    first_level: wp.int32
    levels: wp.int32
    texels_per_metre: wp.float32


@wp.struct
class Thing:
    """A mesh that stands in a scene. Frames need not be rigid: a thing may be scaled."""

    obj_from_cam: wp.mat33
    origin: wp.vec3  # the camera's centre in the object's frame
    normal_to_cam: wp.mat33
    centre: wp.vec3  # of a ball around it, camera frame
    radius: wp.float32
    rectangle: wp.vec4i  # first and last column and row in which it can be seen: x0, y0, x1, y1
    mesh: wp.int32
    place: wp.int32
    tint: wp.mat33
    offset: wp.vec3
    picture: wp.int32
    picture_scale: wp.float32
    specular: wp.float32
    roughness: wp.float32


@wp.struct
class View:
    """A camera and what is around the things. `ambient`: nine rows, to be weighed with polynomials of the normal."""

    inverse_focal: wp.vec2
    centre: wp.vec2
    things: wp.int32
    seed: wp.int32
    light_direction: wp.mat33  # rows
    light_color: wp.mat33
    light_radius: wp.vec3
    light_shadow: wp.vec3i
    ground: wp.vec4
    ground_picture: wp.int32
    ground_scale: wp.float32
    ground_tint: wp.vec3
    ground_x: wp.vec3  # the picture's axes on the plane
    ground_y: wp.vec3
    background_picture: wp.int32
    background_x: wp.vec3
    background_y: wp.vec3
    background_footprint: wp.float32
    background_tint: wp.mat33


MESH_DTYPE = MeshRecord.numpy_dtype()
THING_DTYPE = Thing.numpy_dtype()
VIEW_DTYPE = View.numpy_dtype()
