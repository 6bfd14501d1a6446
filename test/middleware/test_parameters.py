from pathlib import Path

import pytest
import yaml

from pose_regressor.middleware.parameters import PARAMETERS, NodeConfig, as_yaml
from pose_regressor.types import InputError

SHIPPED = Path(__file__).parents[2] / "config" / "pose_regressor.yaml"


def test_yaml_holds_every_parameter_with_its_default():
    values = yaml.safe_load(as_yaml())["/**"]["ros__parameters"]
    assert list(values) == [p.name for p in PARAMETERS]
    assert NodeConfig.from_dict(values) == NodeConfig()


def test_shipped_yaml_is_the_table():
    assert SHIPPED.read_text(encoding="utf-8") == as_yaml(), (
        f"write it anew: python -c 'from pose_regressor.middleware.parameters import *; print(as_yaml(), end=\"\")' "
        f"> {SHIPPED.name}"
    )


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda p: p.name)
def test_every_parameter_is_described(parameter):
    assert parameter.description
    assert parameter.check(parameter.default) == parameter.default
    if parameter.kind == "float":
        assert parameter.unit
        assert f"{parameter.low:g} to {parameter.high:g}" in parameter.constraint
    assert (parameter.constraint != "") == bool(parameter.kind == "float" or parameter.choices or parameter.pattern)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"scroe_threshold": 0.5}, ["scroe_threshold", "expected one of", "score_threshold"]),
        ({"score_threshold": 1.5}, ["score_threshold", "0 to 1", "1.5"]),
        ({"score_threshold": -0.1}, ["score_threshold", "0 to 1", "-0.1"]),
        ({"score_threshold": float("nan")}, ["score_threshold", "0 to 1", "nan"]),
        ({"score_threshold": "high"}, ["score_threshold", "0 to 1", "'high'"]),
        ({"score_threshold": True}, ["score_threshold", "0 to 1", "True"]),
        ({"follow": 1}, ["follow", "true or false", "1"]),
        ({"device": "gpu"}, ["device", "cuda:N", "'gpu'"]),
        ({"device": 0}, ["device", "a string", "0"]),
        ({"model": "box"}, ["model", "a list of strings", "'box'"]),
        ({"model": [3]}, ["model", "a string", "3"]),
        ({"model": [""]}, ["model", "at least one"]),
        ({"frame_id": "/camera"}, ["frame_id", "not starting with '/'", "'/camera'"]),
        ({"frame_prefix": "my robot/"}, ["frame_prefix", "without spaces"]),
        ({"image_reliability": "sometimes"}, ["image_reliability", "best_effort, reliable", "'sometimes'"]),
    ],
)
def test_bad_values_are_refused_by_name(values, words):
    with pytest.raises(InputError) as caught:
        NodeConfig.from_dict(values, "robot.yaml")
    message = str(caught.value)
    assert message.startswith("robot.yaml: ")
    assert "\n" not in message
    for word in words:
        assert word in message


def test_checked_also_without_a_mapping():
    with pytest.raises(InputError, match="score_threshold: expected a number from 0 to 1, got 2"):
        NodeConfig(score_threshold=2)
    assert NodeConfig(score_threshold=1).score_threshold == 1.0
    assert NodeConfig(model=["a.safetensors", ""]).model == ("a.safetensors",)
    assert NodeConfig(device="cuda:1", frame_prefix="found/").frame_prefix == "found/"
