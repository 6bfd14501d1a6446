"""The experiments with the silhouette losses, in small."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from pose_regressor_training.evaluate.errors import add_s
from pose_regressor_training.experiments import ambiguity
from pose_regressor_training.experiments.projection_ablation import silenced
from pose_regressor_training.experiments.silhouette_fit import (
    Poses,
    Shape,
    fit,
    judge,
    losses,
    perturbed,
    random_poses,
    shape_of,
)
from pose_regressor_training.meshes.mesh import load_mesh
from pose_regressor_training.test_objects import make_box, make_symmetric


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    return shape_of(load_mesh(make_box(tmp_path_factory.mktemp("box")), "m"))


@pytest.fixture(scope="module")
def bottle(tmp_path_factory):
    return ambiguity.symmetrised(shape_of(load_mesh(make_symmetric(tmp_path_factory.mktemp("bottle")), "m")))


def poses(count, shape):
    return random_poses(count, shape.diameter, torch.Generator().manual_seed(1))


def test_perturbations_have_the_stated_size(box):
    truth = poses(20, box)
    moved = perturbed(truth, 30, 0.2, torch.Generator().manual_seed(2))
    cosine = ((moved.rotation @ truth.rotation.mT).diagonal(dim1=1, dim2=2).sum(1) - 1) / 2
    np.testing.assert_allclose(cosine.acos().rad2deg().numpy(), 30, atol=0.05)
    way = (moved.translation - truth.translation).norm(dim=1) / truth.translation.norm(dim=1)
    np.testing.assert_allclose(way.numpy(), 0.2, atol=1e-5)


def test_judge_agrees_with_the_metrics(box):
    truth = poses(3, box)
    moved = perturbed(truth, 5, 0.03, torch.Generator().manual_seed(2))
    iou, error = judge(box, truth, moved)
    assert judge(box, truth, truth)[0].tolist() == [1, 1, 1] and (iou < 0.99).all() and (iou > 0.3).all()
    for index in range(3):
        matrices = [np.eye(4), np.eye(4)]
        for matrix, pose in zip(matrices, (moved, truth), strict=True):
            matrix[:3, :3], matrix[:3, 3] = pose.rotation[index], pose.translation[index]
        expected = add_s(*matrices, box.points[:1000].double().numpy()) / box.diameter
        assert error[index] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("method", ["long range (ours)", "render, pyramid", "L_r + L_t"])
def test_a_perturbed_pose_is_found_again(box, method):
    truth = poses(4, box)
    start = perturbed(truth, 15, 0.08, torch.Generator().manual_seed(2))
    found = fit(losses(box, truth)[method], start, box.diameter, 100)
    before, after = judge(box, truth, start), judge(box, truth, found)
    assert before[0].max() < 0.9 and (after[0] > 0.93).sum() >= 3
    assert (after[1] < before[1]).sum() >= 3


@pytest.mark.parametrize("kernel", ["one pixel (source)", "long range (ours)"])
def test_poses_that_look_right_are_left_alone(bottle, kernel):
    """Turned about its symmetry, an object gives the projection loss nothing to pull at, and L_r all the more."""
    # In float64, in which no point is so near to the border of a pixel that rounding decides.
    shape = Shape(bottle.points.double(), bottle.edges, bottle.diameter)
    truth = Poses(*(value.double() for value in poses(8, shape)))
    angles = torch.arange(1, 9) * 7 * (2 * torch.pi / ambiguity.SIDES)
    turns = ambiguity.turns(angles.double())
    turned = Poses(truth.rotation @ turns, truth.translation)
    tilted = Poses(truth.rotation @ turns.roll((1, 1), (1, 2)), truth.translation)  # as far, about another axis
    loss = losses(shape, truth)[kernel]
    value, along, across = ambiguity.along_and_across(loss, turned)
    others = ambiguity.along_and_across(loss, tilted)[2]
    assert (value == 0).all() and (others > 1e-3).all()
    assert (along < 1e-6 * others).all() and (across < 1e-6 * others).all()

    def l_r(rotation, _translation):
        return (shape.points[:4000] @ (rotation - truth.rotation).mT).norm(dim=2).mean(1) / shape.diameter

    value, along, _ = ambiguity.along_and_across(l_r, turned)
    assert (value > 0.05).all() and (along > 0.01).all()


@pytest.mark.slow
def test_the_study_writes_what_it_prints(tmp_path):
    command = [sys.executable, "-m", "pose_regressor_training.experiments.ambiguity", "--out", tmp_path, "--poses", "4"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = json.loads((tmp_path / "ambiguity.json").read_text())["rows"]
    assert {row["loss"] for row in rows} == set(ambiguity.METHODS) and "long range (ours)" in result.stdout
    assert (tmp_path / "ambiguity.png").read_bytes().startswith(b"\x89PNG")


def test_a_silenced_network_says_nowhere_that_it_sees_the_object(tiny_bundle):
    image = torch.randint(0, 256, (2, 3, 128, 128), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        before = tiny_bundle.network(image)[1]
        after = silenced(tiny_bundle).network(image)[1]
    assert (after.mask < 0).all()
    torch.testing.assert_close((after.rotation_6d, after.location), (before.rotation_6d, before.location))
