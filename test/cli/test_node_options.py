"""A node's parameters from a file, from options and from KEY=VALUE; and where defaults of options come from."""

import ast
from pathlib import Path

import pytest
import typer

import pose_regressor.cli
from pose_regressor.cli import build_app, main
from pose_regressor.cli.node_options import node_config, read_config, read_parameters, setting
from pose_regressor.middleware.fusion.parameters import FusionConfig
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.settings import SCORE_THRESHOLD
from pose_regressor.types import InputError

SHARED = {"options", "node_options"}


def test_parameter_file_sections(tmp_path):
    path = tmp_path / "parameters.yaml"
    path.write_text(
        "/**:\n  ros__parameters: {device: cpu, score_threshold: 0.6}\n"
        "pose_regressor:\n  ros__parameters: {score_threshold: 0.7}\n"
        "other_node:\n  ros__parameters: {colour: red}\n"
    )
    assert read_parameters(path) == {"device": "cpu", "score_threshold": 0.7}
    path.write_text("/**: {device: cpu}\n")
    with pytest.raises(InputError, match="expected 'ros__parameters'"):
        read_parameters(path)


def test_a_later_source_overrides_an_earlier_one(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text("/**:\n  ros__parameters: {model: [a], device: cpu, max_rate: 5}\n")
    config = node_config(path, ["b"], tmp_path / "camera.yaml", None, ["max_rate=7"])
    assert (config.model, config.device, config.max_rate) == (("b",), "cpu", 7.0)
    assert config.camera_file == str(tmp_path / "camera.yaml")
    assert node_config(None, None, None, None, None) == NodeConfig()
    path.write_text("pose_regressor_fusion:\n  ros__parameters: {window: 0.1}\n")
    fusion = read_config(FusionConfig, path, {"fixed_frame": "map", "model": None}, ["smooth=false"])
    assert (fusion.window, fusion.fixed_frame, fusion.smooth) == (0.1, "map", False)


def test_parameters_of_ros_itself_are_passed_over(tmp_path, caplog):
    """As `ros2 param dump` and launch files write them, nested or with dots."""
    path = tmp_path / "p.yaml"
    path.write_text(
        "/**:\n  ros__parameters:\n    max_rate: 5\n    use_sim_time: false\n"
        "    start_type_description_service: true\n"
        "    qos_overrides: {/tf: {publisher: {depth: 100, history: keep_last}}}\n"
        "    qos_overrides./parameter_events.publisher.depth: 7\n"
    )
    assert node_config(path, None, None, None, None) == NodeConfig(max_rate=5)
    assert not caplog.records
    path.write_text("/**:\n  ros__parameters: {use_sim_time: true, fixed_frame: /map}\n")
    assert read_config(FusionConfig, path, {}, None) == FusionConfig(fixed_frame="map")
    assert "poses carry the stamps of their images" in caplog.text
    caplog.clear()
    assert node_config(None, None, None, None, ["use_sim_time=True"]) == NodeConfig()
    assert "use_sim_time" in caplog.text
    with pytest.raises(InputError, match="use_sim: no such key"):
        node_config(None, None, None, None, ["use_sim=true"])


def test_settings_are_read_as_their_kind_asks():
    table = NodeConfig.table()
    assert setting("frame_id=17", table) == ("frame_id", "17")
    assert setting("objects=17", table) == ("objects", ["17"])
    assert setting("objects=[a, b]", table) == ("objects", ["a", "b"])
    assert setting("max_rate=5", table) == ("max_rate", 5)
    with pytest.raises(InputError, match=r"--set max_rate=\[: expected a float"):
        setting("max_rate=[", table)


def test_run_hands_the_node_its_parameters(tmp_path, monkeypatch):
    pytest.importorskip("cyclonedds")
    calls = []
    monkeypatch.setattr("pose_regressor.middleware.standalone.node.run", lambda *given: calls.append(given) or 0)
    (tmp_path / "p.yaml").write_text("/**:\n  ros__parameters: {device: cpu, score_threshold: 0.6, follow: true}\n")
    arguments = ["run", "--middleware", "dds", "--config", str(tmp_path / "p.yaml"), "--model", "a", "--model", "b"]
    arguments += ["--depth-topic", "/depth", "--depth-info-topic", "/depth_info"]
    arguments += ["--set", "follow=false", "--set", "objects=box", "--image-topic", "/camera/image_raw"]
    assert main(arguments) == 0
    [(participant, config, image_topic, camera_info_topic)] = calls
    assert participant.__module__ == "pose_regressor.middleware.dds.participant"
    assert (config.model, config.objects, config.device) == (("a", "b"), ("box",), "cpu")
    assert (config.score_threshold, config.follow) == (0.6, False)
    assert (config.depth_topic, config.depth_info_topic) == ("/depth", "/depth_info")
    assert (image_topic, camera_info_topic) == ("/camera/image_raw", "camera_info")


def test_defaults_of_options_come_from_the_tables():
    commands = typer.main.get_command(build_app()).commands
    options = {name: {p.name: p for p in command.params} for name, command in commands.items()}
    assert options["predict"]["threshold"].default == SCORE_THRESHOLD == NodeConfig().score_threshold
    assert options["predict"]["device"].default == NodeConfig().device
    assert options["run"]["model"].help.endswith(f"Default: {NodeConfig().model[0]}.")
    assert options["fuse"]["fixed_frame"].help.endswith(f"Default: {FusionConfig().fixed_frame}.")


def test_no_verb_imports_another():
    folder = Path(pose_regressor.cli.__file__).parent
    for path in folder.glob("*.py"):
        if path.stem == "__init__":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pose_regressor.cli"):
                assert node.module.removeprefix("pose_regressor.cli.") in SHARED, f"{path.name}: {node.module}"
