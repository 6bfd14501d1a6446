"""Refine a pose on measured depth: the visible surface is moved onto the points that the depth camera measured.

First the pose slides along its ray to the distance at which most of the surface agrees, since one image knows the
distance worst. Then Gauss-Newton steps move all six degrees of freedom, point to plane (Chen and Medioni, Image and
Vision Computing 10(3), 1992) with projective association (Blais and Levine, PAMI 17(8), 1995) and Cauchy's loss.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_regressor.estimation.depth_prior import DepthPrior
from pose_regressor.estimation.independent_points import independent_points
from pose_regressor.estimation.least_squares import cauchy_divisor, stepped
from pose_regressor.estimation.refine_outline import Edges
from pose_regressor.estimation.sensor_bias import BiasBelief
from pose_regressor.estimation.visible_surface import Compared, Solid, compare, cross, visible_points
from pose_regressor.estimation.windows import DepthWindow
from pose_regressor.geometry.camera import project
from pose_regressor.geometry.rigid import apply
from pose_regressor.types import FloatArray

#: The slide along the ray: farthest, as a share of the distance and in standard deviations; the least of these, as a
#: share of the distance; its steps, and the residual that counts half, in diameters.
SLIDE, SLIDE_SIGMAS, SLIDE_SIGMA, SLIDE_STEP, SLIDE_WIDTH = 0.12, 3.0, 0.03, 0.02, 0.06
#: After a slide by more than this share of the distance, it is worked out anew which points are seen.
SEEN_ALIKE = 0.02
#: How often the surface is compared, each time with the residual, in diameters, that at most counts half.
WIDTHS = (0.08, 0.05, 0.03)
#: Steps after each comparison.
REWEIGHTINGS = 2
#: A residual of this many standard deviations counts half.
OUTLYING = 2.0
#: Least standard deviation of a residual: metres, and as a share of the diameter, for meshes are not exact either.
LEAST_SIGMA, MESH_SIGMA = 0.001, 0.005
#: Where this share of what depth can decide on contradicts the refined pose, its variance is twice as large: something
#: other than noise is wrong.
CONTRADICTED = 0.12
#: Weight of a point that the network's mask does not show: masks miss parts, too.
UNMASKED = 0.05
#: A pose is not moved by more than this many of its standard deviations.
FARTHEST = 7.0
#: Measured depth agrees with the surface to within this share of the diameter, along the normal, and at least metres.
AGREES, LEAST_AGREES = 0.04, 0.006
#: The object ends where the depth beside its outline, at this share of the crop's edge, is farther away than what
#: agrees. Its surface goes on where it stands on a table or touches its like. So a share of MOST_ENDS of the outline is
#: enough for the full score. However little of it ends, it counts as LEAST_ENDS.
BESIDE, LEAST_ENDS, MOST_ENDS = 1 / 16, 0.4, 0.8


@dataclass(frozen=True)
class Evidence:
    """What measured depth says of a pose.

    share: of the visible surface, where depth agrees
    confirmed: of what depth can decide on, the share that agrees; the rest contradicts: the surface is in front of the
        measured one, in free space, or behind it where the mask shows the object
    ends: of the outline, the share where the measured surface ends, too; elsewhere it goes on beside the object, as on
        a larger one. What is hidden or not measured is left out
    """

    share: float
    confirmed: float
    ends: float

    @property
    def support(self) -> float:
        """Factor for the raw score. What is hidden, or not measured, counts less than what contradicts."""
        return self.confirmed * math.sqrt(self.share) * min(max(self.ends, LEAST_ENDS) / MOST_ENDS, 1.0)


@dataclass(frozen=True, eq=False)
class DepthFit:
    """A pose after depth was compared.

    cam_from_obj: (4, 4); covariance: (6, 6), as in PoseEstimate
    evidence: what depth says of it; None: too little was measured to say anything
    bias: what the pose says of the sensor; None: the pose is the one before
    """

    cam_from_obj: FloatArray
    covariance: FloatArray
    evidence: Evidence | None
    bias: BiasBelief | None = None


def refine_on_depth(
    cam_from_obj: FloatArray,
    covariance: FloatArray,
    camera_matrix: FloatArray,
    probability: NDArray[np.float32],
    depth: DepthWindow,
    solid: Solid,
    edges: Edges,
) -> DepthFit:
    """The most likely pose, and its covariance, given the depth in the crop.

    cam_from_obj: (4, 4) and covariance: (6, 6), of the pose before, as in PoseEstimate; both come back unchanged if too
        little depth was measured or if it contradicts them
    camera_matrix: (3, 3) of the crop
    probability: (S, S) that each pixel of the crop shows the object
    solid, edges: of the object
    """
    unseen = DepthFit(cam_from_obj, covariance, None)
    crop, size = (camera_matrix, probability, depth), len(probability)
    visible = visible_points(cam_from_obj, camera_matrix, size, solid)
    first = None if visible is None else compare(cam_from_obj, *crop, visible)
    if first is None or not first.enough:
        return unseen

    def evidence_of(pose: FloatArray, compared: Compared, bias: float = 0.0) -> Evidence:
        return _evidence(compared, solid, _ends(pose, camera_matrix, depth, edges, solid.diameter, bias), bias)

    def unchanged() -> DepthFit:
        return DepthFit(cam_from_obj, covariance, evidence_of(cam_from_obj, first))

    prior, shift = DepthPrior.of(cam_from_obj, covariance, solid.diameter), np.zeros(7)
    slide = _slide(first, covariance[2, 2], cam_from_obj[2, 3], solid.diameter)
    shift[0] = slide * np.linalg.norm(cam_from_obj[:3, 3]) / cam_from_obj[2, 3]
    pose = stepped(cam_from_obj, prior.step(shift))
    # Which points are seen hardly changes by anything but a long slide.
    if abs(slide) > SEEN_ALIKE * cam_from_obj[2, 3]:
        visible = visible_points(pose, camera_matrix, size, solid)
    for width in WIDTHS:
        compared = None if visible is None else compare(pose, *crop, visible)
        if compared is None or not compared.enough:
            return unchanged()
        step, after, inverse = _step(compared, prior, shift, width * solid.diameter, solid.diameter)
        shift = shift + step
        pose = stepped(pose, prior.step(step))
    last = None if visible is None else compare(pose, *crop, visible)
    if last is None or not last.enough or not prior.length(shift) <= FARTHEST:  # also rejects NaN
        return unchanged()
    evidence = evidence_of(pose, last, shift[6])
    wrong = 1 + ((1 - evidence.confirmed) / CONTRADICTED) ** 2
    bias = prior.bias_belief(shift, inverse, pose[2, 3])
    return DepthFit(pose, wrong * prior.pose_covariance(after), evidence, bias)


def _slide(compared: Compared, variance: float, distance: float, diameter: float) -> float:
    """The change of distance after which most of the surface agrees with the measured depth, metres along z.

    variance: of the distance before, m²; distance: along z, metres
    """
    sigma = math.hypot(math.sqrt(variance), SLIDE_SIGMA * distance)
    farthest = max(SLIDE * distance, SLIDE_SIGMAS * sigma)
    shifts = np.linspace(-farthest, farthest, 2 * int(np.ceil(farthest / (SLIDE_STEP * diameter))) + 1)
    weight = np.maximum(compared.shown, UNMASKED)
    # 1 / cauchy_divisor of each shift (row) and point, in place: it is the largest array here.
    agrees = (shifts[:, None] - compared.along) / (SLIDE_WIDTH * diameter)
    np.square(agrees, out=agrees)
    agrees += 1
    np.reciprocal(agrees, out=agrees)
    best = shifts[np.argmax(agrees @ weight / cauchy_divisor(shifts, SLIDE_SIGMAS * sigma))]
    near = np.abs(compared.along - best) < 2 * SLIDE_WIDTH * diameter
    return float(np.median(compared.along[near]) if near.any() else best)


def _step(
    compared: Compared, prior: DepthPrior, shift: FloatArray, width: float, diameter: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The next step (7,) of pose and bias, and their covariance (7, 7) after it, both as shifts of the prior.

    Also returns the smaller covariance (7, 7) that would hold if residuals told everything of the depth's errors.

    shift: (7,) all steps before; width: residual, metres, that at most counts half
    """
    # (7, N), a row for each unknown: rows that lie together in memory are faster.
    jacobian = np.empty((7, len(compared.apart)))
    jacobian[:3] = prior.axes @ compared.normal.T
    jacobian[3:6] = cross(compared.turned, compared.normal).T
    jacobian[6] = compared.by_depth
    apart = compared.apart - compared.by_depth * shift[6]
    shown = np.maximum(compared.shown, UNMASKED)
    least, most = math.hypot(LEAST_SIGMA, MESH_SIGMA * diameter), width / OUTLYING
    step = np.zeros(7)
    for _ in range(REWEIGHTINGS):
        residual = apart - step @ jacobian
        sigma = min(max(_weighted_median(np.abs(residual), shown) / 0.6745, least), most)
        weight = shown / cauchy_divisor(residual, OUTLYING * sigma)
        seen, independent = independent_points(residual, weight, compared.cell)
        # Information of one independent point; `seen` such points count in the step.
        weighted = jacobian * (weight / (weight.sum() * sigma**2))
        data = weighted @ jacobian.T
        solved = prior.solve(shift, step, seen * data, seen * (weighted @ apart))
        step = solved.step
    inverse = solved.inverse
    covariance = inverse @ (solved.information + seen**2 / independent * data) @ inverse
    return step, covariance, inverse


