"""Filter steps against closed forms, Riccati's equation, finite differences and the statistics that they promise."""

import numpy as np
import pytest
from scipy.linalg import expm, solve_discrete_are
from scipy.stats import chi2

from pose_regressor.tracking.kalman import State, corrected, difference, mixed, moved, moving, still, turned

STEP = 1 / 30


def start(words, pose=None, sigma_pose=0.01, sigma_rate=0.1):
    covariance = np.diag(np.repeat([sigma_pose**2, sigma_rate**2], 6))
    return State(words.pose([0, 0, 0.5]) if pose is None else pose, np.zeros(6), covariance)


def test_difference_is_undone_by_moved(words):
    generator = np.random.default_rng(0)
    for _ in range(20):
        a, b = (words.pose(generator.normal(size=3), generator.normal(size=3)) for _ in range(2))
        np.testing.assert_allclose(moved(a, difference(b, a)), b, atol=1e-12)


def test_gain_of_a_random_walk_settles_at_its_closed_form(words):
    """Prior variance p = (q + sqrt(q² + 4 q r)) / 2, gain p / (p + r)."""
    density, noise = np.repeat([1e-4, 4e-4], 3), np.repeat([2e-5, 3e-4], 3)
    state = start(words)
    for _ in range(300):
        state = still(state, STEP, density, np.ones(6))
        prior = np.diag(state.pose_covariance)
        state, _ = corrected(state, state.pose, np.diag(noise))
    q = density * STEP
    closed = (q + np.sqrt(q * q + 4 * q * noise)) / 2
    np.testing.assert_allclose(prior, closed, rtol=1e-9)
    pushed, _ = corrected(still(state, STEP, density, np.ones(6)), moved(state.pose, np.full(6, 1e-6)), np.diag(noise))
    np.testing.assert_allclose(difference(pushed.pose, state.pose), closed / (closed + noise) * 1e-6, rtol=1e-6)


def test_covariance_of_a_moving_one_settles_where_riccati_says(words):
    density, noise = np.repeat([0.5, 20.0], 3), np.repeat([2e-5, 3e-4], 3)
    state = start(words)
    for _ in range(400):
        state = moving(state, STEP, density)
        prior = state.covariance
        state, _ = corrected(state, state.pose, np.diag(noise))
    f = np.array([[1, STEP], [0, 1]])
    shape = np.array([[STEP**3 / 3, STEP**2 / 2], [STEP**2 / 2, STEP]])
    for axis in range(6):
        expected = solve_discrete_are(f.T, np.array([[1.0], [0]]), density[axis] * shape, noise[axis : axis + 1, None])
        np.testing.assert_allclose(prior[np.ix_([axis, axis + 6], [axis, axis + 6])], expected, rtol=1e-6)


def test_a_constant_rate_is_followed_exactly(words):
    rate = np.array([0.2, -0.1, 0.3, 0.5, 2.0, -1.0])
    state = State(words.pose([0, 0, 1], [1, 0, 0]), rate, np.eye(12))
    for _ in range(10):
        state = moving(state, 0.1, np.zeros(6))
    np.testing.assert_allclose(state.pose[:3, 3], [0.2, -0.1, 1.3], atol=1e-12)
    expected = expm(words.hat(rate[3:])) @ words.pose([0, 0, 0], [1, 0, 0])[:3, :3]
    np.testing.assert_allclose(state.pose[:3, :3], expected, atol=1e-12)


def test_errors_go_on_as_the_transition_says(words):
    """Linear in the error: the covariance of a step without noise, against differences of the motion itself."""
    rate, pose, seconds = np.array([0.2, -0.1, 0.3, 2.0, 5.0, -3.0]), words.pose([0, 0, 1], [1, 2, 0]), 0.2

    def after(error):
        state = State(moved(pose, error[:6]), rate + error[6:], np.eye(12))
        state = moving(state, seconds, np.zeros(6))
        return np.concatenate([difference(state.pose, middle.pose), state.rate - middle.rate])

    middle = moving(State(pose, rate, np.eye(12)), seconds, np.zeros(6))
    transition = np.stack([(after(e) - after(-e)) / 2e-6 for e in 1e-6 * np.eye(12)], 1)
    np.testing.assert_allclose(middle.covariance, transition @ transition.T, atol=1e-7)


