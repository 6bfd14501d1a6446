# mypy: ignore-errors
"""The records that kernels read, one for each mesh, thing or scene. The host fills them as NumPy records."""

from __future__ import annotations

import warp as wp

#: How a mesh is coloured.
TEXTURED, COLOURED = 0, 1


@wp.struct
class MeshRecord:
    """A mesh. `first_*`: where it starts in the arrays that hold all meshes one after the other."""

    id: wp.uint64
    coloring: wp.int32
    first_face: wp.int32
    faces: wp.int32
    first_level: wp.int32
    levels: wp.int32
    closed: wp.int32  # 1: from outside, faces that look away are never visible
    convex: wp.int32  # 1: it casts no shadow on itself
    texels_per_metre: wp.float32


@wp.struct
class Thing:
    """A mesh that stands in a scene. Its pose need not be rigid: a thing may be scaled."""

    cam_from_obj: wp.mat33
    shift: wp.vec3
    obj_from_cam: wp.mat33
    origin: wp.vec3  # the camera's centre in the object's frame
    centre: wp.vec3  # of a ball around it, camera frame
    radius: wp.float32
    rectangle: wp.vec4i  # first and last column and row where it may be visible: x0, y0, x1, y1
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
    """A camera and what is around the things. `ambient`: nine rows, weighted by polynomials of the normal."""

    focal: wp.vec2
    inverse_focal: wp.vec2
    centre: wp.vec2
    things: wp.int32
    traced: wp.int32  # the first so many are found by rays
    shift: wp.float32  # of the noise, 0 to 1
    lights: wp.int32  # the first so many are not black
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


@wp.struct
class Face:
    """What shading needs of a face, in one cache line.

    It holds the second and third barycentric coordinate as affine functions (gradient, constant) of the position in the
    object's frame, and the corners on the texture (x right, y down, 1 is its edge).
    """

    second: wp.vec4
    third: wp.vec4
    uv0: wp.vec2
    uv1: wp.vec2
    uv2: wp.vec2
    is_smooth: wp.int32  # 1: its corners' normals differ from its own
    unused: wp.int32


@wp.struct
class Bank:
    """All that stays from batch to batch. It holds the faces of all meshes one after the other."""

    meshes: wp.array(dtype=MeshRecord)
    planes: wp.array(dtype=wp.vec4)  # unit normal, offset
    corners: wp.array(dtype=wp.vec3, ndim=2)
    faces: wp.array(dtype=Face)
    normals: wp.array(dtype=wp.vec3, ndim=2)  # at the corners
    colors: wp.array(dtype=wp.vec3ub, ndim=2)  # at the corners
    texels: wp.array(dtype=wp.vec3ub)
    levels: wp.array(dtype=wp.vec3i)
    linear: wp.array(dtype=wp.float32)
    first_picture_level: wp.int32
    picture_levels: wp.int32


FACE_DTYPE = Face.numpy_dtype()
MESH_DTYPE = MeshRecord.numpy_dtype()
THING_DTYPE = Thing.numpy_dtype()
VIEW_DTYPE = View.numpy_dtype()
