"""The projection loss: values and gradients of the reference against loops over pixels, and what it refuses."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pose_regressor.ops.projection import KERNELS, projection_loss
from pose_regressor.types import InputError

K = torch.tensor([[40.0, 0.5, 15.3], [0, 42, 11.7], [0, 0, 1]], dtype=torch.float64)


def scene(seed: int, batch: int = 4, count: int = 60, spread: float = 0.1) -> dict[str, torch.Tensor]:
    """Points within 20 cm, two poses half a metre away that differ by `spread` (radians and half metres)."""
    rng = np.random.default_rng(seed)
    true = Rotation.from_quat(rng.normal(size=(batch, 4)))
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


def test_the_loss_is_what_the_formula_says():
    """Two points on a row of the grid, moved by one pixel: they share one of three pixels."""
    points = torch.tensor([[0.0, 0, 0], [0.1, 0, 0]])
    camera = torch.tensor([[10.0, 0, 3], [0, 10, 1], [0, 0, 1]])
    eye, ahead = torch.eye(3)[None], torch.tensor([[0.0, 0, 1]])
    moved = (ahead + torch.tensor([[0.1, 0, 0]])).requires_grad_()
    loss = projection_loss(points, eye, moved, eye, ahead, camera, (3, 8))
    assert loss.item() == pytest.approx(1 - 1 / 3)
    loss.sum().backward()
    assert moved.grad[0, 0] > 0  # going back to the left brings them together


def test_pixel_centres_are_whole_numbers():
    """From half a pixel before its centre, included, to half a pixel after it, a point is in the pixel."""
    points, eye = torch.zeros(1, 3), torch.eye(3)[None]
    camera = torch.tensor([[1.0, 0, 2], [0, 1, 2], [0, 0, 1]])
    true = torch.tensor([[0.0, 0, 1]])
    for offset, same in ((-0.5, True), (0.499, True), (0.5, False), (-0.501, False)):
        for axis in (0, 1):
            at = true.clone()
            at[0, axis] = offset
            assert projection_loss(points, eye, at, eye, true, camera, (5, 5)).item() == (0.0 if same else 1.0)


@pytest.mark.parametrize("kernel", KERNELS)
def test_equal_silhouettes_are_a_minimum(kernel):
    values = scene(1, spread=0.0)
    values["rotation"] = values["rotation_gt"].clone().requires_grad_()
    loss = projection_loss(**values, size=(24, 32), kernel=kernel)
    loss.sum().backward()
    assert (loss == 0).all() and (values["rotation"].grad == 0).all()


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    ("translation", "loss"),
    [
        ([0.0, 0, -0.5], 1.0),  # behind the camera
        ([9.0, 0, 0.5], 1.0),  # off the grid
        ([0.0, 0, 0.0], None),  # around the camera
        ([0.0, 0, 1e4], None),  # all points in one pixel
    ],
)
def test_extreme_poses_give_finite_gradients(kernel, translation, loss):
    values = scene(2, batch=1)
    values["translation_gt"] = torch.tensor([[0.0, 0, 0.5]], dtype=torch.float64)
    values["translation"] = torch.tensor([translation], dtype=torch.float64, requires_grad=True)
    got = projection_loss(**values, size=(24, 32), kernel=kernel)
    got.sum().backward()
    assert values["translation"].grad.isfinite().all()
    assert 0 <= got.item() <= 1
    if loss is not None:
        assert got.item() == loss and (values["translation"].grad == 0).all()


def test_two_empty_silhouettes_are_equal():
    values = scene(3)
    values["translation"] = values["translation_gt"] = torch.tensor([[0.0, 0, -1]], dtype=torch.float64).expand(4, 3)
    assert (projection_loss(**values, size=(24, 32)) == 0).all()


def test_the_long_range_kernel_pulls_where_the_other_does_not():
    values = scene(4, batch=1, count=300)
    values["rotation"], true = values["rotation_gt"], torch.tensor([[-0.2, 0, 0.5]], dtype=torch.float64)
    for kernel, pulls in (("one_pixel", False), ("long_range", True)):
        moved = (true + torch.tensor([[0.3, 0, 0]])).requires_grad_()
        projection_loss(
            **values | {"translation_gt": true, "translation": moved}, size=(24, 32), kernel=kernel
        ).backward()
        assert (moved.grad[0, 0] > 0) == pulls


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_precisions(dtype):
    values = {name: value.to(dtype) for name, value in scene(5, count=600).items()}
    rotation = values["rotation"].requires_grad_()
    loss = projection_loss(**values, size=(24, 32))
    loss.sum().backward()
    assert loss.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert rotation.grad.dtype == dtype
    exact = {name: value.detach().double() for name, value in values.items()}
    assert (projection_loss(**exact, size=(24, 32)) - loss).abs().max() < 0.02  # a point or two on a pixel's border


def test_points_may_differ_between_images_and_lie_anyhow_in_memory():
    values = scene(6)
    expected = projection_loss(**values, size=(24, 32))
    each = values | {
        "points": values["points"].expand(4, -1, -1).mT.contiguous().mT,
        "rotation": values["rotation"].mT.contiguous().mT,
        "camera_matrix": K.mT.contiguous().mT.expand(4, 3, 3),
    }
    assert torch.equal(projection_loss(**each, size=(24, 32)), expected)
    other = each | {"points": torch.cat([each["points"][:2], -each["points"][2:]])}
    assert torch.equal(projection_loss(**other, size=(24, 32))[:2], expected[:2])
    assert not torch.equal(projection_loss(**other, size=(24, 32)), expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points": torch.zeros(60, 2)}, r"points: expected shape \(N, 3\) or \(B, N, 3\).*got \(60, 2\)"),
        ({"points": torch.zeros(3, 60, 3)}, r"points: .*batch of 4, got \(3, 60, 3\)"),
        ({"points": torch.zeros(0, 3)}, "points: expected at least one, got none"),
        ({"points": torch.zeros(60, 3).long()}, "points: expected a floating-point type, got torch.int64"),
        ({"points": np.zeros((60, 3))}, "points: expected a tensor, got ndarray"),
        ({"rotation": torch.eye(3)}, r"rotation: expected shape \(B, 3, 3\), got \(3, 3\)"),
        ({"translation": torch.zeros(4, 4)}, r"translation: expected shape \(4, 3\).*got \(4, 4\)"),
        ({"rotation_gt": torch.zeros(2, 3, 3)}, r"rotation_gt: expected shape \(4, 3, 3\).*got \(2, 3, 3\)"),
        ({"translation_gt": torch.zeros(4, 3, device="meta")}, "translation_gt: expected on cpu as rotation, got meta"),
        ({"camera_matrix": torch.eye(4)}, r"camera_matrix: expected shape \(3, 3\) or \(4, 3, 3\).*got \(4, 4\)"),
        ({"translation": torch.full((4, 3), math.nan)}, "translation: expected finite numbers, got NaN or infinity"),
        ({"rotation": torch.full((4, 3, 3), math.inf)}, "rotation: expected finite numbers"),
        ({"size": (0, 32)}, r"size: expected \(height, width\) of 1 to 4096 pixels, got \(0, 32\)"),
        ({"size": (24.0, 32)}, r"size: expected .*got \(24.0, 32\)"),
        ({"scale": 0.0}, "scale: expected a positive number, got 0.0"),
        ({"scale": math.nan}, "scale: expected a positive number, got nan"),
        ({"kernel": "wide"}, "kernel: expected one of long_range, one_pixel, got 'wide'"),
    ],
)
def test_wrong_input_is_named(change, message):
    with pytest.raises(InputError, match=f"^projection_loss: {message}"):
        projection_loss(**scene(7) | {"size": (24, 32)} | change)


def test_unchecked_poses_that_are_not_finite_are_seen_nowhere():
    values = scene(8)
    values["translation"][1] = math.nan
    values["rotation"].requires_grad_()
    loss = projection_loss(**values, size=(24, 32), check_values=False)
    loss.sum().backward()
    assert loss[1] == 1 and (values["rotation"].grad[1] == 0).all()
    assert values["rotation"].grad.isfinite().all()
