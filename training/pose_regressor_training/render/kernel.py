# mypy: ignore-errors
"""The ray tracing kernel. Its body is compiled by Warp, for the CPU and for CUDA, with types that only Warp knows."""

from __future__ import annotations

import warp as wp

from pose_regressor_training.render.lighting import ambient_light, around, gloss
from pose_regressor_training.render.structs import PAINT, PLANE, SMOOTH, TEXTURED, Bank, MeshRecord, Thing, View
from pose_regressor_training.render.textures import mip_level, sample_mirrored, sample_repeated
from pose_regressor_training.render.visibility import (
    DEPTH_SHIFT,
    FACE_MASK,
    FAR,
    GROUND,
    NOTHING,
    THING_SHIFT,
    Hit,
    ground_depth,
    is_shaded,
    pixel_ray,
    trace_things,
)  # fmt: skip

# Nothing is differentiated: half the code, half the time to compile it.
wp.set_module_options({"enable_backward": False})

LIGHTS = 3


@wp.struct
class Surface:
    """What is seen at a point: albedo is linear; `normal` is the face's, `smooth` the one that light sees."""

    albedo: wp.vec3
    normal: wp.vec3
    smooth: wp.vec3
    position: wp.vec3
    specular: wp.float32
    roughness: wp.float32
    lift: wp.float32  # how far above the surface shadow rays start


@wp.func
def affine(row: wp.vec4, position: wp.vec3):
    return row[0] * position[0] + row[1] * position[1] + row[2] * position[2] + row[3]


@wp.func
def picture_color(bank: Bank, picture: wp.int32, x: wp.float32, y: wp.float32, step: wp.float32, jitter: wp.float32):
    """`step`: how much of the picture's edge a pixel covers."""
    first = bank.first_picture_level + picture * bank.picture_levels
    level = mip_level(step * wp.float32(bank.levels[first][1]), jitter, bank.picture_levels)
    return sample_mirrored(bank.texels, bank.linear, bank.levels[first + level], x, y)


@wp.func
def surface_of_thing(bank: Bank, thing: Thing, hit: Hit, ray: wp.vec3, pixel: wp.float32, jitter: wp.float32):
    """`pixel`: its edge at depth 1."""
    face = bank.meshes[thing.mesh].first_face + hit.face
    position = thing.origin + hit.depth * (thing.obj_from_cam * ray)
    plane = bank.faces[face, PLANE]
    flat = wp.vec3(plane[0], plane[1], plane[2])
    smooth = wp.vec3(
        affine(bank.faces[face, SMOOTH], position),
        affine(bank.faces[face, SMOOTH + 1], position),
        affine(bank.faces[face, SMOOTH + 2], position),
    )
    surface = Surface()
    surface.position = position
    surface.normal = wp.normalize(flat * thing.obj_from_cam)
    surface.smooth = wp.normalize(smooth * thing.obj_from_cam)
    facing = wp.dot(surface.normal, ray)
    if facing > 0.0:
        surface.normal = -surface.normal
        surface.smooth = -surface.smooth
        facing = -facing
    # A pixel sees a patch that is the longer the flatter it is looked at; half of that in each direction.
    step = hit.depth * pixel / wp.sqrt(wp.max(-facing, 0.05))
    if thing.picture >= 0:
        x, y = position[1], position[2]
        along = wp.vec3(wp.abs(flat[0]), wp.abs(flat[1]), wp.abs(flat[2]))
        if along[1] >= along[0] and along[1] >= along[2]:
            x, y = position[2], position[0]
        elif along[2] >= along[0] and along[2] >= along[1]:
            x, y = position[0], position[1]
        scaling = thing.picture_scale
        surface.albedo = picture_color(bank, thing.picture, x * scaling, y * scaling, step * scaling, jitter)
    else:
        x = affine(bank.faces[face, PAINT], position)
        y = affine(bank.faces[face, PAINT + 1], position)
        if bank.meshes[thing.mesh].coloring == TEXTURED:
            level = mip_level(step * bank.meshes[thing.mesh].texels_per_metre, jitter, bank.meshes[thing.mesh].levels)
            level += bank.meshes[thing.mesh].first_level
            surface.albedo = sample_repeated(bank.texels, bank.linear, bank.levels[level], x, y)
        else:
            surface.albedo = wp.vec3(x, y, affine(bank.faces[face, PAINT + 2], position))
    surface.albedo = wp.max(thing.tint * surface.albedo + thing.offset, wp.vec3(0.0, 0.0, 0.0))
    surface.specular = thing.specular
    surface.roughness = thing.roughness
    surface.lift = 1.0e-3 * thing.radius
    return surface


@wp.func
def surface_of_ground(bank: Bank, view: View, depth: wp.float32, ray: wp.vec3, pixel: wp.float32, jitter: wp.float32):
    surface = Surface()
    surface.normal = wp.vec3(view.ground[0], view.ground[1], view.ground[2])
    surface.smooth = surface.normal
    point = depth * ray
    step = depth * pixel / wp.sqrt(wp.max(-wp.dot(surface.normal, ray), 0.02)) * view.ground_scale
    x = wp.dot(point, view.ground_x) * view.ground_scale
    y = wp.dot(point, view.ground_y) * view.ground_scale
    surface.albedo = wp.cw_mul(view.ground_tint, picture_color(bank, view.ground_picture, x, y, step, jitter))
    surface.lift = 1.0e-4 * depth
    return surface


