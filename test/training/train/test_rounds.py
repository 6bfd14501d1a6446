"""The training of the start network: rounds of new objects, and the one bundle that they leave."""

import copy
import json

import cv2
import numpy as np
import pytest
import torch
import typer
import yaml
from typer.testing import CliRunner

from pose_regressor.estimation.estimator import PoseEstimator
from pose_regressor.network.bundle import Bundle
from pose_regressor.network.config import NetworkConfig
from pose_regressor.network.network import PoseNetwork
from pose_regressor.types import InputError
from pose_regressor_training.cli import add_commands
from pose_regressor_training.meshes.symmetry import find_symmetries
from pose_regressor_training.train import rounds
from pose_regressor_training.train.config import TrainConfig
from pose_regressor_training.train.rounds import Rounds, as_start, spread_outputs
from pose_regressor_training.train.start import start_from

TINY = {
    "samples": 16,
    "batch_size": 8,
    "workers": 0,
    "log_every": 1,
    "network": {"width": 8, "blocks": [1, 1, 1, 1], "crop_size": 64},
    "randomize": {"background": {"pictures": 4}, "clutter": {"shapes": 4}},
}


@pytest.fixture(scope="session")
def symmetries_of():
    """A function of a mesh to its symmetries, which are searched for once."""
    found = {}

    def search(mesh):
        if mesh.digest() not in found:
            found[mesh.digest()] = find_symmetries(mesh)
        return found[mesh.digest()]

    return search


@pytest.fixture(autouse=True)
def quick_members(monkeypatch, symmetries_of):
    """Only members that are made in no time."""
    numbers = (2, 5, 7, 9)
    draw = rounds.draw_member
    monkeypatch.setattr(rounds, "draw_member", lambda _, number: draw(0, numbers[number]))
    monkeypatch.setattr(rounds, "find_symmetries", symmetries_of)


def make(folder, **changes) -> Rounds:
    return Rounds(TrainConfig.from_dict(TINY | changes), 2, folder, say=lambda _: None)


def same(one: Bundle, two: Bundle) -> bool:
    weights = two.network.state_dict()
    return all(torch.equal(value, weights[name]) for name, value in one.network.state_dict().items())


def test_one_object_answers_with_the_mean_of_all():
    torch.manual_seed(0)
    many = PoseNetwork(NetworkConfig.from_dict(NetworkConfig().to_dict() | TINY["network"]), 3).eval()
    for module in (many.box_head.out, many.dense_head.out, many.regression_head.out):
        torch.nn.init.normal_(module.weight, std=0.1)
        torch.nn.init.normal_(module.bias, std=0.1)
    one = as_start(many, {}).network
    image = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        (boxes, poses), (single_boxes, single_poses) = many(image), one(image)
    for name in ("logits", "boxes"):
        torch.testing.assert_close(getattr(single_boxes, name), getattr(boxes, name).mean(1, keepdim=True))
    for name in ("coordinates", "mask", "rotation_6d", "location"):
        torch.testing.assert_close(getattr(single_poses, name), getattr(poses, name).mean(1, keepdim=True))


def test_every_object_begins_as_the_mean_answers():
    torch.manual_seed(1)
    config = NetworkConfig.from_dict(NetworkConfig().to_dict() | TINY["network"])
    one, many = as_start(PoseNetwork(config, 3), {}).network, PoseNetwork(config, 2).eval()
    many.load_state_dict({k: v for k, v in one.state_dict().items() if ".out." not in k}, strict=False)
    before = copy.deepcopy(many)
    spread_outputs(one, many)
    image = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        (boxes, poses), (given_boxes, given_poses), (_, own) = many(image), one(image), before(image)
    assert torch.equal(poses.coordinates, own.coordinates) and torch.equal(poses.rotation_6d, own.rotation_6d)
    for index in (0, 1):
        torch.testing.assert_close(boxes.logits[:, index], given_boxes.logits[:, 0])
        torch.testing.assert_close(boxes.boxes[:, index], given_boxes.boxes[:, 0])
        torch.testing.assert_close(poses.mask[:, index], given_poses.mask[:, 0])
        torch.testing.assert_close(poses.certainty[:, index], given_poses.certainty[:, 0])
        torch.testing.assert_close(poses.location[:, index], given_poses.location[:, 0])


def test_interrupted_between_and_within_rounds_it_ends_the_same(tmp_path):
    whole = make(tmp_path / "whole").run(2)
    assert len(whole.training["rounds"]) == 2 and whole.training["samples_seen"] == 32
    assert whole.training["rounds"][0] != whole.training["rounds"][1]
    assert [model.name for model in whole.objects] == ["start"]

    class Stop(Exception):
        pass

    first = make(tmp_path / "again", save_every=1)
    first.run(1)
    before = first.file(0).stat().st_mtime_ns
    with pytest.raises(Stop):
        first.run(2, lambda: [StopAfter(1, Stop)])
    second = make(tmp_path / "again", save_every=1)
    assert same(second.run(2), whole) and not same(Bundle.load(second.file(0)), whole)
    assert second.file(0).stat().st_mtime_ns == before, "what is there is not made again"
    steps = [json.loads(line)["step"] for line in (tmp_path / "again" / "round_001.jsonl").read_text().splitlines()]
    assert steps == [1, 2]


class StopAfter(rounds.pl.Callback):
    def __init__(self, step: int, error: type[Exception]) -> None:
        self._step, self._error = step, error

    def on_train_batch_start(self, trainer, pl_module, *_) -> None:
        if pl_module.steps_done == self._step:
            raise self._error


def test_a_folder_of_another_training_is_refused(tmp_path):
    make(tmp_path)
    make(tmp_path, workers=1)
    with pytest.raises(InputError, match=r"belongs to another training .seed was 0 and is now 3.; take another --out"):
        make(tmp_path, seed=3)


def test_the_command_writes_a_bundle_that_trainings_start_from(tmp_path):
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    app = typer.Typer()
    add_commands(app)
    out, photos = tmp_path / "begin.safetensors", tmp_path / "photos"
    photos.mkdir()
    cv2.imwrite(str(photos / "place.png"), np.full((40, 60, 3), 90, np.uint8))
    arguments = ["--preset", str(tmp_path / "tiny.yaml"), "--device", "cpu", "--rounds", "2", "--objects", "2"]
    arguments += ["--photos", str(photos)]
    result = CliRunner().invoke(app, ["train-start", *arguments, "--samples", "16", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "round 1: starts from" in " ".join(result.output.split())
    bundle = Bundle.load(out)
    assert bundle.training["samples"] == 16 and bundle.training["start"] == "random weights"
    taken = start_from(PoseNetwork(bundle.config, 1), [bundle], ["mug"])
    assert not taken.fresh
    with pytest.raises(InputError, match="is a start for trainings and knows no object"):
        PoseEstimator(out, "cpu")
    card = out.with_suffix(".md").read_text()
    assert f"32 times in all, in 2 rounds; photographs of `{photos}` are among the backgrounds, no other" in card
    assert "knows no object" in card
