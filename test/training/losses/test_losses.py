"""The terms of the objective: nought at the truth, whatever equal pose is meant, and what they ask for beside it."""

from dataclasses import asdict, replace

import cv2
import numpy as np
import pytest
import torch

from pose_regressor.geometry.rotation import rotation_to_ray
from pose_regressor.network.config import NetworkConfig
from pose_regressor.network.outputs import BoxOutput, PoseOutput, peaks
from pose_regressor.ops.regression import decode_regression
from pose_regressor.types import InputError, ObjectModel
from pose_regressor_training.experiments.rotations import matrix_from_rotvec, sixd_from_matrix
from pose_regressor_training.losses import ObjectTensors, Weights, objective, total
from pose_regressor_training.losses.correspondences import _spread, solve_pose
from pose_regressor_training.losses.objects import REGIONS
from pose_regressor_training.meshes.mesh import load_mesh, object_model
from pose_regressor_training.randomize.background import BackgroundPart
from pose_regressor_training.randomize.clutter import ClutterPart
from pose_regressor_training.randomize.config import RandomizeConfig
from pose_regressor_training.randomize.scene import SceneSampler
from pose_regressor_training.randomize.views import Kind
from pose_regressor_training.samples.batches import SceneBatches, SyntheticBatches
from pose_regressor_training.test_objects import make_box

HALF_TURN = np.diag([-1.0, -1.0, 1.0, 1.0])
ALL = Weights(**dict.fromkeys(asdict(Weights()), 1.0))


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    return load_mesh(make_box(tmp_path_factory.mktemp("box")), "m")


@pytest.fixture(scope="module")
def models(mesh) -> list[ObjectModel]:
    """The box as it is, and another that looks the same when it is turned half around its z axis."""
    box = object_model(mesh, "box", 1)
    return [box, replace(box, name="prism", obj_id=2, symmetries=HALF_TURN[None])]


@pytest.fixture(scope="module")
def batch(mesh, models):
    sampler = SceneSampler(
        RandomizeConfig(background=BackgroundPart(pictures=4), clutter=ClutterPart(shapes=4)), models, seed=3
    )
    scenes = SceneBatches(sampler, NetworkConfig(), 32, 3, 0, 1)
    return next(iter(SyntheticBatches(scenes, [mesh, mesh])))


def truth(batch, objects: ObjectTensors, pose: torch.Tensor) -> tuple[BoxOutput, PoseOutput]:
    """What a perfect network says of a batch, if it means these poses (B, 4, 4); in the other channel, nothing."""
    own, rows, channels = objects.of(batch.model), torch.arange(len(batch.model)), len(objects.diameter)

    def channel(value, other=0.0):
        full = torch.full((len(value), channels, *value.shape[1:]), other)
        full[rows, batch.model] = value
        return full

    at = (batch.cam_from_obj[:, :3, :3] @ own.centre[..., None])[..., 0] + batch.cam_from_obj[:, :3, 3]
    pixel = (batch.camera_matrix @ at[..., None])[..., 0]
    focal = (batch.camera_matrix[:, 0, 0] * batch.camera_matrix[:, 1, 1]).sqrt()
    apparent = (focal * own.diameter / (at[:, 2] * 128)).log()
    location = torch.cat([(pixel[:, :2] / pixel[:, 2:] - 63.5) / 128, apparent[:, None]], 1)
    in_camera = batch.cam_from_obj[:, :3, :3] @ batch.coordinates.flatten(2) + batch.cam_from_obj[:, :3, 3:]
    points = (pose[:, :3, :3].mT @ (in_camera - pose[:, :3, 3:])).unflatten(2, (64, 64))
    poses = PoseOutput(
        channel((points - own.centre[..., None, None]) / own.half[..., None, None]),
        channel((batch.mask.float() - 0.5) * 100),
        channel(torch.zeros(batch.mask.shape)),
        channel(sixd_from_matrix(rotation_to_ray(at).mT @ pose[:, :3, :3])),
        channel(location),
    )
    centre = (batch.box[:, :2] + batch.box[:, 2:]) / 2 / 8
    y, x = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
    cells = torch.stack([x, y])
    offset = centre[..., None, None] - cells
    size = ((batch.box[:, 2:] - batch.box[:, :2]) / 8).log()[..., None, None].expand(-1, -1, 16, 16)
    present = (batch.kind == Kind.LOOK) | (batch.kind == Kind.FIND)
    peak = (cells == centre.round()[..., None, None]).all(1) & present[:, None, None]
    boxes = BoxOutput(channel(torch.where(peak, 20.0, -20.0), -20.0), channel(torch.cat([offset, size], 1)))
    return boxes, poses