@wp.func
def lit(
    surface: Surface,
    view: View,
    things: wp.array(dtype=Thing, ndim=2),
    meshes: wp.array(dtype=MeshRecord),
    ambient: wp.array(dtype=wp.vec3, ndim=2),
    b: wp.int32,
    point: wp.vec3,
    ray: wp.vec3,
    state: wp.uint32,
):
    diffuse = ambient_light(ambient, b, surface.smooth)
    shine = wp.vec3(0.0, 0.0, 0.0)
    towards = wp.vec3(0.0, 0.0, 0.0)
    if surface.specular > 0.0:
        towards = -wp.normalize(ray)
        mirror = 2.0 * wp.dot(surface.smooth, towards) * surface.smooth - towards
        shine = surface.specular * ambient_light(ambient, b, mirror)
    start = point + surface.lift * surface.normal
    for i in range(LIGHTS):
        direction = view.light_direction[i]
        color = view.light_color[i]
        cosine = wp.dot(surface.smooth, direction)
        if cosine > 0.0 and wp.dot(surface.normal, direction) > 0.0 and color[0] + color[1] + color[2] > 0.0:
            shaded = view.light_shadow[i] != 0
            if shaded:
                target = around(direction, view.light_radius[i], wp.rand_init(wp.int32(state), i))
                shaded = is_shaded(view.things, things, meshes, b, start, target)
            if not shaded:
                diffuse += cosine * color
                if surface.specular > 0.0:
                    shine += surface.specular * gloss(surface.smooth, direction, towards, surface.roughness) * color
    return wp.cw_mul(surface.albedo, diffuse) + shine


@wp.func
def backdrop(bank: Bank, view: View, x: wp.float32, y: wp.float32, jitter: wp.float32):
    if view.background_picture < 0:
        return wp.vec3(0.0, 0.0, 0.0)
    pixel = wp.vec3(x, y, 1.0)
    color = picture_color(
        bank, view.background_picture, wp.dot(view.background_x, pixel), wp.dot(view.background_y, pixel),
        view.background_footprint, jitter,
    )  # fmt: skip
    return wp.max(view.background_tint * color, wp.vec3(0.0, 0.0, 0.0))


@wp.kernel
def trace(
    bank: Bank,
    views: wp.array(dtype=View),
    things: wp.array(dtype=Thing, ndim=2),
    ambient: wp.array(dtype=wp.vec3, ndim=2),
    keys: wp.array(dtype=wp.uint64, ndim=3),  # of scanned things; empty where none was scanned
    ground_place: wp.int32,
    color: wp.array(dtype=wp.vec3, ndim=3),
    place: wp.array(dtype=wp.int32, ndim=3),
    depth: wp.array(dtype=wp.float32, ndim=3),
    normal: wp.array(dtype=wp.vec3, ndim=3),
    position: wp.array(dtype=wp.vec3, ndim=3),
    covered: wp.array(dtype=wp.int32, ndim=3),
):
    b, row, column = wp.tid()
    x, y = wp.float32(column), wp.float32(row)
    ray = pixel_ray(views[b], x, y)
    state = wp.rand_init(views[b].seed, (row << 14) + column)
    jitter = wp.randf(state)
    hit = Hit()
    hit.thing = NOTHING
    hit.depth = ground_depth(views[b], ray)
    if hit.depth < FAR:
        hit.thing = GROUND
    if keys.shape[0] > 0:
        hit.covered = covered[b, row, column]
        key = keys[b, row, column]
        nearest = wp.cast(wp.uint32(key >> DEPTH_SHIFT), wp.float32)
        if nearest < hit.depth:
            hit.depth = nearest
            hit.thing = wp.int32(key >> THING_SHIFT) & 31
            hit.face = wp.int32(key) & FACE_MASK
    hit = trace_things(hit, views[b].traced, things, bank.meshes, b, column, row, ray)
    covered[b, row, column] = hit.covered
    if hit.thing == NOTHING:
        place[b, row, column] = NOTHING
        color[b, row, column] = backdrop(bank, views[b], x, y, jitter)
        depth[b, row, column] = 0.0
        normal[b, row, column] = wp.vec3(0.0, 0.0, 0.0)
        position[b, row, column] = wp.vec3(0.0, 0.0, 0.0)
        return
    pixel = views[b].inverse_focal[0]
    surface = Surface()
    if hit.thing == GROUND:
        place[b, row, column] = ground_place
        surface = surface_of_ground(bank, views[b], hit.depth, ray, pixel, jitter)
    else:
        place[b, row, column] = things[b, hit.thing].place
        surface = surface_of_thing(bank, things[b, hit.thing], hit, ray, pixel, jitter)
    depth[b, row, column] = hit.depth
    normal[b, row, column] = surface.normal
    position[b, row, column] = surface.position
    color[b, row, column] = lit(surface, views[b], things, bank.meshes, ambient, b, hit.depth * ray, ray, state)