@pytest.mark.parametrize("turn_rate", [0.0, 4.0])
def test_errors_are_as_large_as_the_filter_says(words, turn_rate):
    """Normalised estimation error squared of simulated motions, within the two-sided 99.9 % bounds of chi-square; and
    that of the innovations."""
    generator = np.random.default_rng(1)
    density, sigma, runs, frames = np.repeat([0.5, 20.0], 3), np.repeat([0.004, 0.03], 3), 60, 40
    shape = np.array([[STEP**3 / 3, STEP**2 / 2], [STEP**2 / 2, STEP]])
    root = np.linalg.cholesky(np.kron(shape, np.diag(density)))
    errors, surprises = np.zeros(runs), np.zeros(runs)
    for run in range(runs):
        truth = State(
            words.pose([0, 0, 1], generator.normal(size=3)), np.array([0.2, 0, 0, 0, turn_rate, 0]), np.eye(12)
        )
        prior = np.repeat([0.01, 0.05, 0.1, 0.5], 3)
        error = prior * generator.normal(size=12)
        state = State(moved(truth.pose, error[:6]), truth.rate + error[6:], np.diag(prior**2))
        for _ in range(frames):
            kick = root @ generator.normal(size=12)
            truth = moving(truth, STEP, np.zeros(6))
            truth = State(moved(truth.pose, kick[:6]), truth.rate + kick[6:], truth.covariance)
            state = moving(state, STEP, density)
            measured = moved(truth.pose, sigma * generator.normal(size=6))
            innovation = difference(measured, state.pose)
            spread = state.pose_covariance + np.diag(sigma**2)
            surprises[run] += innovation @ np.linalg.solve(spread, innovation)
            state, _ = corrected(state, measured, np.diag(sigma**2))
        error = np.concatenate([difference(truth.pose, state.pose), truth.rate - state.rate])
        errors[run] = error @ np.linalg.solve(state.covariance, error)
    for total, freedom in ((errors.sum(), 12 * runs), (surprises.sum(), 6 * runs * frames)):
        assert chi2.ppf(0.0005, freedom) < total < chi2.ppf(0.9995, freedom)


def test_mixture_has_the_moments_of_its_samples(words):
    generator = np.random.default_rng(2)
    pose = words.pose([0, 0, 1], [0.5, 1, 0])
    far = moved(pose, np.array([0.02, 0, 0, 0, 0.05, 0]))
    parts = [State(pose, np.zeros(6), 1e-4 * np.eye(12)), State(far, np.full(6, 0.1), 4e-4 * np.eye(12))]
    weights = np.array([0.7, 0.3])
    mixture = mixed(parts, weights)
    samples = []
    for part in generator.choice(2, 20000, p=weights):
        error = np.sqrt(parts[part].covariance[0, 0]) * generator.normal(size=12)
        sample = moved(parts[part].pose, error[:6])
        samples.append(np.concatenate([difference(sample, mixture.pose), parts[part].rate + error[6:] - mixture.rate]))
    np.testing.assert_allclose(np.mean(samples, axis=0), 0, atol=2e-3)
    np.testing.assert_allclose(np.cov(np.array(samples).T), mixture.covariance, atol=1.5e-4)


def test_a_turned_pose_has_its_covariance(words):
    """Sampled: errors of the pose, seen as errors of the pose that a symmetry makes of it."""
    generator = np.random.default_rng(3)
    pose, symmetry = words.pose([0.1, 0, 0.5], [0.3, 1, 0]), words.pose([0.02, 0.05, -0.03], [0, 0, np.pi])
    root = np.linalg.cholesky(np.diag(np.repeat([1e-6, 1e-4], 3)) + 1e-7 * np.ones((6, 6)))
    goal, covariance = turned(pose, root @ root.T, symmetry)
    samples = [difference(moved(pose, root @ generator.normal(size=6)) @ symmetry, goal) for _ in range(20000)]
    np.testing.assert_allclose(goal, pose @ symmetry)
    np.testing.assert_allclose(np.cov(np.array(samples).T), covariance, atol=0.04 * covariance.max())
