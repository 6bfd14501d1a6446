"""Refine a pose on the edge of the mask. The outline shows how large an object appears, and so how far away it is.

Each point of the drawn outline looks along its normal for the edge of the mask. The pose moves to where all agree best
(Harris and Stennett, RAPID, BMVC 1990; robust weights as in Drummond and Cipolla, PAMI 24(7), 2002, section 4).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.estimation.least_squares import cauchy_divisor, stepped
from pose_regressor.geometry.camera import project
from pose_regressor.geometry.rigid import apply
from pose_regressor.types import FloatArray, ObjectModel

#: In pixels of the crop: the gap between points of the outline; how far each looks for the mask's edge, and in which
#: steps; the distance outside the outline at which no other part of the object may be.
SPACING, REACH, STEP, CLEAR = 2.0, 4.0, 0.5, 1.5
#: Standard deviation of the mask's edge, pixels. Neighbours err together: all points count as this many.
EDGE_SIGMA, EFFECTIVE_POINTS = 0.7, 16.0
#: Standard deviation, pixels, of each way in which a mask errs as a whole: too wide or too narrow, shifted to the side
#: or upwards, stretched along an axis or a diagonal. It is 0.5 on pictures like those of the training; twice that is
#: assumed, for others. It keeps the outline from claiming to know too much of the pose.
MASK_SIGMA = 1.0
#: A distance of this many standard deviations counts half.
OUTLYING = 1.5
#: Width of a sharp edge of the mask, pixels.
SHARP = 2.0
#: A pose makes no sense if the object's nearest point is nearer than this share of the distance of its farthest.
NEAREST = 0.02
#: Least depth that is divided by, metres.
TOUCHING = 1e-9
#: A pose is not moved by more than this many of its standard deviations.
FARTHEST = 7.0
#: Least points of the outline at which the mask's edge is seen.
MIN_POINTS = 20
#: How often the outline is drawn, and how often each time the points are reweighted.
LOOKS, REWEIGHTINGS = 2, 3


@dataclass(frozen=True, eq=False)
class Edges:
    """The edges of a mesh.

    vertices: (V, 3) metres, object frame
    faces: (F, 3) vertices of each triangle
    ends: (E, 2) vertices of each edge
    opposite: (E, 2) third vertices of the two faces at each edge; the same twice if there is one face
    """

    vertices: FloatArray
    faces: NDArray[np.int64]
    ends: NDArray[np.int64]
    opposite: NDArray[np.int64]

    @classmethod
    def of(cls, model: ObjectModel) -> Edges | None:
        """None if the object has no mesh."""
        faces = model.faces
        if not len(faces):
            return None
        ends = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
        third = np.concatenate([faces[:, 2], faces[:, 0], faces[:, 1]])
        order = np.lexsort((ends[:, 1], ends[:, 0]))
        ends, third = ends[order], third[order]
        first = np.append(True, (ends[1:] != ends[:-1]).any(1))
        number = np.cumsum(first) - 1
        opposite = np.stack([third[first], third[first]], axis=1)
        opposite[number[~first], 1] = third[~first]
        return cls(model.vertices, faces, ends[first], opposite)

    def outline(
        self, cam_from_obj: FloatArray, camera_matrix: FloatArray, size: int
    ) -> tuple[FloatArray, FloatArray, NDArray[np.uint8]]:
        """Points (N, 3) of the surface at the object's outline, object frame; (N, 2) their normals, pointing outwards
        in the image; and (size, size) whether a pixel shows the object.

        size: edge of the square image, pixels. No points if the object reaches up to the camera.
        """
        covered = np.zeros((size, size), np.uint8)
        depth = self.vertices @ cam_from_obj[2, :3] + cam_from_obj[2, 3]
        if depth.min() < NEAREST * depth.max():
            return np.zeros((0, 3)), np.zeros((0, 2)), covered
        pixels = project(apply(cam_from_obj, self.vertices), camera_matrix, TOUCHING)
        start, along = pixels[self.ends[:, 0]], pixels[self.ends[:, 1]] - pixels[self.ends[:, 0]]
        third = pixels[self.opposite] - start[:, None]
        side = along[:, None, 0] * third[..., 1] - along[:, None, 1] * third[..., 0]
        # At the outline both faces lie on the same side of the edge.
        bends = (side[:, 0] * side[:, 1]) > 0
        start, along, inside = start[bends], along[bends], np.sign(side[bends, 0])
        length = np.sqrt(np.square(along).sum(1))
        count = np.maximum((length / SPACING).astype(int), 1)
        edge = np.repeat(np.arange(len(length)), count)
        first = np.repeat(np.cumsum(count) - count, count)
        share = ((np.arange(len(edge)) - first + 0.5) / count[edge])[:, None]
        normal = np.stack([along[:, 1], -along[:, 0]], axis=1) * (inside / np.maximum(length, 1e-9))[:, None]
        outside = np.round(start[edge] + share * along[edge] + CLEAR * normal[edge]).astype(int)
        free = ((outside >= 0) & (outside < size)).all(1)
        for corners in np.round(pixels[self.faces] * 16).clip(-(2**24), 2**24).astype(np.int32):
            cv2.fillConvexPoly(covered, corners, 1, shift=4)
        free[free] = covered[outside[free, 1], outside[free, 0]] == 0
        ends = self.vertices[self.ends[bends]][edge[free]]
        return ends[:, 0] * (1 - share[free]) + ends[:, 1] * share[free], normal[edge[free]], covered


def refine_on_outline(
    cam_from_obj: FloatArray,
    covariance: FloatArray,
    camera_matrix: FloatArray,
    probability: NDArray[np.float32],
    edges: Edges,
) -> tuple[FloatArray, FloatArray]:
    """The most likely pose, and its covariance, given the mask.

    cam_from_obj: (4, 4) and covariance: (6, 6), of the pose before, as in PoseEstimate; both come back unchanged if too
        little of the outline is seen or if it contradicts them
    camera_matrix: (3, 3) of the crop
    probability: (S, S) that each pixel of the crop shows the object
    """
    # The last five unknowns are the ways in which the mask errs as a whole.
    before = np.eye(11) / MASK_SIGMA**2
    before[:6, :6] = np.linalg.inv(covariance)
    pose, shift = cam_from_obj, np.zeros(11)
    for _ in range(LOOKS):
        seen = _edge_distances(pose, camera_matrix, probability, edges)
        if seen is None:
            return cam_from_obj, covariance
        distance, sigma, jacobian = seen
        share = EFFECTIVE_POINTS / (len(distance) * sigma**2)
        step = np.zeros(11)
        for _ in range(REWEIGHTINGS):
            robust = cauchy_divisor(distance - step @ jacobian, OUTLYING * sigma)
            weighted = jacobian * (share / robust)
            information = before + weighted @ jacobian.T
            step = np.linalg.solve(information, weighted @ distance - before @ shift)
        shift[:6] += step[:6]
        pose = stepped(pose, step[:6])
    if not shift @ before @ shift <= FARTHEST**2:  # also rejects NaN
        return cam_from_obj, covariance
    return pose, np.linalg.inv(information)[:6, :6]


def _edge_distances(
    pose: FloatArray, camera_matrix: FloatArray, probability: NDArray[np.float32], edges: Edges
) -> tuple[FloatArray, FloatArray, FloatArray] | None:
    """Where the mask ends, along the normal of N points of the outline; None if too few see its edge.

    (N,) distance outside the outline, pixels; (N,) its standard deviation; (11, N) its derivative by the pose and by
    the ways in which a mask errs as a whole.
    """
    size = len(probability)
    points, normal, _ = edges.outline(pose, camera_matrix, size)
    if len(points) < MIN_POINTS:
        return None
    pixels = project(apply(pose, points), camera_matrix, TOUCHING)
    reach = np.arange(-REACH, REACH + STEP / 2, STEP)
    places = pixels[:, None] + reach[:, None] * normal[:, None]
    shown = cv2.remap(probability, places.astype(np.float32), None, cv2.INTER_LINEAR)
    inside = shown > 0.5
    # The mask must end once, and within the crop. Where something covers the object or touches it, it may not.
    changes = np.count_nonzero(inside[:, 1:] != inside[:, :-1], axis=1)
    both_ends = places[:, :: len(reach) - 1]
    within = ((both_ends >= 0) & (both_ends <= size - 1)).all((1, 2))
    clear = np.flatnonzero(inside[:, 0] & (changes == 1) & within)
    if len(clear) < MIN_POINTS:
        return None
    points, normal, shown = points[clear], normal[clear], shown[clear].astype(np.float64)
    last = np.count_nonzero(inside[clear], axis=1) - 1
    rows = np.arange(len(last))
    inner, outer = shown[rows, last], shown[rows, last + 1]
    distance = reach[last] + STEP * (inner - 0.5) / (inner - outer)
    # Where the mask fades slowly, its edge is less certain.
    width = 4 * STEP * (shown * (1 - shown)).sum(1)
    sigma = EDGE_SIGMA * np.maximum(width / SHARP, 1)

    tx, ty, tz = turned = pose[:3, :3] @ points.T
    x, y, depth = turned + pose[:3, 3:]
    by_x, by_y = (normal @ camera_matrix[:2, :2]).T / depth  # the slope of the image along the normal
    by_z = -(by_x * x + by_y * y) / depth
    right, down = normal.T
    by_turn = ty * by_z - tz * by_y, tz * by_x - tx * by_z, tx * by_y - ty * by_x
    whole = np.ones_like(right), right, down, right**2 - down**2, 2 * right * down
    return distance, sigma, np.array([by_x, by_y, by_z, *by_turn, *whole])
