# mypy: ignore-errors
"""What is visible at a pixel, and what stands between a point and a light.

There are two ways to find what is visible. Rays through Warp's hierarchies cost a little for every pixel and hardly
depend on the number of triangles: the way of a GPU. On one core of a CPU, it is three to five times faster to go
through a thing's triangles one after the other and find the pixels whose rays meet them. Both ways intersect the same
rays with the same triangles.
"""

from __future__ import annotations

import warp as wp

from pose_regressor_training.raytracer.structs import Bank, MeshRecord, Thing, View

wp.set_module_options({"enable_backward": False})

FAR = wp.constant(1.0e6)
GROUND = wp.constant(-2)
NOTHING = wp.constant(-1)
#: Bits of a key: the depth, then the thing (5), then the face (27). The least key of a pixel is visible.
THING_SHIFT, DEPTH_SHIFT = wp.constant(wp.uint64(27)), wp.constant(wp.uint64(32))
FACE_MASK = wp.constant(2**27 - 1)
#: A ray that passes a triangle at most this far, in pixels, meets it: rounding must not open gaps between triangles.
SLACK = wp.constant(2.0e-5)


@wp.struct
class Hit:
    """What a ray meets first: index in the scene's things, or GROUND or NOTHING; the depth; the face of the mesh."""

    thing: wp.int32
    face: wp.int32
    depth: wp.float32
    covered: wp.int32


@wp.func
def pixel_ray(view: View, x: wp.float32, y: wp.float32):
    """From the camera through a place in the image. Its z is 1, so its parameter is the depth."""
    return wp.vec3((x - view.centre[0]) * view.inverse_focal[0], (y - view.centre[1]) * view.inverse_focal[1], 1.0)


@wp.func
def side(a: wp.vec2, b: wp.vec2):
    return a[0] * b[1] - a[1] * b[0]


@wp.func
def scan_face(
    bank: Bank,
    views: wp.array(dtype=View),
    things: wp.array(dtype=Thing, ndim=2),
    b: wp.int32,
    i: wp.int32,
    face: wp.int32,
    width: wp.int32,
    height: wp.int32,
    keys: wp.array(dtype=wp.uint64, ndim=3),
    covered: wp.array(dtype=wp.int32, ndim=3),
):
    """Go through the pixels whose rays meet a face. Its thing must lie wholly in front of the camera."""
    mesh = things[b, i].mesh
    index = bank.meshes[mesh].first_face + face
    plane = bank.planes[index]
    normal = wp.vec3(plane[0], plane[1], plane[2])
    origin = things[b, i].origin
    above = wp.dot(normal, origin) + plane[3]
    if above <= 0.0 and bank.meshes[mesh].closed == 1:
        return
    # 1. The corners in the camera's frame (p0, p1, p2) and in the image (a, p, q).
    linear, shift = things[b, i].cam_from_obj, things[b, i].shift
    p0 = linear * bank.corners[index, 0] + shift
    p1 = linear * bank.corners[index, 1] + shift
    p2 = linear * bank.corners[index, 2] + shift
    focal, centre = views[b].focal, views[b].centre
    f0, f1, f2 = 1.0 / p0[2], 1.0 / p1[2], 1.0 / p2[2]
    a = wp.vec2(p0[0] * f0 * focal[0] + centre[0], p0[1] * f0 * focal[1] + centre[1])
    p = wp.vec2(p1[0] * f1 * focal[0] + centre[0], p1[1] * f1 * focal[1] + centre[1])
    q = wp.vec2(p2[0] * f2 * focal[0] + centre[0], p2[1] * f2 * focal[1] + centre[1])
    # 2. The rectangle of pixels around it.
    low, high = wp.min(wp.min(a, p), q), wp.max(wp.max(a, p), q)
    left = wp.max(wp.int32(wp.ceil(low[0] - SLACK)), 0)
    right = wp.min(wp.int32(wp.floor(high[0] + SLACK)), width - 1)
    top = wp.max(wp.int32(wp.ceil(low[1] - SLACK)), 0)
    bottom = wp.min(wp.int32(wp.floor(high[1] + SLACK)), height - 1)
    if left > right or top > bottom:
        return
    # 3. Its edges. Triangles of either orientation are visible: give all the same.
    ap, pq, qa = p - a, q - p, a - q
    turn = wp.where(side(ap, pq) < 0.0, -1.0, 1.0)
    ap, pq, qa = turn * ap, turn * pq, turn * qa
    slack_a = -SLACK * (wp.abs(ap[0]) + wp.abs(ap[1]))
    slack_p = -SLACK * (wp.abs(pq[0]) + wp.abs(pq[1]))
    slack_q = -SLACK * (wp.abs(qa[0]) + wp.abs(qa[1]))
    # 4. The pixels inside all three edges, with the depth of the face's plane.
    nearest, farthest = wp.min(wp.min(p0[2], p1[2]), p2[2]), wp.max(wp.max(p0[2], p1[2]), p2[2])
    slope = normal * things[b, i].obj_from_cam
    name = (wp.uint64(i) << THING_SHIFT) | wp.uint64(face)
    bit = 1 << things[b, i].place
    for row in range(top, bottom + 1):
        for column in range(left, right + 1):
            at = wp.vec2(wp.float32(column), wp.float32(row))
            if side(ap, at - a) >= slack_a and side(pq, at - p) >= slack_p and side(qa, at - q) >= slack_q:
                depth = -above / wp.dot(slope, pixel_ray(views[b], at[0], at[1]))
                # Rounding may move a face that is seen edge-on anywhere; NaN fails both comparisons.
                depth = wp.max(wp.min(depth, farthest), nearest)
                key = (wp.uint64(wp.cast(depth, wp.uint32)) << DEPTH_SHIFT) | name
                wp.atomic_min(keys, b, row, column, key)
                wp.atomic_or(covered, b, row, column, bit)


