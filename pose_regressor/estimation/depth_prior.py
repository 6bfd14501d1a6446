"""What is known of a pose before depth is compared: by the image, whose covariance is not always to be believed.

Calibrated covariances hold 95 % of the true poses. They are set by the worst of them, so most poses are much better:
errors have heavy tails. Along the ray, where image and depth compete, the prior is Student's t: narrow, but an image
that is far off counts little. In the other directions there are two hypotheses: *trusted*, the image errs as on the
pictures of the training, and *doubted*, it errs as on pictures unlike them. Depth chooses by the evidence (MacKay,
Bayesian Interpolation, Neural Computation 4(3), 1992).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pose_regressor.estimation.sensor_bias import BIAS_SHARE, BIAS_SIGMA, BiasBelief
from pose_regressor.types import FloatArray

#: Standard deviations of the narrow part of the errors, as a share of the calibrated ones. With TAIL, 0.34 fits errors
#: along the ray on ray-traced frames, and 0.5 those on real images of LM-O.
CORE = 0.4
#: Degrees of freedom of Student's t along the ray.
TAIL = 3.0
#: Added to a trusted pose: standard deviations across the ray, in diameters, and of the rotation, radians. No mesh and
#: no calibration of a camera is known better.
TRUSTED_SIDE, TRUSTED_TURN = 0.003, 0.005
#: Added to a doubted pose: what masks and object coordinates are wrong by on pictures unlike those of the training.
DOUBTED_SIDE, DOUBTED_TURN = 0.02, 0.12
#: Evidence that it takes to trust an image, as a difference of logarithms. Depth alone often cannot tell.
LOG_ODDS = -4.0


@dataclass(frozen=True, eq=False)
class DepthPrior:
    """Two hypotheses on a pose and on the sensor: trusted and doubted.

    A shift (7,) away from the pose: metres along the ray, metres in two directions across it, turn (3,) about the
    camera's axes in radians, and what all depths are wrong by in metres.

    axes: (3, 3) rows: the ray and the directions across it, camera frame
    information: (2, 7, 7) inverse covariances of the shift, without the tail along the ray
    determinant: (2,) logarithms of their determinants
    ray_variance: (2,) of the shift along the ray, m²
    bias_variance: of what all depths are wrong by, m²
    """

    axes: FloatArray
    information: FloatArray
    determinant: FloatArray
    ray_variance: FloatArray
    bias_variance: float

    @classmethod
    def of(cls, cam_from_obj: FloatArray, covariance: FloatArray, diameter: float) -> DepthPrior:
        """cam_from_obj: (4, 4) and covariance: (6, 6), calibrated, as in PoseEstimate; diameter: metres."""
        position = cam_from_obj[:3, 3]
        axes = _along_and_across(position)
        turned = covariance.copy()
        turned[:3] = axes @ turned[:3]
        turned[:, :3] = turned[:, :3] @ axes.T
        variance = np.zeros((2, 7, 7))
        variance[:, :6, :6] = CORE**2 * turned, turned
        for added, side, turn in zip(variance, (TRUSTED_SIDE, DOUBTED_SIDE), (TRUSTED_TURN, DOUBTED_TURN), strict=True):
            added[np.arange(1, 6), np.arange(1, 6)] += np.repeat([side * diameter, turn], [2, 3]) ** 2
        variance[:, 6, 6] = BIAS_SIGMA**2 + (BIAS_SHARE * position[2]) ** 2
        information = np.asarray(np.linalg.inv(variance), np.float64)
        determinant = np.asarray(np.linalg.slogdet(information)[1], np.float64)
        return cls(axes, information, determinant, variance[:, 0, 0], float(variance[0, 6, 6]))

    def step(self, shift: FloatArray) -> FloatArray:
        """(6,) a shift of the pose as `least_squares.stepped` takes it."""
        return np.concatenate([shift[:3] @ self.axes, shift[3:6]])

    def at(self, shift: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Information (2, 7, 7) at a shift (7,), and (2,) logarithms of its determinants with the odds.

        A shift along the ray of many standard deviations makes the image's distance less certain.
        """
        wider = (TAIL + shift[0] ** 2 / self.ray_variance) / (TAIL + 1)
        information = self.information.copy()
        narrower = 1 / np.sqrt(wider)
        information[:, 0] *= narrower[:, None]
        information[:, :, 0] *= narrower[:, None]
        return information, self.determinant - np.log(wider) + [2 * LOG_ODDS, 0.0]

    def solve(self, shift: FloatArray, step: FloatArray, data: FloatArray, slope: FloatArray) -> Solved:
        """The most likely step (7,) from a shift (7,), under the hypothesis with more evidence.

        step: (7,) an earlier answer, at which the tail along the ray is taken
        data: (7, 7) information of the depth; slope: (7,) what it asks for, so that alone it would step to
            inverse(data) @ slope
        """
        information, log_prior = self.at(shift + step)
        total = information + data
        inverse = np.linalg.inv(total)
        pull = slope - information @ shift
        steps = (inverse @ pull[:, :, None])[:, :, 0]
        # Twice the logarithm of the integral of prior times likelihood over all steps.
        evidence = (pull * steps).sum(1) - shift @ information @ shift + log_prior - np.linalg.slogdet(total)[1]
        best = int(np.argmax(evidence))
        return Solved(steps[best], information[best], inverse[best])

    def length(self, shift: FloatArray) -> float:
        """How long a shift (7,) is, in standard deviations of the doubted pose."""
        return math.sqrt(shift @ self.at(shift)[0][1] @ shift)

    def bias_belief(self, shift: FloatArray, inverse: FloatArray, distance: float) -> BiasBelief:
        """What a shift (7,) and its covariance (7, 7) say of the sensor; distance: of the object along z, metres."""
        with_pose = np.concatenate([inverse[6, :3] @ self.axes, inverse[6, 3:6]])
        return BiasBelief(float(shift[6]), float(inverse[6, 6]), self.bias_variance, with_pose, distance)

    def pose_covariance(self, covariance: FloatArray) -> FloatArray:
        """(6, 6) as in PoseEstimate, of a shift's covariance (7, 7)."""
        own = covariance[:6, :6].copy()
        own[:3] = self.axes.T @ own[:3]
        own[:, :3] = own[:, :3] @ self.axes
        return own


@dataclass(frozen=True, eq=False)
class Solved:
    """step: (7,); information: (7, 7) of the prior that was chosen; inverse: (7, 7) of prior and depth together."""

    step: FloatArray
    information: FloatArray
    inverse: FloatArray


def _along_and_across(position: FloatArray) -> FloatArray:
    """(3, 3) rows of an orthonormal basis, the first along `position` (3,)."""
    ray = position / np.linalg.norm(position)
    x, y, z = ray
    # The ray's cross product with the y axis, or with the x axis if the ray is almost the y axis.
    across = np.array([z, 0.0, -x] if abs(y) < 0.9 else [0.0, -z, y])
    across /= np.linalg.norm(across)
    u, v, w = across
    return np.array([ray, across, [y * w - z * v, z * u - x * w, x * v - y * u]])
