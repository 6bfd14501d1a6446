# mypy: ignore-errors
"""What a surface looks like where a ray meets it, before any light falls on it."""

from __future__ import annotations

import warp as wp

from pose_regressor_training.raytracer.structs import TEXTURED, Bank, Thing, View
from pose_regressor_training.raytracer.textures import linear_color, mip_level, sample_mirrored, sample_repeated
from pose_regressor_training.raytracer.visibility import Hit


@wp.struct
class Surface:
    """A visible point. albedo is linear; `normal` is the face's, `smooth` the one for shading."""

    albedo: wp.vec3
    normal: wp.vec3
    smooth: wp.vec3
    position: wp.vec3
    specular: wp.float32
    roughness: wp.float32
    lift: wp.float32  # height above the surface where shadow rays start


@wp.func
def picture_color(bank: Bank, picture: wp.int32, x: wp.float32, y: wp.float32, step: wp.float32, jitter: wp.float32):
    """step: the share of the picture's edge that a pixel covers."""
    first = bank.first_picture_level + picture * bank.picture_levels
    level = mip_level(step * wp.float32(bank.levels[first][1]), jitter, bank.picture_levels)
    return sample_mirrored(bank.texels, bank.linear, bank.levels[first + level], x, y)


@wp.func
def surface_of_thing(bank: Bank, thing: Thing, hit: Hit, ray: wp.vec3, pixel: wp.float32, jitter: wp.float32):
    """pixel: its edge at depth 1."""
    index = bank.meshes[thing.mesh].first_face + hit.face
    position = thing.origin + hit.depth * (thing.obj_from_cam * ray)
    second, third = bank.faces[index].second, bank.faces[index].third
    across, along = wp.vec3(second[0], second[1], second[2]), wp.vec3(third[0], third[1], third[2])
    w1 = wp.dot(across, position) + second[3]
    w2 = wp.dot(along, position) + third[3]
    w0 = 1.0 - w1 - w2
    flat = wp.cross(across, along)
    surface = Surface()
    surface.position = position
    surface.normal = wp.normalize(flat * thing.obj_from_cam)
    surface.smooth = surface.normal
    if bank.faces[index].is_smooth == 1:
        smooth = w0 * bank.normals[index, 0] + w1 * bank.normals[index, 1] + w2 * bank.normals[index, 2]
        surface.smooth = wp.normalize(smooth * thing.obj_from_cam)
    facing = wp.dot(surface.normal, ray)
    if facing > 0.0:
        surface.normal = -surface.normal
        surface.smooth = -surface.smooth
        facing = -facing
    # The flatter the view, the longer the patch that a pixel sees; half of it lies in each direction.
    step = hit.depth * pixel / wp.sqrt(wp.max(-facing, 0.05))
    if thing.picture >= 0:
        x, y = position[1], position[2]
        steep = wp.vec3(wp.abs(flat[0]), wp.abs(flat[1]), wp.abs(flat[2]))
        if steep[1] >= steep[0] and steep[1] >= steep[2]:
            x, y = position[2], position[0]
        elif steep[2] >= steep[0] and steep[2] >= steep[1]:
            x, y = position[0], position[1]
        scaling = thing.picture_scale
        surface.albedo = picture_color(bank, thing.picture, x * scaling, y * scaling, step * scaling, jitter)
    elif bank.meshes[thing.mesh].coloring == TEXTURED:
        uv = w0 * bank.faces[index].uv0 + w1 * bank.faces[index].uv1 + w2 * bank.faces[index].uv2
        level = mip_level(step * bank.meshes[thing.mesh].texels_per_metre, jitter, bank.meshes[thing.mesh].levels)
        level += bank.meshes[thing.mesh].first_level
        surface.albedo = sample_repeated(bank.texels, bank.linear, bank.levels[level], uv[0], uv[1])
    else:
        surface.albedo = w0 * linear_color(bank.linear, bank.colors[index, 0])
        surface.albedo += w1 * linear_color(bank.linear, bank.colors[index, 1])
        surface.albedo += w2 * linear_color(bank.linear, bank.colors[index, 2])
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
def backdrop(bank: Bank, view: View, x: wp.float32, y: wp.float32, jitter: wp.float32):
    if view.background_picture < 0:
        return wp.vec3(0.0, 0.0, 0.0)
    pixel = wp.vec3(x, y, 1.0)
    color = picture_color(
        bank, view.background_picture, wp.dot(view.background_x, pixel), wp.dot(view.background_y, pixel),
        view.background_footprint, jitter,
    )  # fmt: skip
    return wp.max(view.background_tint * color, wp.vec3(0.0, 0.0, 0.0))
