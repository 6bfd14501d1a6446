# mypy: ignore-errors
"""The ray tracing kernels. Warp compiles their bodies for the CPU and for CUDA, with types that only Warp knows."""

from __future__ import annotations

import warp as wp

from pose_regressor_training.raytracer.lighting import ambient_light, around, dither, gloss
from pose_regressor_training.raytracer.structs import Bank, Face, MeshRecord, Thing, View
from pose_regressor_training.raytracer.surfaces import Surface, backdrop, surface_of_ground, surface_of_thing
from pose_regressor_training.raytracer.visibility import (
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
)

# Without code for gradients, which nobody needs, compiling takes half the time.
wp.set_module_options({"enable_backward": False})

#: Records of faces are fetched this many pixels ahead: about as long as memory takes to answer.
AHEAD = wp.constant(12)
#: There is an edge if the depth of three pixels in a line leaves a plane by more than this share.
STEP = wp.constant(0.01)


@wp.func_native("""
#if !defined(__CUDA_ARCH__)
    __builtin_prefetch(faces.data + index);
#endif
""")
def prefetch(faces: wp.array(dtype=Face), index: wp.int32): ...


@wp.func
def lit(
    surface: Surface,
    view: View,
    things: wp.array(dtype=Thing, ndim=2),
    meshes: wp.array(dtype=MeshRecord),
    ambient: wp.array(dtype=wp.vec3, ndim=2),
    b: wp.int32,
    own: wp.int32,
    point: wp.vec3,
    ray: wp.vec3,
    noise: wp.vec2,
):
    diffuse = ambient_light(ambient, b, surface.smooth)
    shine = wp.vec3(0.0, 0.0, 0.0)
    towards = wp.vec3(0.0, 0.0, 0.0)
    if surface.specular > 0.0:
        towards = -wp.normalize(ray)
        mirror = 2.0 * wp.dot(surface.smooth, towards) * surface.smooth - towards
        shine = surface.specular * ambient_light(ambient, b, mirror)
    start = point + surface.lift * surface.normal
    seen = wp.int32(0)
    for i in range(view.lights):
        direction = view.light_direction[i]
        cosine = wp.dot(surface.smooth, direction)
        if cosine > 0.0 and wp.dot(surface.normal, direction) > 0.0:
            shaded = view.light_shadow[i] != 0
            if shaded:
                # Each lamp's noise is its own.
                place = noise + 0.618034 * wp.float32(i) * wp.vec2(1.0, 1.0)
                place = place - wp.vec2(wp.floor(place[0]), wp.floor(place[1]))
                target = around(direction, view.light_radius[i], place)
                shaded = is_shaded(view.things, things, meshes, b, own, start, target)
            if not shaded:
                seen |= 1 << i
                diffuse += cosine * view.light_color[i]
                if surface.specular > 0.0:
                    glint = gloss(surface.smooth, direction, towards, surface.specular, surface.roughness)
                    shine += glint * view.light_color[i]
    return wp.cw_mul(surface.albedo, diffuse) + shine, seen


@wp.func
def first_hit(view: View, ray: wp.vec3):
    """The ground if there is one, else nothing."""
    hit = Hit()
    hit.thing = NOTHING
    hit.depth = ground_depth(view, ray)
    if hit.depth < FAR:
        hit.thing = GROUND
    return hit


@wp.func
def surface_at(
    bank: Bank,
    views: wp.array(dtype=View),
    things: wp.array(dtype=Thing, ndim=2),
    b: wp.int32,
    hit: Hit,
    ray: wp.vec3,
    jitter: wp.float32,
):
    pixel = views[b].inverse_focal[0]
    if hit.thing == GROUND:
        return surface_of_ground(bank, views[b], hit.depth, ray, pixel, jitter)
    return surface_of_thing(bank, things[b, hit.thing], hit, ray, pixel, jitter)


@wp.func
def scanned_hit(
    hit: Hit,
    bank: Bank,
    things: wp.array(dtype=Thing, ndim=2),
    keys: wp.array(dtype=wp.uint64, ndim=3),
    b: wp.int32,
    row: wp.int32,
    column: wp.int32,
):
    """`hit`, or what the scan found before it."""
    ahead = keys[b, row, wp.min(column + AHEAD, keys.shape[2] - 1)]
    if wp.cast(wp.uint32(ahead >> DEPTH_SHIFT), wp.float32) < FAR:
        thing = wp.int32(ahead >> THING_SHIFT) & 31
        prefetch(bank.faces, bank.meshes[things[b, thing].mesh].first_face + (wp.int32(ahead) & FACE_MASK))
    key = keys[b, row, column]
    nearest = wp.cast(wp.uint32(key >> DEPTH_SHIFT), wp.float32)
    if nearest < hit.depth:
        hit.depth = nearest
        hit.thing = wp.int32(key >> THING_SHIFT) & 31
        hit.face = wp.int32(key) & FACE_MASK
    return hit


