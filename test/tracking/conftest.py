from types import SimpleNamespace

import numpy as np
import pytest
from scipy.linalg import expm

from pose_regressor.types import ObjectModel, PoseEstimate

#: Standard deviations of measured poses: metres, radians.
SIGMA = np.repeat([0.004, 0.03], 3)


def hat(v):
    return np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])


def make_model(name="crate", symmetries=()):
    return ObjectModel(
        name, 1, 0.2, np.array([[-0.1] * 3, [0.1] * 3]), np.eye(3) / 20, np.eye(3), np.reshape(symmetries, (-1, 4, 4))
    )


@pytest.fixture
def words():
    """pose(place, turn): a transform by SciPy's expm; seen(pose, ...): it as an estimate; model(name, symmetries)."""
    crate = make_model()

    def pose(place, turn=(0, 0, 0)):
        result = np.eye(4)
        result[:3, :3], result[:3, 3] = expm(hat(np.asarray(turn, float))), place
        return result

    def seen(cam_from_obj, score=0.9, model=crate, sigma=SIGMA):
        return PoseEstimate(model, cam_from_obj, np.diag(sigma**2), score, "pnp", np.zeros(4))

    return SimpleNamespace(pose=pose, seen=seen, model=make_model, hat=hat, SIGMA=SIGMA)
