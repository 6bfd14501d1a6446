# mypy: ignore-errors
"""The ray tracing kernel. Its body is compiled by Warp, for the CPU and for CUDA, with types that only Warp knows."""

from __future__ import annotations

import warp as wp

from pose_regressor_training.render.lighting import ambient_light, around, gloss
from pose_regressor_training.render.structs import TEXTURED, MeshRecord, Thing, View
from pose_regressor_training.render.textures import mip_level, sample_mirrored, sample_repeated, texel

# Nothing is differentiated: half the code, half the time to compile it.
wp.set_module_options({"enable_backward": False})

LIGHTS = 3
FAR = wp.constant(1.0e6)
GROUND = wp.constant(-2)
NOTHING = wp.constant(-1)


@wp.struct
class Bank:
    """Everything that stays from one batch to the next."""

    meshes: wp.array(dtype=MeshRecord)
    vertices: wp.array(dtype=wp.vec3)
    faces: wp.array(dtype=wp.vec3i)
    normals: wp.array(dtype=wp.vec3, ndim=2)  # of every face's corners
    uv: wp.array(dtype=wp.vec2, ndim=2)
    colors: wp.array(dtype=wp.vec3ub)  # of the vertices
    texels: wp.array(dtype=wp.vec3ub)
    levels: wp.array(dtype=wp.vec3i)
    linear: wp.array(dtype=wp.float32)
    first_picture_level: wp.int32
    picture_levels: wp.int32


@wp.struct
class Hit:
    """What a ray meets first: index in the scene's things, GROUND or NOTHING; the depth; the face."""

    thing: wp.int32
    face: wp.int32
    depth: wp.float32
    covered: wp.int32


@wp.func
def first_hit(
    views: wp.array(dtype=View),
    things: wp.array(dtype=Thing, ndim=2),
    meshes: wp.array(dtype=MeshRecord),
    b: wp.int32,
    x: wp.float32,
    y: wp.float32,
    ray: wp.vec3,
):
    hit = Hit()
    hit.thing = NOTHING
    hit.depth = FAR
    plane = views[b].ground
    slope = plane[0] * ray[0] + plane[1] * ray[1] + plane[2] * ray[2]
    if views[b].ground_picture >= 0 and slope < -1.0e-6 and plane[3] > 0.0:
        hit.thing = GROUND
        hit.depth = -plane[3] / slope
    column, row = wp.int32(wp.floor(x)), wp.int32(wp.floor(y))
    for i in range(views[b].things):
        box = things[b, i].rectangle
        if column >= box[0] and column <= box[2] and row >= box[1] and row <= box[3]:
            mesh = meshes[things[b, i].mesh]
            found = wp.mesh_query_ray(mesh.id, things[b, i].origin, things[b, i].obj_from_cam * ray, FAR)
            if found.result:
                hit.covered |= 1 << things[b, i].place
                # `ray` has z = 1, so the ray's parameter is the depth.
                if found.t < hit.depth:
                    hit.depth = found.t
                    hit.thing = i
                    hit.face = found.face
    return hit


@wp.func
def is_shaded(
    count: wp.int32,
    things: wp.array(dtype=Thing, ndim=2),
    meshes: wp.array(dtype=MeshRecord),
    b: wp.int32,
    point: wp.vec3,
    direction: wp.vec3,
):
    """Whether anything stands between a point and a light."""
    for i in range(count):
        to_centre = things[b, i].centre - point
        along = wp.dot(to_centre, direction)
        radius = things[b, i].radius
        aside = wp.dot(to_centre, to_centre) - along * along
        if along > -radius and aside < radius * radius:
            turn = things[b, i].obj_from_cam
            start = things[b, i].origin + turn * point
            if wp.mesh_query_ray_anyhit(meshes[things[b, i].mesh].id, start, turn * direction, FAR):
                return True
    return False


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
def picture_color(bank: Bank, picture: wp.int32, x: wp.float32, y: wp.float32, step: wp.float32, jitter: wp.float32):
    """`step`: how much of the picture's edge a pixel covers."""
    first = bank.first_picture_level + picture * bank.picture_levels
    level = mip_level(step * wp.float32(bank.levels[first][1]), jitter, bank.picture_levels)
    return sample_mirrored(bank.texels, bank.linear, bank.levels[first + level], x, y)