def _weighted_median(values: FloatArray, weights: FloatArray) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(total, total[-1] / 2)]])


def _tolerance(diameter: float) -> float:
    return max(AGREES * diameter, LEAST_AGREES)


def _ends(
    pose: FloatArray, camera_matrix: FloatArray, depth: DepthWindow, edges: Edges, diameter: float, bias: float
) -> float:
    """The share of the outline where the measured surface ends, as in Evidence; 1 if nothing is known."""
    size = len(depth.depth)
    points, normal, covered = edges.outline(pose, camera_matrix, size)
    at = apply(pose, points)
    beside = np.rint(project(at, camera_matrix) + BESIDE * size * normal).astype(np.intp)
    inside = ((beside >= 0) & (beside < size)).all(1)
    column, row = beside[inside].T
    measured = depth.depth[row, column]
    # Across a gap, another part of the object itself may be seen.
    farther = (measured - bias - at[inside, 2])[(measured > 0) & (covered[row, column] == 0)]
    tolerance = _tolerance(diameter)
    ends, goes_on = int((farther > tolerance).sum()), int((np.abs(farther) <= tolerance).sum())
    return (ends + 1) / (ends + goes_on + 1)


def _evidence(compared: Compared, solid: Solid, ends: float, bias: float) -> Evidence:
    apart = compared.apart - compared.by_depth * bias
    tolerance = _tolerance(solid.diameter)
    agrees = np.abs(apart) < tolerance
    # The normal points to the camera: outside the surface is nearer.
    free, behind = apart <= -tolerance, (apart >= tolerance) & (compared.shown > 0.5)
    agreeing, against = int(agrees.sum()), int(free.sum() + behind.sum())
    return Evidence(agreeing / max(compared.visible, 1), agreeing / max(agreeing + against, 1), ends)