@wp.kernel
def trace(
    bank: Bank,
    views: wp.array(dtype=View),
    things: wp.array(dtype=Thing, ndim=2),
    ambient: wp.array(dtype=wp.vec3, ndim=2),
    keys: wp.array(dtype=wp.uint64, ndim=3),  # of scanned things; empty where none was scanned
    run: wp.int32,
    ground_place: wp.int32,
    color: wp.array(dtype=wp.vec3, ndim=3),
    place: wp.array(dtype=wp.int32, ndim=3),
    depth: wp.array(dtype=wp.float32, ndim=3),
    normal: wp.array(dtype=wp.vec3, ndim=3),
    position: wp.array(dtype=wp.vec3, ndim=3),
    covered: wp.array(dtype=wp.int32, ndim=3),
    lamps: wp.array(dtype=wp.int32, ndim=3),  # bits of the lamps that light a pixel; empty if not needed
):
    """Each thread renders `run` pixels of a row: one on a GPU; many on a CPU, where a thread costs time."""
    b, row, first = wp.tid()
    scanned = keys.shape[0] > 0
    for column in range(first * run, wp.min((first + 1) * run, color.shape[2])):
        x, y = wp.float32(column), wp.float32(row)
        ray = pixel_ray(views[b], x, y)
        noise = dither(column, row, views[b].shift)
        hit = first_hit(views[b], ray)
        if scanned:
            hit.covered = covered[b, row, column]
            hit = scanned_hit(hit, bank, things, keys, b, row, column)
        hit = trace_things(hit, views[b].traced, things, bank.meshes, b, column, row, ray)
        covered[b, row, column] = hit.covered
        if hit.thing == NOTHING:
            place[b, row, column] = NOTHING
            color[b, row, column] = backdrop(bank, views[b], x, y, noise[0])
            depth[b, row, column] = 0.0
            normal[b, row, column] = wp.vec3(0.0, 0.0, 0.0)
            position[b, row, column] = wp.vec3(0.0, 0.0, 0.0)
        else:
            surface = surface_at(bank, views, things, b, hit, ray, noise[0])
            place[b, row, column] = ground_place
            if hit.thing >= 0:
                place[b, row, column] = things[b, hit.thing].place
            depth[b, row, column] = hit.depth
            normal[b, row, column] = surface.normal
            position[b, row, column] = surface.position
            light, seen = lit(
                surface, views[b], things, bank.meshes, ambient, b, hit.thing, hit.depth * ray, ray, noise
            )
            color[b, row, column] = light
            if lamps.shape[0] > 0:
                lamps[b, row, column] = seen


@wp.func
def is_edge(
    place: wp.array(dtype=wp.int32, ndim=3), depth: wp.array(dtype=wp.float32, ndim=3),
    lamps: wp.array(dtype=wp.int32, ndim=3), b: wp.int32, row: wp.int32, column: wp.int32, down: wp.int32,
    right: wp.int32
):  # fmt: skip
    """Whether, among three pixels in a line, a thing ends, a part of a thing ends before another, or a shadow ends."""
    rows, columns = place.shape[1] - 1, place.shape[2] - 1
    row0, column0 = wp.max(row - down, 0), wp.max(column - right, 0)
    row1, column1 = wp.min(row + down, rows), wp.min(column + right, columns)
    own = place[b, row, column]
    if place[b, row0, column0] != own or place[b, row1, column1] != own:
        return True
    if own == NOTHING or row1 - row0 + column1 - column0 < 2:
        return False
    lit_by = lamps[b, row, column]
    if lamps[b, row0, column0] != lit_by or lamps[b, row1, column1] != lit_by:
        return True
    # Along a line in the image, the inverse depth of a plane changes linearly.
    here = depth[b, row, column]
    return wp.abs(here / depth[b, row0, column0] + here / depth[b, row1, column1] - 2.0) > STEP


@wp.kernel
def soften(
    bank: Bank,
    views: wp.array(dtype=View),
    things: wp.array(dtype=Thing, ndim=2),
    ambient: wp.array(dtype=wp.vec3, ndim=2),
    samples: wp.int32,
    place: wp.array(dtype=wp.int32, ndim=3),
    depth: wp.array(dtype=wp.float32, ndim=3),
    lamps: wp.array(dtype=wp.int32, ndim=3),
    color: wp.array(dtype=wp.vec3, ndim=3),
):
    """Give pixels at edges and in half-shadows the mean colour of several rays.

    What lies beyond an edge is rendered, never guessed.
    """
    b, row, column = wp.tid()
    if not is_edge(place, depth, lamps, b, row, column, 0, 1) and not is_edge(
        place, depth, lamps, b, row, column, 1, 0
    ):
        return
    total = wp.vec3(0.0, 0.0, 0.0)
    for i in range(samples):
        # Roberts' R2 sequence: its first points, however many, are well spread over the pixel.
        x = wp.float32(column) + wp.frac(0.5 + 0.7548777 * wp.float32(i)) - 0.5
        y = wp.float32(row) + wp.frac(0.5 + 0.5698403 * wp.float32(i)) - 0.5
        ray = pixel_ray(views[b], x, y)
        noise = dither(column, row, views[b].shift + 0.618034 * wp.float32(i))
        hit = trace_things(first_hit(views[b], ray), views[b].things, things, bank.meshes, b, column, row, ray)
        if hit.thing == NOTHING:
            total += backdrop(bank, views[b], x, y, noise[0])
        else:
            surface = surface_at(bank, views, things, b, hit, ray, noise[0])
            light, _ = lit(surface, views[b], things, bank.meshes, ambient, b, hit.thing, hit.depth * ray, ray, noise)
            total += light
    color[b, row, column] = total / wp.float32(samples)
