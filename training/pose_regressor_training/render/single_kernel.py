# mypy: ignore-errors
"""The ray tracing kernel. Its body is compiled by Warp, for the CPU and for CUDA, with types that only Warp knows."""

from __future__ import annotations

import warp as wp

LIGHTS = 3


@wp.struct
class Look:
    """How a view is lit and coloured. Colours are display values; the albedo goes through `tint` and `offset`."""

    tint: wp.mat33
    offset: wp.vec3
    ambient: wp.vec3
    directions: wp.mat33  # rows: unit vectors towards the lights, camera frame
    colors: wp.mat33  # rows: the lights' colours
    specular: wp.float32
    shininess: wp.float32


#: The same as a numpy record; made once because Warp compiles it anew every time it is asked.
LOOK_DTYPE = Look.numpy_dtype()


@wp.func
def sample_level(texture: wp.array(dtype=wp.vec3ub), start: wp.int32, width: wp.int32, height: wp.int32, uv: wp.vec2):
    """Bilinear look-up, repeating at the edges. Row 0 of the texture is v = 1."""
    x = (uv[0] - wp.floor(uv[0])) * wp.float32(width) - 0.5
    y = (1.0 - (uv[1] - wp.floor(uv[1]))) * wp.float32(height) - 0.5
    x0, y0 = wp.int32(wp.floor(x)), wp.int32(wp.floor(y))
    fx, fy = x - wp.floor(x), y - wp.floor(y)
    total = wp.vec3(0.0, 0.0, 0.0)
    for dy in range(2):
        for dx in range(2):
            column, row = (x0 + dx + width) % width, (y0 + dy + height) % height
            texel = texture[start + row * width + column]
            weight = wp.where(dx == 1, fx, 1.0 - fx) * wp.where(dy == 1, fy, 1.0 - fy)
            total += weight * wp.vec3(wp.float32(texel[0]), wp.float32(texel[1]), wp.float32(texel[2]))
    return total / 255.0


@wp.kernel
def trace(
    mesh: wp.uint64,
    cam_from_obj: wp.array(dtype=wp.mat44),
    rays: wp.array(dtype=wp.vec4),  # fx, fy, cx, cy
    boxes: wp.array(dtype=wp.vec4i),  # x0, y0, x1, y1, inclusive: outside it nothing can be hit
    looks: wp.array(dtype=Look),
    uv: wp.array(dtype=wp.vec2),
    texture: wp.array(dtype=wp.vec3ub),
    levels: wp.array(dtype=wp.vec3i),  # start, width, height of every mip level
    texels_per_metre: wp.float32,
    color: wp.array(dtype=wp.vec3, ndim=3),
    position: wp.array(dtype=wp.vec3, ndim=3),
    depth: wp.array(dtype=wp.float32, ndim=3),
):
    b, row, column = wp.tid()
    box = boxes[b]
    if column < box[0] or row < box[1] or column > box[2] or row > box[3]:
        return
    k = rays[b]
    rotation = wp.mat33(
        cam_from_obj[b][0, 0], cam_from_obj[b][0, 1], cam_from_obj[b][0, 2],
        cam_from_obj[b][1, 0], cam_from_obj[b][1, 1], cam_from_obj[b][1, 2],
        cam_from_obj[b][2, 0], cam_from_obj[b][2, 1], cam_from_obj[b][2, 2],
    )  # fmt: skip
    translation = wp.vec3(cam_from_obj[b][0, 3], cam_from_obj[b][1, 3], cam_from_obj[b][2, 3])
    view = wp.vec3((wp.float32(column) - k[2]) / k[0], (wp.float32(row) - k[3]) / k[1], 1.0)
    obj_from_cam = wp.transpose(rotation)
    origin = -(obj_from_cam * translation)
    hit = wp.mesh_query_ray(mesh, origin, obj_from_cam * view, 1.0e6)
    if not hit.result:
        return
    # `view` has z = 1, so the ray parameter is the depth.
    depth[b, row, column] = hit.t
    position[b, row, column] = origin + hit.t * (obj_from_cam * view)
    normal = rotation * wp.normalize(hit.normal)
    towards = -wp.normalize(view)
    facing = wp.dot(normal, towards)
    if facing < 0.0:
        normal = -normal
        facing = -facing
    c0, c1, c2 = hit.face * 3, hit.face * 3 + 1, hit.face * 3 + 2
    at = hit.u * uv[c0] + hit.v * uv[c1] + (1.0 - hit.u - hit.v) * uv[c2]
    # One pixel covers about this many texels across: take the mip level in which that is one.
    footprint = hit.t / k[0] / wp.sqrt(wp.max(facing, 0.05)) * texels_per_metre
    level = wp.clamp(wp.int32(wp.round(wp.log2(wp.max(footprint, 1.0)))), 0, levels.shape[0] - 1)
    albedo = sample_level(texture, levels[level][0], levels[level][1], levels[level][2], at)
    look = looks[b]
    albedo = look.tint * albedo + look.offset
    diffuse = look.ambient
    shine = wp.vec3(0.0, 0.0, 0.0)
    for i in range(LIGHTS):
        light = wp.vec3(look.directions[i, 0], look.directions[i, 1], look.directions[i, 2])
        strength = wp.vec3(look.colors[i, 0], look.colors[i, 1], look.colors[i, 2])
        diffuse += strength * wp.max(wp.dot(normal, light), 0.0)
        half = wp.normalize(light + towards)
        shine += strength * look.specular * wp.pow(wp.max(wp.dot(normal, half), 0.0), look.shininess)
    color[b, row, column] = wp.cw_mul(wp.max(albedo, wp.vec3(0.0, 0.0, 0.0)), diffuse) + shine
