"""What works where cyclonedds has no wheel: everything but what is over DDS, each tried in a process without it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from domains import own_domain

from pose_regressor.middleware import DDS_REMEDY

ROOT = Path(__file__).resolve().parents[2]
SITE = """
import os
import sys


class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("cyclonedds", "rclpy", os.environ.get("ABSENT")):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Absent())
"""


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """Runs Python where cyclonedds and rclpy do not import. absent: one package more; variables: of the environment."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "sitecustomize.py").write_text(SITE, encoding="utf-8")
    inherited = filter(None, [str(folder), os.environ.get("PYTHONPATH", ""), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(inherited)}

    def run(*arguments, status=0, absent="", **variables):
        settings = {**environment, "ABSENT": absent, **variables}
        arguments = [sys.executable, *map(str, arguments)]
        result = subprocess.run(arguments, capture_output=True, text=True, env=settings, cwd=folder, check=False)
        assert result.returncode == status, result.stdout + result.stderr
        return result

    return run


def test_it_is_absent(command):
    assert "No module named 'cyclonedds'" in command("-c", "import cyclonedds", status=1).stderr


def test_a_message_there_and_back(command):
    script = """
from pose_regressor.middleware.wire import idl
from pose_regressor.middleware.wire.service_types import LIFECYCLE
from pose_regressor.middleware.wire.type_hash import type_hash
image = idl.Image(idl.Header(idl.Time(1, 2), "optical"), 1, 2, "mono8", 0, 2, b"ab")
again = idl.Image.deserialize(image.serialize())
print(again.data.tolist(), again.header.frame_id, type_hash(LIFECYCLE["get_state"].request)[:10])
"""
    assert command("-c", script).stdout.split() == ["[97,", "98]", "optical", "RIHS01_77a"]


def test_a_clip_recorded_and_annotated(command, tmp_path):
    pytest.importorskip("mcap")
    script = f"""
from itertools import islice
from pathlib import Path
from pose_regressor.assets import demo_folder
from pose_regressor.bag.record import record
from pose_regressor.files.cameras import load_camera
from pose_regressor.sources import Source, open_source


class Start(Source):
    def __init__(self, source):
        self.name, self.fps, self.source = source.name, source.fps, source

    def __iter__(self):
        return islice(iter(self.source), 3)


demo = demo_folder()
record(Start(open_source(demo / "box.mp4", load_camera(demo / "camera.json"))), Path({str(tmp_path / "clip.mcap")!r}))
"""
    command("-c", script)
    command("-m", "pose_regressor", "bag", tmp_path / "clip.mcap", tmp_path / "poses.mcap")
    from pose_regressor.bag.reading import open_bag

    counts = {topic.name: count for topic, count in open_bag(tmp_path / "poses.mcap").counts.items()}
    assert counts["/tf"] == 3


def test_the_doctor_says_what_is_missing(command):
    doctor = ["-m", "pose_regressor", "doctor", "--json", "--seconds", "1"]
    found = {f["check"]: f for f in json.loads(command(*doctor, status=1, absent="zenoh").stdout)}
    assert "No module named 'cyclonedds'" in found["network"]["text"]
    assert DDS_REMEDY in found["network"]["text"]
    assert "No module named 'zenoh'" in found["network"]["text"]
    assert found["network"]["level"] == "WARN"
    assert DDS_REMEDY in found["middleware"]["advice"]


def test_the_doctor_looks_over_zenoh(command):
    pytest.importorskip("zenoh")
    with own_domain() as (_, environment):
        found = json.loads(
            command("-m", "pose_regressor", "doctor", "--json", "--seconds", "1", status=1, **environment).stdout
        )
    (router,) = [f for f in found if f["check"] == "router"]
    assert router["text"].startswith("no Zenoh router at tcp/127.0.0.1:")
    assert "pose_regressor.middleware.zenoh.router" in router["advice"]


def test_a_node_says_what_is_missing(command):
    script = ["-m", "pose_regressor", "run", "--model", "box"]
    error = command(*script, status=2, absent="zenoh").stderr
    assert "rclpy does not import" in error
    assert DDS_REMEDY in error
    assert "zenoh does not import" in error
