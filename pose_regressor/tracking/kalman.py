"""One step of a Kalman filter over a pose and its rate, in the camera's frame.

The error of a state is a small motion that takes the estimate to the truth: an "error-state", or multiplicative, filter
(Solà, Quaternion kinematics for the error-state Kalman filter, arXiv:1711.02508, chapter 6, here with matrices and with
errors on the left). Motions are those of `geometry.rigid`. PoseEstimate's covariances are of the same motions, so
measured ones go in as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pose_regressor.geometry.rigid import difference, moved
from pose_regressor.geometry.so3 import exp, left_jacobian, skew
from pose_regressor.types import FloatArray, PoseEstimate

POSITION, ROTATION, POSE, RATE = slice(0, 3), slice(3, 6), slice(0, 6), slice(6, 12)
_EYE = np.eye(12)


@dataclass(frozen=True, eq=False)
class State:
    """What the filter knows of an object.

    pose: (4, 4) cam_from_obj
    rate: (6,) m/s and rad/s, along and about the camera's axes
    covariance: (12, 12) of the errors of both, pose first
    """

    pose: FloatArray
    rate: FloatArray
    covariance: FloatArray

    @property
    def pose_covariance(self) -> FloatArray:
        """(6, 6), as in PoseEstimate."""
        return self.covariance[POSE, POSE]


def turned(pose: FloatArray, covariance: FloatArray, symmetry: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Pose (4, 4) and covariance (6, 6) after a symmetry (4, 4) of the object has moved it in its own frame.

    The symmetry shifts the object's origin by t, so an error of rotation e now moves it by e x (R t) more.
    """
    chart = np.eye(6)
    chart[POSITION, ROTATION] = -skew(pose[:3, :3] @ symmetry[:3, 3])
    return pose @ symmetry, chart @ covariance @ chart.T


def nearest(estimate: PoseEstimate, reference: FloatArray) -> PoseEstimate:
    """The estimate, moved by the symmetry that brings its rotation nearest to that of `reference` (4, 4)."""
    symmetries = estimate.model.symmetries
    if not len(symmetries):
        return estimate
    # The trace of A Bᵀ is largest for the rotations that are nearest to each other.
    alike = np.einsum("ij,sij->s", reference[:3, :3], estimate.rotation @ symmetries[:, :3, :3])
    best = int(alike.argmax())
    if alike[best] <= float((reference[:3, :3] * estimate.rotation).sum()):
        return estimate
    pose, covariance = turned(estimate.cam_from_obj, estimate.covariance, symmetries[best])
    return replace(estimate, cam_from_obj=pose, covariance=covariance)


def moving(state: State, seconds: float, density: FloatArray) -> State:
    """The state after `seconds` in which the rate changes by white noise of acceleration only.

    density: (6,) the noise's power spectral density, m²/s³ and rad²/s³

    Noise of a step: Bar-Shalom, Li, Kirubarajan, Estimation with Applications to Tracking and Navigation (2001),
    section 6.2.2.
    """
    turn = state.rate[3:] * seconds
    transition = np.eye(12)
    transition[ROTATION, ROTATION] = exp(turn)
    transition[0:3, 6:9] = seconds * _EYE[:3, :3]
    transition[3:6, 9:12] = seconds * left_jacobian(turn)
    step = np.array([[seconds**3 / 3, seconds**2 / 2], [seconds**2 / 2, seconds]])
    noise = step[:, None, :, None] * np.diag(density)[:, None]  # their Kronecker product
    covariance = transition @ state.covariance @ transition.T + noise.reshape(12, 12)
    return State(moved(state.pose, state.rate * seconds), state.rate, covariance)


def still(state: State, seconds: float, density: FloatArray, rate: FloatArray) -> State:
    """The state after `seconds` in which the object only creeps: a random walk of the pose.

    density: (6,) of the walk, m²/s and rad²/s
    rate: (6,) standard deviations of the rate with which it begins to move, m/s and rad/s
    """
    covariance = np.zeros((12, 12))
    covariance[POSE, POSE] = state.pose_covariance + seconds * np.diag(density)
    covariance[RATE, RATE] = np.diag(rate**2)
    return State(state.pose, np.zeros(6), covariance)


def corrected(state: State, pose: FloatArray, covariance: FloatArray) -> tuple[State, float]:
    """The state after a pose (4, 4) was measured, and the logarithm of that pose's likelihood, up to a constant.

    covariance: (6, 6) of the measured pose
    """
    innovation = difference(pose, state.pose)
    spread = state.pose_covariance + covariance
    solved = np.linalg.solve(spread, np.column_stack([state.covariance[POSE], innovation]))
    gain = solved[:, :12].T
    likelihood = -0.5 * (innovation @ solved[:, 12] + np.linalg.slogdet(spread)[1])
    error = gain @ innovation
    # Joseph's form stays symmetric and positive. The reset then expresses the errors
    # relative to the corrected estimate.
    kept, reset = _EYE.copy(), _EYE.copy()
    kept[:, POSE] -= gain  # the pose is what is measured
    reset[ROTATION, ROTATION] = left_jacobian(error[ROTATION])
    after = reset @ (kept @ state.covariance @ kept.T + gain @ covariance @ gain.T) @ reset.T
    return State(moved(state.pose, error[POSE]), state.rate + error[RATE], after), float(likelihood)


def mixed(states: Sequence[State], weights: FloatArray) -> State:
    """Mean and covariance of a mixture of states; weights: (N,), with sum one."""
    reference = states[int(np.argmax(weights))]
    offsets = np.zeros((len(states), 12))
    for offset, state in zip(offsets, states, strict=True):
        if state is not reference:
            offset[POSE], offset[RATE] = difference(state.pose, reference.pose), state.rate - reference.rate
    mean = weights @ offsets
    apart = offsets - mean
    covariance = (apart.T * weights) @ apart
    for weight, state in zip(weights, states, strict=True):
        covariance += weight * state.covariance
    return State(moved(reference.pose, mean[POSE]), reference.rate + mean[RATE], covariance)