@wp.func
def mesh_color(
    bank: Bank, mesh: MeshRecord, face: wp.int32, corners: wp.vec3i, weights: wp.vec3, step: wp.float32,
    jitter: wp.float32
):  # fmt: skip
    """`step`: metres of the surface under a pixel."""
    if mesh.coloring == TEXTURED:
        corner = mesh.first_corner + face
        uv = weights[0] * bank.uv[corner, 0] + weights[1] * bank.uv[corner, 1] + weights[2] * bank.uv[corner, 2]
        level = mip_level(step * mesh.texels_per_metre, jitter, mesh.levels)
        # The first row of the file's picture is v = 1.
        return sample_repeated(bank.texels, bank.linear, bank.levels[mesh.first_level + level], uv[0], 1.0 - uv[1])
    color = weights[0] * texel(bank.colors, bank.linear, corners[0])
    color += weights[1] * texel(bank.colors, bank.linear, corners[1])
    return color + weights[2] * texel(bank.colors, bank.linear, corners[2])


@wp.func
def surface_of_thing(bank: Bank, thing: Thing, hit: Hit, ray: wp.vec3, pixel: wp.float32, jitter: wp.float32):
    """`pixel`: its edge at depth 1."""
    mesh = bank.meshes[thing.mesh]
    face = mesh.first_face + hit.face
    corners = bank.faces[face]
    a, b, c = bank.vertices[corners[0]], bank.vertices[corners[1]], bank.vertices[corners[2]]
    position = thing.origin + hit.depth * (thing.obj_from_cam * ray)
    flat = wp.cross(b - a, c - a)
    scale = 1.0 / wp.max(wp.dot(flat, flat), 1.0e-30)
    w1 = wp.dot(wp.cross(position - a, c - a), flat) * scale
    w2 = wp.dot(wp.cross(b - a, position - a), flat) * scale
    weights = wp.vec3(1.0 - w1 - w2, w1, w2)
    surface = Surface()
    surface.position = position
    surface.normal = wp.normalize(thing.normal_to_cam * flat)
    smooth = (
        weights[0] * bank.normals[face, 0] + weights[1] * bank.normals[face, 1] + weights[2] * bank.normals[face, 2]
    )
    surface.smooth = wp.normalize(thing.normal_to_cam * smooth)
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
        surface.albedo = mesh_color(bank, mesh, hit.face, corners, weights, step, jitter)
    surface.albedo = wp.max(thing.tint * surface.albedo + thing.offset, wp.vec3(0.0, 0.0, 0.0))
    surface.specular = thing.specular
    surface.roughness = thing.roughness
    surface.lift = 1.0e-3 * thing.radius
    return surface


@wp.func
def surface_of_ground(bank: Bank, view: View, hit: Hit, ray: wp.vec3, pixel: wp.float32, jitter: wp.float32):
    surface = Surface()
    surface.normal = wp.vec3(view.ground[0], view.ground[1], view.ground[2])
    surface.smooth = surface.normal
    point = hit.depth * ray
    step = hit.depth * pixel / wp.sqrt(wp.max(-wp.dot(surface.normal, ray), 0.02)) * view.ground_scale
    x = wp.dot(point, view.ground_x) * view.ground_scale
    y = wp.dot(point, view.ground_y) * view.ground_scale
    surface.albedo = wp.cw_mul(view.ground_tint, picture_color(bank, view.ground_picture, x, y, step, jitter))
    surface.lift = 1.0e-4 * hit.depth
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
    towards = -wp.normalize(ray)
    diffuse = ambient_light(ambient, b, surface.smooth)
    shine = wp.vec3(0.0, 0.0, 0.0)
    if surface.specular > 0.0:
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
    inverse_focal, centre = views[b].inverse_focal, views[b].centre
    ray = wp.vec3((x - centre[0]) * inverse_focal[0], (y - centre[1]) * inverse_focal[1], 1.0)
    state = wp.rand_init(views[b].seed, (row << 14) + column)
    jitter = wp.randf(state)
    hit = first_hit(views, things, bank.meshes, b, x, y, ray)
    covered[b, row, column] = hit.covered
    if hit.thing == NOTHING:
        place[b, row, column] = NOTHING
        color[b, row, column] = backdrop(bank, views[b], x, y, jitter)
        depth[b, row, column] = 0.0
        normal[b, row, column] = wp.vec3(0.0, 0.0, 0.0)
        position[b, row, column] = wp.vec3(0.0, 0.0, 0.0)
        return
    pixel = inverse_focal[0]
    surface = Surface()
    if hit.thing == GROUND:
        place[b, row, column] = ground_place
        surface = surface_of_ground(bank, views[b], hit, ray, pixel, jitter)
    else:
        place[b, row, column] = things[b, hit.thing].place
        surface = surface_of_thing(bank, things[b, hit.thing], hit, ray, pixel, jitter)
    depth[b, row, column] = hit.depth
    normal[b, row, column] = surface.normal
    position[b, row, column] = surface.position
    color[b, row, column] = lit(surface, views[b], things, bank.meshes, ambient, b, hit.depth * ray, ray, state)
