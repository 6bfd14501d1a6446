"""The projection loss: values and gradients of the reference against loops over pixels, and what it refuses."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pose_regressor.ops.projection import KERNELS, projection_loss

K = torch.tensor([[40.0, 0.5, 15.3], [0, 42, 11.7], [0, 0, 1]], dtype=torch.float64)


def scene(seed: int, batch: int = 4, count: int = 60, spread: float = 0.1) -> dict[str, torch.Tensor]:
    """Points within 20 cm, two poses half a metre away that differ by `spread` (radians and half metres)."""
    rng = np.random.default_rng(seed)
    true = Rotation.random(batch, rng=rng)
    turn = Rotation.from_rotvec(rng.normal(0, spread, (batch, 3)))
    translation = np.array([0, 0, 0.5]) + rng.normal(0, 0.03, (batch, 3))
    values = {
        "points": rng.uniform(-0.1, 0.1, (count, 3)),
        "rotation": (turn * true).as_matrix(),
        "translation": translation + rng.normal(0, spread / 2, (batch, 3)),
        "rotation_gt": true.as_matrix(),
        "translation_gt": translation,
    }
    return {name: torch.tensor(value) for name, value in values.items()} | {"camera_matrix": K}


def by_loops(points, rotation, translation, rotation_gt, translation_gt, camera_matrix, size, scale, kernel):
    """Loss and its derivative by the grid coordinates of every point, of one image, pixel by pixel."""
    height, width = size

    def lands(r, t):
        at, cells = [], {}
        for index, point in enumerate(points @ r.T + t):
            u = (camera_matrix[0] @ point) / point[2]
            v = camera_matrix[1, 1] * point[1] / point[2] + camera_matrix[1, 2]
            at.append((scale * u, scale * v))
            cell = (math.floor(scale * v + 0.5), math.floor(scale * u + 0.5))
            if point[2] > 0 and 0 <= cell[0] < height and 0 <= cell[1] < width:
                cells.setdefault(cell, []).append(index)
        return at, cells

    at, covered = lands(rotation, translation)
    _, wanted = lands(rotation_gt, translation_gt)
    intersection, union = len(covered.keys() & wanted.keys()), len(covered.keys() | wanted.keys())
    gradient = np.zeros((len(points), 2))
    if union == intersection:
        return 0.0, gradient

    def by_x(cell):
        return -1 / union if cell in wanted else intersection / union**2

    if kernel == "one_pixel":
        for cell, indices in covered.items():
            a, b = at[indices[0]]
            for n in range(height):
                for m in range(width):
                    if len(indices) > 1 if (n, m) == cell else (n, m) in covered:
                        continue
                    if abs(m - a) < 1:
                        gradient[indices[0], 0] += by_x((n, m)) * max(0, 1 - abs(n - b)) * (1 if a <= m else -1)
                    if abs(n - b) < 1:
                        gradient[indices[0], 1] += by_x((n, m)) * max(0, 1 - abs(m - a)) * (1 if b <= n else -1)
        return 1 - intersection / union, gradient

    for cell in covered.keys() ^ wanted.keys():
        for axis in (0, 1):  # along the row, along the column
            for step in (-1, 1):
                place, inside = list(cell), cell in covered
                while True:  # to the nearest covered pixel, or to the end of the run of covered pixels
                    ahead = list(place)
                    ahead[1 - axis] += step
                    here, there = tuple(place) in covered, tuple(ahead) in covered
                    if (inside and not there) or (not inside and here):
                        break
                    if not (0 <= ahead[0] < height and 0 <= ahead[1] < width):
                        place = None
                        break
                    place = ahead
                if place is None:
                    continue
                index = covered[tuple(place)][0]
                goal = cell[1 - axis] - step if inside else cell[1 - axis]
                way = max(1, (goal - at[index][axis]) * -step)
                gradient[index, axis] += by_x(cell) * (-1 if inside else 1) * -step / way
    return 1 - intersection / union, gradient


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("count", [5, 60, 600])
def test_values_and_gradients_are_those_of_the_loops(kernel, count):
    values = scene(count, count=count)
    values["rotation"].requires_grad_()
    values["translation"].requires_grad_()
    loss = projection_loss(**values, size=(24, 32), scale=0.9, kernel=kernel)
    loss.sum().backward()
    for index in range(4):
        rotation, translation = values["rotation"][index].detach(), values["translation"][index].detach()
        expected, by_grid = by_loops(
            values["points"].numpy(), rotation.numpy(), translation.numpy(), values["rotation_gt"][index].numpy(),
            values["translation_gt"][index].numpy(), K.numpy(), (24, 32), 0.9, kernel,
        )  # fmt: skip
        assert loss[index].item() == pytest.approx(expected, abs=1e-12)
        assert 0 < expected <= 1
        # How the grid coordinates move with the pose, from autograd of the projection alone.
        rotation, translation = rotation.requires_grad_(), translation.requires_grad_()
        camera = values["points"] @ rotation.T + translation
        grid = 0.9 * (camera @ K.T)[:, :2] / camera[:, 2:]
        (grid * torch.tensor(by_grid)).sum().backward()
        torch.testing.assert_close(values["rotation"].grad[index], rotation.grad, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(values["translation"].grad[index], translation.grad, rtol=1e-9, atol=1e-12)
    assert values["translation"].grad.norm() > 0
