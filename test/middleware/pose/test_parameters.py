from pathlib import Path

import pytest
import yaml

from pose_regressor.middleware.fusion.parameters import FusionConfig
from pose_regressor.middleware.pose.parameters import PARAMETERS, NodeConfig
from pose_regressor.settings import as_yaml
from pose_regressor.types import InputError

SHIPPED = Path(__file__).parents[3] / "config"
CONFIGS = pytest.mark.parametrize("config", [NodeConfig, FusionConfig], ids=lambda config: config.node_name)


@CONFIGS
def test_yaml_holds_every_parameter_with_its_default(config):
    values = yaml.safe_load(as_yaml(config))["/**"]["ros__parameters"]
    assert list(values) == [p.name for p in config.table()]
    assert config.from_dict(values) == config()


@CONFIGS
def test_shipped_yaml_is_the_table(config):
    shipped = SHIPPED / f"{config.node_name.removeprefix('pose_regressor_')}.yaml"
    assert shipped.read_text(encoding="utf-8") == as_yaml(config), (
        f"write it anew: python -c 'from {config.__module__} import *; from pose_regressor.settings import as_yaml; "
        f'print(as_yaml({config.__name__}), end="")\' > config/{shipped.name}'
    )


@pytest.mark.parametrize("parameter", PARAMETERS + FusionConfig.table(), ids=lambda p: p.name)
def test_every_parameter_is_described(parameter):
    assert parameter.description
    assert parameter.check(parameter.default) == parameter.default
    if parameter.kind == "float":
        assert parameter.unit
        assert f"{parameter.low:g} to {parameter.high:g}" in parameter.constraint
    assert (parameter.constraint != "") == bool(
        parameter.kind in ("int", "float") or parameter.choices or parameter.pattern
    )


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
        ({"frame_id": "the camera"}, ["frame_id", "without spaces", "'the camera'"]),
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


def test_a_leading_slash_of_a_frame_is_taken_off():
    """As ROS 1 wrote frames. tf2 refuses to look them up."""
    config = NodeConfig.from_dict({"frame_id": "/camera", "frame_prefix": "/robot/"})
    assert (config.frame_id, config.frame_prefix) == ("camera", "robot/")
    assert config.changed({"frame_id": "/camera"}) == config, "the same value is no change"
    assert FusionConfig(fixed_frame="/map", frame_prefix="/f/").fixed_frame == "map"
    with pytest.raises(InputError, match="fixed_frame: expected a TF frame name without spaces, got ''"):
        FusionConfig(fixed_frame="/")


def test_live_parameters_may_be_changed_and_others_not():
    config = NodeConfig(model=("a",), frame_id="eye")
    changed = config.changed({"score_threshold": 0.7, "objects": ["mug", ""], "max_rate": 5, "follow": False})
    assert (changed.score_threshold, changed.objects, changed.max_rate) == (0.7, ("mug",), 5.0)
    assert (changed.follow, changed.frame_id, changed.model) == (False, "eye", ("a",))
    assert config.changed({"frame_id": "eye", "model": ["a"]}) == config, "the same value is no change"
    for parameter in PARAMETERS:
        value = {"bool": not parameter.default, "int": 2, "float": 0.75, "string_array": ["x"]}.get(
            parameter.kind, "compressed"
        )
        if parameter.live:
            assert getattr(config.changed({parameter.name: value}), parameter.name) != getattr(config, parameter.name)
        elif not (parameter.choices or parameter.pattern):
            with pytest.raises(InputError, match=f"{parameter.name}: is fixed once the node runs"):
                config.changed({parameter.name: value})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"score_threshold": 2.0}, "score_threshold: expected a number from 0 to 1, got 2"),
        ({"max_rate": -1.0}, "max_rate: expected a number from 0 to 1000"),
        ({"objects": "mug"}, "objects: expected a list of strings"),
        ({"follow": None}, "follow: expected true or false, got None"),
        ({"device": "cuda"}, "device: is fixed once the node runs; these may be changed: objects, score_threshold"),
        ({"sleep": 1}, "sleep: no such key, expected one of model"),
    ],
)
def test_a_change_is_checked_as_a_whole(values, words):
    with pytest.raises(InputError, match=words):
        NodeConfig().changed({"score_threshold": 0.4, **values})


def test_yaml_says_which_are_live():
    text = as_yaml(NodeConfig)
    for parameter in PARAMETERS:
        notes = text.partition(f"    # {parameter.description}\n")[2].partition(f"    {parameter.name}:")[0]
        assert ("[live" in notes) == parameter.live, parameter.name
