"""The covariance against the spread of ten thousand noisy problems."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from scipy.stats import chi2, f

from pose_regressor.ops.pnp import bpnp

pytestmark = pytest.mark.usefixtures("either_pnp")

PROBLEMS, NOISE = 10_000, 1.0


@pytest.fixture(scope="module")
def points():
    generator = torch.Generator().manual_seed(3)
    return 2 * torch.rand(PROBLEMS, 20, 3, generator=generator).double() - 1 + torch.tensor([0.5, 0.0, -0.4])


@pytest.fixture(scope="module")
def solved(points):
    rotation = torch.from_numpy(Rotation.random(PROBLEMS, random_state=4).as_matrix())
    translation = torch.tensor([0.3, -0.2, 6.0]).double().expand(PROBLEMS, 3)
    camera = torch.tensor([[600.0, 0, 320], [0, 630, 240], [0, 0, 1]]).double()
    image = (points @ rotation.mT + translation[:, None]) @ camera.mT
    noise = torch.randn(PROBLEMS, 20, 2, generator=torch.Generator().manual_seed(5)).double()
    # Points of different precision, and weights that say so.
    weights = torch.linspace(0.3, 3, 20).double()
    pixels = image[..., :2] / image[..., 2:] + NOISE * noise / weights.sqrt()[:, None]
    return rotation, translation, lambda **options: bpnp(pixels, points, camera, weights, **options)


def distances(rotation, translation, result):
    """Squared Mahalanobis distance of the true pose from the found one: what moves the one to the other on the left."""
    turn = Rotation.from_matrix((rotation @ result.rotation.mT).numpy()).as_rotvec()
    offset = torch.cat([translation - result.translation, torch.from_numpy(turn)], 1)
    return (offset * torch.linalg.solve(result.covariance, offset)).sum(1).numpy()


def test_the_ellipsoid_holds_what_it_says(solved):
    """With known noise chi-square, with noise from the residuals F: within 1 %, at 95 % and at half."""
    rotation, translation, solve = solved
    known, estimated = solve(pixel_sigma=NOISE), solve()
    assert known.converged.all() and estimated.converged.all()
    freedom = 2 * 20 - 6
    for share in (0.95, 0.5):
        inside = distances(rotation, translation, known) < chi2.ppf(share, 6)
        assert inside.mean() == pytest.approx(share, abs=0.01)
        inside = distances(rotation, translation, estimated) < 6 * f.ppf(share, 6, freedom)
        assert inside.mean() == pytest.approx(share, abs=0.01)


def test_it_is_the_spread_in_every_direction(points, solved):
    """The same problem again and again: the sample covariance, entry by entry."""
    del solved
    camera = torch.tensor([[600.0, 0, 320], [0, 630, 240], [0, 0, 1]]).double()
    rotation = torch.from_numpy(Rotation.from_euler("xyz", [0.4, -0.7, 1.1]).as_matrix())
    translation = torch.tensor([0.3, -0.2, 6.0]).double()
    image = (points[0] @ rotation.mT + translation) @ camera.mT
    noise = torch.randn(PROBLEMS, 20, 2, generator=torch.Generator().manual_seed(6)).double()
    result = bpnp(image[:, :2] / image[:, 2:] + noise, points[0], camera, pixel_sigma=1.0)
    turn = Rotation.from_matrix((result.rotation @ rotation.mT).numpy()).as_rotvec()
    sample = np.cov(np.concatenate([(result.translation - translation).numpy(), turn], 1).T)
    stated = result.covariance.mean(0).numpy()
    scale = np.sqrt(np.outer(np.diag(sample), np.diag(sample)))
    np.testing.assert_allclose(stated / scale, sample / scale, atol=0.05)
