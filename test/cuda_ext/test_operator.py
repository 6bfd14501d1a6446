"""The compiled operator against the torch reference: equal losses, like gradients, and what torch asks for."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pose_regressor.ops.projection import KERNELS
from pose_regressor.ops.projection.backend import compiled_loss
from pose_regressor.ops.projection.reference import reference_loss

pose_regressor_cuda = pytest.importorskip("pose_regressor_cuda", reason="not built: pip install ./cuda_ext")
OPERATOR = torch.ops.pose_regressor_cuda.projection_loss

DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=pytest.mark.skipif(
            not torch.cuda.is_available() or "cuda" not in pose_regressor_cuda.DEVICES,
            reason="no GPU, or not built for one",
        ),
    ),
]

#: Points, grid, size of the object and of the perturbation (metres and radians), depth of the object in metres.
CASES = {
    "ordinary": (60, (24, 32), 0.1, 0.1, 0.5),
    "many points": (5000, (70, 45), 0.1, 0.1, 0.5),
    "fine grid": (3000, (256, 256), 0.1, 0.1, 0.5),
    "one point": (1, (24, 32), 0.1, 0.1, 0.5),
    "one pixel": (60, (1, 1), 0.1, 0.1, 0.5),
    "one row": (200, (1, 100), 0.1, 0.1, 0.5),
    "one column": (200, (100, 1), 0.1, 0.1, 0.5),
    "all points in a few pixels": (3000, (24, 32), 0.1, 0.1, 20.0),
    "far apart": (500, (64, 64), 0.05, 0.4, 0.8),
    "around the camera": (500, (64, 64), 0.5, 0.3, 0.05),
    "behind the camera": (60, (24, 32), 0.1, 0.1, -0.5),
    "infinitely far": (60, (24, 32), 0.1, 0.1, np.inf),
    "not a number": (60, (24, 32), 0.1, 0.1, np.nan),
}


def arguments(name: str, dtype: torch.dtype, device: str, batch: int = 16) -> list[torch.Tensor | int | float]:
    count, (height, width), extent, spread, depth = CASES[name]
    rng = np.random.default_rng(sorted(CASES).index(name))
    true = Rotation.from_quat(rng.normal(size=(batch, 4)))
    turn = Rotation.from_rotvec(rng.normal(0, spread, (batch, 3)))
    translation = np.array([0, 0, depth]) + rng.normal(0, 0.03, (batch, 3))
    focal = 1.5 * max(height, width)
    camera = np.array([[focal, 0.3, width / 2], [0, focal, height / 2], [0, 0, 1]])
    values = [
        rng.uniform(-extent, extent, (1, count, 3)), (turn * true).as_matrix(),
        translation + rng.normal(0, spread / 2, (batch, 3)), true.as_matrix(), translation, camera[None],
    ]  # fmt: skip
    return [*(torch.tensor(value, dtype=dtype, device=device) for value in values), height, width, 0.95]


def loss_and_gradient(compute, values, kernel, weights):
    rotation, translation = values[1].clone().requires_grad_(), values[2].clone().requires_grad_()
    loss = compute(values[0], rotation, translation, *values[3:], kernel)
    (loss * weights).sum().backward()
    return loss.detach(), torch.cat([rotation.grad.flatten(1), translation.grad], dim=1)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", CASES)
def test_operator_and_reference_agree(name, kernel, dtype, device):
    values = arguments(name, dtype, device)
    weights = torch.linspace(0.5, 2, 16, dtype=dtype, device=device)
    expected, by_pose = loss_and_gradient(reference_loss, values, kernel, weights)
    loss, got = loss_and_gradient(compiled_loss, values, kernel, weights)
    assert torch.equal(loss, expected)
    assert ((got - by_pose).norm(dim=1) <= 1e-5 * by_pose.norm(dim=1)).all()
    if name in ("ordinary", "many points", "far apart"):
        assert (by_pose.norm(dim=1) > 0).any()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kernel", KERNELS)
def test_the_same_input_gives_the_same_bits(kernel, device):
    values = arguments("many points", torch.float32, device)
    first = OPERATOR(*values, kernel, True)
    for _ in range(3):
        assert all(torch.equal(a, b) for a, b in zip(first, OPERATOR(*values, kernel, True), strict=True))


@pytest.mark.parametrize("device", DEVICES)
def test_points_and_cameras_of_their_own_and_any_memory_layout(device):
    values = arguments("ordinary", torch.float32, device)
    expected = OPERATOR(*values, "long_range", True)
    values[0] = values[0].expand(16, -1, -1).mT.contiguous().mT
    values[1] = values[1].mT.contiguous().mT
    values[5] = values[5].expand(16, 3, 3)
    assert all(torch.equal(a, b) for a, b in zip(expected, OPERATOR(*values, "long_range", True), strict=True))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("differentiate", [True, False])
def test_torch_accepts_it_as_an_operator(kernel, differentiate, device):
    values = arguments("ordinary", torch.float32, device, batch=2)
    for value in values[1:3]:
        value.requires_grad_(differentiate)
    torch.library.opcheck(OPERATOR, (*values, kernel, differentiate))


def test_an_empty_batch_is_an_empty_loss():
    values = [value[:0] if index in range(1, 5) else value for index, value in
              enumerate(arguments("ordinary", torch.float32, "cpu"))]  # fmt: skip
    assert [len(value) for value in OPERATOR(*values, "long_range", True)] == [0, 0, 0]


@pytest.mark.parametrize(
    ("index", "value", "message"),
    [
        (0, torch.zeros(60, 3), r"points: expected shape \(1 or B, N, 3\) with at least one, got \[60, 3\]"),
        (0, torch.zeros(1, 0, 3), "points: expected shape .* got"),
        (0, torch.zeros(1, 60, 3, dtype=torch.float64), "points: expected Float, got Double"),
        (1, torch.zeros(16, 3, 3).half(), "rotation: expected float32 or float64, got Half"),
        (1, torch.zeros(16, 4, 3), r"rotation: expected shape \[16, 3, 3\], got \[16, 4, 3\]"),
        (2, torch.zeros(15, 3), r"translation: expected shape \[16, 3\], got \[15, 3\]"),
        (5, torch.zeros(2, 3, 3), r"camera_matrix: expected shape \[16, 3, 3\], got \[2, 3, 3\]"),
        (6, 0, "size: expected 1 to 4096 pixels, got 0x32"),
        (7, 5000, "size: expected 1 to 4096 pixels, got 24x5000"),
        (8, -1.0, "scale: expected a positive number, got -1"),
    ],
)
def test_wrong_input_is_named(index, value, message):
    values = arguments("ordinary", torch.float32, "cpu")
    values[index] = value
    with pytest.raises((ValueError, TypeError), match=f"projection_loss: {message}"):
        OPERATOR(*values, "long_range", True)


def test_an_unknown_kernel_is_named():
    with pytest.raises(ValueError, match="kernel: expected one_pixel or long_range, got wide"):
        OPERATOR(*arguments("ordinary", torch.float32, "cpu"), "wide", True)
