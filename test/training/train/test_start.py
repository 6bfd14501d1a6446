"""What a training takes over from the networks that it starts from."""

from dataclasses import replace

import pytest
import torch

from pose_regressor.network.bundle import Bundle
from pose_regressor.network.config import NetworkConfig
from pose_regressor.network.network import PoseNetwork
from pose_regressor.network.weights import Weights
from pose_regressor.types import InputError
from pose_regressor_training.train.config import TrainConfig, load_preset
from pose_regressor_training.train.objects import read_objects
from pose_regressor_training.train.start import start_from
from pose_regressor_training.train.training import Training


def test_starting_from_a_network_of_other_objects(make_bundle):
    bundle = make_bundle("one", "two")
    torch.manual_seed(1)
    network = PoseNetwork(bundle.config, 1)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    taken = start_from(network, [bundle], ["three"])
    given, now = bundle.network.state_dict(), network.state_dict()
    assert {"box_head.out.weight", "dense_head.out.weight"} <= set(taken.fresh)
    assert all(name.startswith(("box_head.out", "dense_head.out", "regression_head.")) for name in taken.fresh)
    for name in taken.taken:
        assert torch.equal(now[name], given[name]), name
    for name in taken.fresh:
        assert torch.equal(now[name], before[name]), name
    assert "fresh are" in taken.in_words()
    same = start_from(PoseNetwork(bundle.config, 2), [bundle], ["one", "two"])
    assert not same.fresh and same.in_words().startswith("all ")
    with pytest.raises(InputError, match="width 8, which does not fit"):
        start_from(PoseNetwork(NetworkConfig(width=16), 1), [bundle], ["one"])


def outputs_of(network, crops):
    """All outputs, with the objects first: (O, ...) each."""
    with torch.no_grad():
        boxes, poses = network.eval()(crops)
    tensors = (
        boxes.logits,
        boxes.boxes,
        poses.coordinates,
        poses.mask,
        poses.certainty,
        poses.rotation_6d,
        poses.location,
    )
    return [tensor.transpose(0, 1) for tensor in tensors]


def test_objects_keep_their_channels_wherever_they_come_to_stand(make_bundle):
    bundle = make_bundle("one", "two")
    network = PoseNetwork(bundle.config, 3)
    size = bundle.config.crop_size
    crops = torch.randint(0, 256, (2, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
    untouched = outputs_of(network, crops)
    taken = start_from(network, [bundle], ["two", "new", "one"])
    assert taken.in_words() == f"{len(network.state_dict())} tensors; fresh are the last layers of new"
    for before, given, now in zip(
        untouched, outputs_of(bundle.network, crops), outputs_of(network, crops), strict=True
    ):
        torch.testing.assert_close(now[0], given[1])
        torch.testing.assert_close(now[2], given[0])
        assert now[1].shape == before[1].shape and not torch.equal(now[1], now[0])


def test_objects_of_other_names_take_the_channels_of_as_many_in_their_order(make_bundle):
    bundle = make_bundle("one", "two")
    network = PoseNetwork(bundle.config, 2)
    assert start_from(network, [bundle], ["three", "four"]).in_words().startswith("all ")
    assert torch.equal(network.dense_head.out.bias, bundle.network.dense_head.out.bias)
    assert start_from(PoseNetwork(bundle.config, 2), [bundle], ["one", "four"]).fresh_objects == ("four",)


def shifted(bundle, name, by):
    """The bundle with another name for its object, and all weights larger by a number."""
    network = PoseNetwork(bundle.config, 1)
    network.load_state_dict(
        {key: value + by if value.is_floating_point() else value for key, value in bundle.network.state_dict().items()}
    )
    return Bundle(Weights.of(network.eval()), (replace(bundle.objects[0], name=name),))


def test_several_networks_give_the_mean_of_their_weights_and_each_its_own_channels(make_bundle):
    first = make_bundle("one")
    second = shifted(first, "two", 0.5)
    network = PoseNetwork(first.config, 2)
    taken = start_from(network, [first, second], ["two", "one"])
    assert not taken.fresh and not taken.fresh_objects
    given, now = first.network.state_dict(), network.state_dict()
    for name, value in given.items():
        if ".out." not in name and value.is_floating_point():
            torch.testing.assert_close(now[name], value + 0.25, msg=name)
    head = network.dense_head.out.bias
    own = first.network.dense_head.out.bias
    torch.testing.assert_close(head, torch.cat([own + 0.5, own]))
    again = PoseNetwork(first.config, 1)
    assert start_from(again, [first, second], ["other"]).fresh[0] == "box_head.out.weight"


def test_a_training_of_two_objects_starts_from_two_files(make_bundle, box_file, tmp_path):
    one, two = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    make_bundle("one").save(one)
    shifted(make_bundle("one"), "two", 0.5).save(two)
    objects = read_objects([box_file, box_file], ["m"], ["two", "one"], [1, 2])
    network = make_bundle("one").config
    config = TrainConfig(samples=4, batch_size=2, workers=0, start_from=(str(one), str(two)), network=network)
    training = Training(objects, config, tmp_path / "state")
    count = len(training.task.network.state_dict())
    assert training.begin() == f"starts from {one}, {two}: all {count} tensors"
    assert training.bundle().training["start"] == f"one.safetensors, two.safetensors, all {count} tensors"
    assert training.bundle().training["start_from"] == [str(one), str(two)]


def test_one_name_several_names_and_none():
    assert load_preset("cpu").start_from == ("box",) and load_preset("cpu").to_dict()["start_from"] == "box"
    several = load_preset("cpu", {"start_from": ["box", "toy"]})
    assert TrainConfig.from_dict(several.to_dict()).start_from == ("box", "toy")
    for wrong in (["box", "none"], [], [""]):
        with pytest.raises(InputError, match="start_from: expected bundles, or none alone"):
            load_preset("cpu", {"start_from": wrong})
    with pytest.raises(InputError, match="start_from: expected a list of strings, got 3"):
        load_preset("cpu", {"start_from": 3})
