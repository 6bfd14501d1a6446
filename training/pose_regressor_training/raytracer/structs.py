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
    faces: wp.int32
    first_level: wp.int32
    levels: wp.int32
    closed: wp.int32  # 1: faces that look away from a camera outside it are never seen
    convex: wp.int32  # 1: it casts no shadow on itself
    texels_per_metre: wp.float32


@wp.struct
class Thing:
    """A mesh that stands in a scene. Frames need not be rigid: a thing may be scaled."""

    cam_from_obj: wp.mat33
    shift: wp.vec3
    obj_from_cam: wp.mat33
    origin: wp.vec3  # the camera's centre in the object's frame
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

    focal: wp.vec2
    inverse_focal: wp.vec2
    centre: wp.vec2
    things: wp.int32
    traced: wp.int32  # how many of them are found with rays, the first ones
    shift: wp.float32  # of the noise, 0 to 1
    lights: wp.int32  # those that are not black, the first ones
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
    """What shading needs of a face, in one line of a cache: its second and third barycentric coordinate as affine
    functions (gradient, constant) of the position in the object's frame, and the corners' places on the texture (x
    right, y down, 1 being its edge).
    """

    second: wp.vec4
    third: wp.vec4
    uv0: wp.vec2
    uv1: wp.vec2
    uv2: wp.vec2
    is_smooth: wp.int32  # 1: its corners' normals are not its own
    unused: wp.int32


@wp.struct
class Bank:
    """Everything that stays from one batch to the next; faces of all meshes one after the other."""

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
