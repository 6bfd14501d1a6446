"""The launch files, with the package as colcon would have installed it: `ros2 launch` against a prefix of links."""

import json
import os
import runpy
import signal
import stat
import sys
from pathlib import Path

import pytest
import yaml
from base_peer import PATIENCE

pytest.importorskip("rclpy")
pytest.importorskip("ros2launch")

pytestmark = pytest.mark.ros2

ROOT = Path(__file__).parents[3]
EXECUTABLES = {
    "pose_regressor_node": "pose_regressor.middleware.executables import node as main",
    "pose_regressor_fusion": "pose_regressor.middleware.executables import fusion as main",
    "pose_regressor_player": "pose_regressor.middleware.executables import player as main",
    "pose_regressor_demo_listener": "pose_regressor.demo.listener import main",
}


@pytest.fixture
def prefix(tmp_path, monkeypatch):
    """What the launch files find with ament; the executables run the checkout."""
    prefix = tmp_path / "prefix"
    marker = prefix / "share" / "ament_index" / "resource_index" / "packages" / "pose_regressor"
    marker.parent.mkdir(parents=True)
    marker.touch()
    (prefix / "share" / "pose_regressor").symlink_to(ROOT)
    for name, source in EXECUTABLES.items():
        path = prefix / "lib" / "pose_regressor" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!{sys.executable}\nimport sys\nfrom {source}\nsys.exit(main())\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("AMENT_PREFIX_PATH", os.pathsep.join((str(prefix), os.environ["AMENT_PREFIX_PATH"])))
    monkeypatch.setenv("ROS_LOG_DIR", str(tmp_path / "log"))
    return prefix


ROS2 = ["-c", "import sys; from ros2cli.cli import main; sys.exit(main())"]


def test_arguments_become_parameters_and_topics(prefix, launch, peer_node, until, make_bundle, tmp_path):
    from rcl_interfaces.srv import GetParameters

    paths = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    make_bundle("mug").save(paths[0])
    make_bundle("cup").save(paths[1])
    given = [f"model:={paths[0]}, {paths[1]}", "device:=cpu", "frame_prefix:=seen/", "namespace:=arm"]
    given += ["image:=/eye/image_raw", "camera_info:=/eye/camera_info", "support_plane:=true", "support_frame:=table"]
    running = launch(*ROS2, "launch", "pose_regressor", "pose_regressor.launch.py", *given)
    until(lambda: peer_node.count_subscribers("/eye/image_raw"), "the node")
    until(lambda: peer_node.count_subscribers("/eye/camera_info"), "its camera info")
    client = peer_node.create_client(GetParameters, "/arm/pose_regressor/get_parameters")
    assert client.wait_for_service(PATIENCE)
    names = ["model", "device", "frame_prefix", "score_threshold", "support_plane", "support_frame"]
    answer = client.call_async(GetParameters.Request(names=names))
    until(answer.done, "the parameters")
    model, device, prefix_, threshold, on_plane, table = answer.result().values
    assert list(model.string_array_value) == [str(path) for path in paths]
    assert (device.string_value, prefix_.string_value, threshold.double_value) == ("cpu", "seen/", 0.15)
    assert on_plane.bool_value and table.string_value == "table"
    running.end(signal.SIGINT)
    assert "process has finished cleanly" in running.text


def test_without_arguments_the_parameter_file_counts(prefix, launch, tmp_path):
    (tmp_path / "robot.yaml").write_text("/**:\n  ros__parameters:\n    model: [nowhere]\n")
    running = launch(
        *ROS2, "launch", "pose_regressor", "pose_regressor.launch.py", f"params_file:={tmp_path / 'robot.yaml'}"
    )
    running.wait()
    assert "error: nowhere: no such model" in running.text
    assert "exit code 2" in running.text


class Manager:
    """Of one managed node, by its services."""

    def __init__(self, peer_node, until, name):
        from lifecycle_msgs.srv import ChangeState, GetState

        self.until, self.change_state, self.get_state = until, ChangeState.Request, GetState.Request
        self.clients = {
            kind.Request: peer_node.create_client(kind, f"{name}/{service}")
            for kind, service in ((ChangeState, "change_state"), (GetState, "get_state"))
        }
        assert all(client.wait_for_service(PATIENCE) for client in self.clients.values())

    def call(self, request):
        answer = self.clients[type(request)].call_async(request)
        self.until(answer.done, "an answer")
        return answer.result()

    def state(self):
        return self.call(self.get_state()).current_state.label

    def change(self, label):
        request = self.change_state()
        request.transition.label = label
        return self.call(request).success