def true_regions(batch, objects: ObjectTensors, pose: torch.Tensor) -> torch.Tensor:
    """The logits of one who is sure of the nearest centre, by a loop over cells."""
    logits = torch.full((len(batch.model), len(objects.diameter), REGIONS, 16, 16), -20.0)
    from_camera = torch.linalg.inv(pose) @ batch.cam_from_obj
    for b, model in enumerate(batch.model.tolist()):
        for i, j in np.ndindex(16, 16):
            point = from_camera[b, :3, :3] @ batch.coordinates[b, :, 4 * i, 4 * j] + from_camera[b, :3, 3]
            nearest = (objects.regions[model] - point).norm(dim=1).argmin()
            logits[b, model, nearest, i, j] = 20.0
    return logits


def test_nought_at_the_truth_and_at_its_equal(batch, models):
    objects = ObjectTensors.from_models(models)
    assert set(batch.model.tolist()) == {0, 1}
    equal = torch.where((batch.model == 1)[:, None, None], torch.tensor(HALF_TURN).float(), torch.eye(4))
    for pose in (batch.cam_from_obj, batch.cam_from_obj @ equal):
        regions = true_regions(batch, objects, pose)
        terms = objective(*truth(batch, objects, pose), batch, objects, ALL, regions)
        assert {name for name, value in terms.items() if value < 1e-3} == set(asdict(ALL))
    wrong = batch.cam_from_obj @ torch.tensor(HALF_TURN).float()  # also of what does not look the same
    terms = objective(*truth(batch, objects, wrong), batch, objects, ALL, true_regions(batch, objects, wrong))
    assert min(terms[name] for name in ("coordinates", "rotation", "quaternion", "regions")) > 0.1


def test_the_truth_decodes_to_the_pose(batch, models):
    objects = ObjectTensors.from_models(models)
    boxes, poses = truth(batch, objects, batch.cam_from_obj)
    rows, own = torch.arange(len(batch.model)), objects.of(batch.model)
    rotation, location = poses.rotation_6d[rows, batch.model], poses.location[rows, batch.model]
    decoded = decode_regression(rotation, location, batch.camera_matrix, 128, own.centre, own.diameter)
    torch.testing.assert_close(decoded, batch.cam_from_obj, atol=2e-4, rtol=1e-3)
    shown = (boxes.logits[rows, batch.model] > 0).flatten(1).any(1)
    for row in torch.arange(len(shown))[shown]:
        alone = BoxOutput(*(value[row : row + 1].numpy() for value in (boxes.logits, boxes.boxes)))
        scores, found = peaks(alone, 1)
        assert scores[batch.model[row], 0] > 0.5
        np.testing.assert_allclose(found[batch.model[row], 0], batch.box[row].numpy(), atol=1e-2, rtol=1e-3)


def test_a_weight_of_nought_switches_a_term_off(batch, models):
    objects = ObjectTensors.from_models(models)
    said, regions = truth(batch, objects, batch.cam_from_obj), true_regions(batch, objects, batch.cam_from_obj)
    for name in asdict(ALL):
        only = Weights(**dict.fromkeys(asdict(ALL), 0.0) | {name: 2.0})
        terms = objective(*said, batch, objects, only, regions)
        assert list(terms) == [name]
        torch.testing.assert_close(total(terms, only), 2 * terms[name])


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), True, "much"])
def test_weights_that_are_none(value):
    with pytest.raises(InputError, match=r"losses\.rotation: expected a number of at least 0"):
        Weights(rotation=value)
    with pytest.raises(InputError, match="at least one weight above 0"):
        Weights(**dict.fromkeys(asdict(Weights()), 0.0))