@wp.kernel
def scan(
    bank: Bank,
    views: wp.array(dtype=View),
    things: wp.array(dtype=Thing, ndim=2),
    runs: wp.array(dtype=wp.vec3i),  # scene, index of the thing, first face
    run: wp.int32,
    width: wp.int32,
    height: wp.int32,
    keys: wp.array(dtype=wp.uint64, ndim=3),
    covered: wp.array(dtype=wp.int32, ndim=3),
):
    """Each thread scans `run` faces of a thing."""
    item = wp.tid()
    b, i, first = runs[item][0], runs[item][1], runs[item][2]
    for face in range(first, wp.min(first + run, bank.meshes[things[b, i].mesh].faces)):
        scan_face(bank, views, things, b, i, face, width, height, keys, covered)


@wp.func
def ground_depth(view: View, ray: wp.vec3):
    """FAR if the ray does not meet the ground from above."""
    slope = view.ground[0] * ray[0] + view.ground[1] * ray[1] + view.ground[2] * ray[2]
    if view.ground_picture >= 0 and slope < -1.0e-6 and view.ground[3] > 0.0:
        return wp.min(-view.ground[3] / slope, FAR)
    return FAR


@wp.func
def trace_things(
    hit: Hit,
    count: wp.int32,
    things: wp.array(dtype=Thing, ndim=2),
    meshes: wp.array(dtype=MeshRecord),
    b: wp.int32,
    column: wp.int32,
    row: wp.int32,
    ray: wp.vec3,
):
    """`hit`, or what lies before it among the first `count` things."""
    for i in range(count):
        box = things[b, i].rectangle
        if column >= box[0] and column <= box[2] and row >= box[1] and row <= box[3]:
            direction = things[b, i].obj_from_cam * ray
            found = wp.mesh_query_ray(meshes[things[b, i].mesh].id, things[b, i].origin, direction, FAR)
            if found.result:
                hit.covered |= 1 << things[b, i].place
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
    own: wp.int32,
    point: wp.vec3,
    direction: wp.vec3,
):
    """Whether anything stands between a point of the thing `own` and a light."""
    for i in range(count):
        if i == own and meshes[things[b, i].mesh].convex == 1:
            continue
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