def test_autostart_is_left_to_a_manager_if_asked_for(prefix, launch, peer_node, until, make_bundle, tmp_path):
    path = tmp_path / "a.safetensors"
    make_bundle("mug").save(path)
    given = [f"model:={path}", "autostart:=false", "namespace:=arm"]
    running = launch(*ROS2, "launch", "pose_regressor", "pose_regressor.launch.py", *given)
    manager = Manager(peer_node, until, "/arm/pose_regressor")
    assert manager.state() == "unconfigured"
    assert manager.change("configure") and manager.change("activate")
    assert manager.state() == "active"
    running.end(signal.SIGINT)
    assert "process has finished cleanly" in running.text


def test_the_fusion_node_too(prefix, launch, peer_node, until):
    given = ["fixed_frame:=room", "detections:=/left/seen, /right/seen", "autostart:=false", "namespace:=arm"]
    running = launch(*ROS2, "launch", "pose_regressor", "fusion.launch.py", *given)
    manager = Manager(peer_node, until, "/arm/pose_regressor_fusion")
    assert manager.state() == "unconfigured"
    assert manager.change("configure")
    assert not peer_node.count_subscribers("/left/seen")
    assert manager.change("activate")
    until(lambda: peer_node.count_subscribers("/left/seen"), "the one camera's reader")
    until(lambda: peer_node.count_subscribers("/right/seen"), "the other's")
    assert peer_node.count_publishers("/arm/pose_regressor_fusion/detections")
    assert manager.change("deactivate") and manager.change("cleanup")
    until(lambda: not peer_node.count_publishers("/arm/pose_regressor_fusion/detections"), "its writers to be gone")
    running.end(signal.SIGINT)
    assert "process has finished cleanly" in running.text


@pytest.mark.parametrize(("rviz", "packages"), [("false", ["pose_regressor"]), ("true", ["pose_regressor", "rviz2"])])
def test_rviz_is_started_only_if_asked_for(prefix, rviz, packages):
    from launch import LaunchContext

    module = runpy.run_path(str(ROOT / "launch" / "pose_regressor.launch.py"))
    context = LaunchContext()
    context.launch_configurations["rviz"] = rviz
    for argument in module["ARGUMENTS"]:
        argument.execute(context)
    assert [node.node_package for node in module["start"](context)] == packages


def test_the_rviz_layout_shows_what_the_node_publishes():
    content = yaml.safe_load((ROOT / "config" / "pose_regressor.rviz").read_text(encoding="utf-8"))
    manager = content["Visualization Manager"]
    displays = {display["Class"].rpartition("/")[2]: display for display in manager["Displays"]}
    assert displays.keys() == {"Grid", "TF", "MarkerArray", "Image", "Camera"}
    assert displays["MarkerArray"]["Topic"]["Value"] == "pose_regressor/markers"
    assert displays["Image"]["Topic"]["Value"] == "pose_regressor/overlay"
    assert displays["Camera"]["Topic"]["Value"] == "image"
    assert manager["Global Options"]["Fixed Frame"] == "camera"


@pytest.mark.slow
@pytest.mark.timeout(900)  # the video alone takes a busy machine minutes
@pytest.mark.skipif(
    not (ROOT / "demo" / "box.mp4").is_file() or not (ROOT / "models" / "box.safetensors").is_file(),
    reason="the demo's clip and network are not here",
)
@pytest.mark.parametrize("depth", ["off", "on"])
def test_demo(prefix, launch, tmp_path, depth):
    given = [f"out:={tmp_path / 'out'}", "rate:=10.0", f"depth:={depth}"]
    running = launch(*ROS2, "launch", "pose_regressor", "demo.launch.py", *given)
    running.wait(800)
    assert "pose of the box, image to /tf" in running.text
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {
        "overlay.mp4",
        "contact_sheet.png",
        "result.json",
    }
    with_depth = json.loads((tmp_path / "out" / "result.json").read_text())["with_depth"]
    assert with_depth > 0.5 if depth == "on" else with_depth is None
    assert "Traceback" not in running.text