def test_another_known_object_is_no_false_alarm(batch, models):
    """Where one stands by chance its channel may say what it likes."""
    objects = ObjectTensors.from_models(models)
    boxes, poses = truth(batch, objects, batch.cam_from_obj)
    absent = (batch.kind == Kind.EMPTY).nonzero()[0, 0]
    logits = boxes.logits.clone()
    logits[absent, 0, 2:6, 2:6] = 5.0
    alarmed = BoxOutput(logits, boxes.boxes)
    only = Weights(**dict.fromkeys(asdict(ALL), 0.0) | {"presence": 1.0})
    assert objective(alarmed, poses, batch, objects, only)["presence"] > 0.1
    other_model, other_box = torch.full((32, 1), -1), torch.zeros(32, 1, 4)
    other_model[absent], other_box[absent] = 0, torch.tensor([8.0, 8.0, 50.0, 50.0])
    beside = replace(batch, other_model=other_model, other_box=other_box)
    assert objective(alarmed, poses, beside, objects, only)["presence"] < 1e-3


def test_pose_by_pnp_is_opencvs_and_its_gradient_a_difference(batch, models):
    """On noisy coordinates of equal certainty, from the cells that are drawn."""
    objects = ObjectTensors.from_models(models)
    _, poses = truth(batch, objects, batch.cam_from_obj)
    rows, own = torch.arange(len(batch.model)), objects.of(batch.model)
    seen = batch.mask & (batch.kind == Kind.LOOK)[:, None, None]
    exact = poses.coordinates[rows, batch.model].double()
    noisy = exact + 0.004 * torch.randn(exact.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    noisy.requires_grad_()
    certainty = torch.zeros(batch.mask.shape, dtype=torch.float64)
    exactly = ObjectTensors(*(getattr(own, name).double() for name in own.__dataclass_fields__))
    arguments = certainty, seen, batch.cam_from_obj.double(), batch.camera_matrix.double(), exactly

    def solve(coordinates):
        return solve_pose(coordinates, *arguments)

    solved = solve(noisy)
    row = int(solved.usable.nonzero()[0])
    chosen = seen.flatten(1).float()
    index = _spread(chosen)[row]
    assert chosen[row, index].all() and len(index.unique()) == min(128, int(chosen[row].sum()))
    pixels = torch.stack([index % 64, index // 64], 1).numpy() * 2.0
    points = (
        noisy[row].detach().flatten(1)[:, index].T.numpy() * exactly.half[row].numpy() + exactly.centre[row].numpy()
    )
    start = batch.cam_from_obj[row].double().numpy()
    rvec, tvec = cv2.solvePnPRefineLM(
        points, pixels, batch.camera_matrix[row].double().numpy(), None,
        cv2.Rodrigues(start[:3, :3])[0], start[:3, 3:].copy(),
    )  # fmt: skip
    expected = np.concatenate([cv2.Rodrigues(rvec)[0], tvec], 1)  # the tails are robust here and not there
    np.testing.assert_allclose(solved.pose[row].detach().numpy(), expected, atol=2e-3)

    depth = solved.pose[row, 2, 3]
    (slope,) = torch.autograd.grad(depth, noisy)
    step = torch.randn(exact.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    change = [solve(noisy.detach() + side * 1e-5 * step).pose[row, 2, 3] for side in (1, -1)]
    assert float((slope * step).sum()) == pytest.approx(float(change[0] - change[1]) / 2e-5, rel=1e-4)


def test_shrunk_coordinates_are_told_to_grow(batch, models):
    """Regression to the mean brings the object nearer; the pose term sees that, cell by cell nothing else does."""
    objects = ObjectTensors.from_models(models)
    boxes, poses = truth(batch, objects, batch.cam_from_obj)
    scale = torch.tensor(0.97, requires_grad=True)
    only = Weights(**dict.fromkeys(asdict(ALL), 0.0) | {"pose": 1.0})
    terms = objective(boxes, replace(poses, coordinates=poses.coordinates * scale), batch, objects, only)
    assert 0.01 < terms["pose"] < 0.5
    terms["pose"].backward()
    assert scale.grad < -1


def test_unit_turn_of_l_q():
    from pose_regressor_training.losses.poses import quaternion_distance

    angle = torch.tensor([0.0, 0.3, 1.2, torch.pi])
    turned = matrix_from_rotvec(angle[:, None] * torch.tensor([[0.6, 0.0, 0.8]]))
    expected = torch.sin(angle / 2).square()
    torch.testing.assert_close(quaternion_distance(turned, torch.eye(3).expand(4, 3, 3)), expected, atol=1e-6, rtol=0)
