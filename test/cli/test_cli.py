"""The command line: what it does, its exit codes, and that every user error is one line without a traceback."""

import importlib.metadata
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import pose_regressor
from pose_regressor.cli import PLUGIN_GROUP, main
from pose_regressor.estimation.estimates import Estimates
from pose_regressor.types import ObjectModel, PoseEstimate

ROOT = Path(__file__).resolve().parents[2]
CORNERS = np.array([[-0.05, -0.04, -0.03], [0.05, 0.04, 0.03]])
BOX = ObjectModel("box", 4, 0.14, CORNERS, CORNERS, CORNERS)
CAMERA = {"width": 64, "height": 48, "fx": 60.0, "fy": 60.0, "cx": 32.0, "cy": 24.0}


def found() -> PoseEstimate:
    pose = np.eye(4)
    pose[2, 3] = 0.5
    return PoseEstimate(BOX, pose, np.eye(6), 0.9, "pnp", np.zeros(4))


class FakeEstimator:
    """Finds the box in every frame; stands in for the network."""

    answer = staticmethod(lambda frame: [found()])

    def __init__(self, bundles, *settings):
        pass

    def estimate(self, frame):
        return self.answer(frame)

    def settle(self, frame, found):
        return found

    def search(self, frame, *_, **__):
        return Estimates(tuple(self.answer(frame)))

    def follow(self, frame, last):
        return Estimates(tuple(self.answer(frame)))


@pytest.fixture
def folder(tmp_path):
    """Images 000003, 000005 and 000007, a camera for them, and a file to pass for a bundle."""
    (tmp_path / "images").mkdir()
    for index in (3, 5, 7):
        assert cv2.imwrite(str(tmp_path / "images" / f"{index:06d}.png"), np.zeros((48, 64, 3), np.uint8))
    (tmp_path / "camera.json").write_text(json.dumps(CAMERA))
    (tmp_path / "box.safetensors").write_bytes(b"not really")
    return tmp_path


@pytest.fixture
def fake(monkeypatch):
    estimator = type("Estimator", (FakeEstimator,), {})
    monkeypatch.setattr("pose_regressor.estimation.estimator.PoseEstimator", estimator)
    return estimator


def predict(folder: Path, *more: str) -> int:
    arguments = [str(folder / "images"), "--camera", str(folder / "camera.json")]
    arguments += ["--model", str(folder / "box.safetensors"), "--out", str(folder / "out.csv"), *more]
    return main(["predict", *arguments])


@pytest.mark.parametrize("command", ["", "run", "predict", "bag", "record", "fuse", "export", "doctor", "demo", "info"])
def test_help(command, capsys):
    assert main([*filter(None, [command]), "--help"]) == 0
    assert "Usage: pose-regressor" in capsys.readouterr().out


def test_version(capsys):
    assert main(["--version"]) == 0
    version = capsys.readouterr().out.strip()
    assert version == pose_regressor.__version__
    root = Path(__file__).resolve().parents[2]
    for file, words in {
        "package.xml": f"<version>{version}</version>",
        "setup.py": f'version="{version}"',
        "cuda_ext/setup.py": f'version="{version}"',
        "training/pyproject.toml": f'version = "{version}"',
        "CHANGELOG.md": f"\n## {version}\n",
    }.items():
        assert words in (root / file).read_text(), f"{file} is of another version"


def test_predict_writes_what_it_found(folder, fake, capsys):
    assert predict(folder, "--overlay", str(folder / "out.mp4")) == 0
    rows = (folder / "out.csv").read_text().splitlines()
    assert rows[0] == "scene_id,im_id,obj_id,score,R,t,time"
    assert [row.split(",")[:6] for row in rows[1:]] == [
        ["0", index, "4", "0.9", "1 0 0 0 1 0 0 0 1", "0 0 500"] for index in ("3", "5", "7")
    ]
    assert all(float(row.split(",")[6]) >= 0 for row in rows[1:])
    assert "3 frames, a pose in 3 (100.0 %)" in capsys.readouterr().out
    overlay = cv2.VideoCapture(str(folder / "out.mp4"))
    assert overlay.get(cv2.CAP_PROP_FRAME_COUNT) == 3
    assert overlay.read()[1].any()


def test_predict_says_what_was_used(folder, fake, capsys):
    (folder / "depths").mkdir()
    assert cv2.imwrite(str(folder / "depths" / "000005.png"), np.full((48, 64), 500, np.uint16))

    def answer(frame):
        return [replace(found(), method="pnp", depth_share=None if frame.depth is None else 0.75)]

    fake.answer = staticmethod(answer)
    assert predict(folder, "--depth", str(folder / "depths"), "--json", str(folder / "out.jsonl")) == 0
    assert " ms a frame; with depth: 1 of 3 frames, 1 of 3 poses; wrote " in capsys.readouterr().out
    lines = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    assert [(line["im_id"], line["depth"]) for line in lines] == [(3, False), (5, True), (7, False)]
    assert [line["poses"][0]["depth_share"] for line in lines] == [None, 0.75, None]
    (pose,) = lines[1]["poses"]
    assert (pose["object"], pose["obj_id"], pose["method"], pose["score"]) == ("box", 4, "pnp", 0.9)
    assert pose["translation"] == [0, 0, 0.5] and pose["quaternion_xyzw"] == [0, 0, 0, 1]
    assert np.shape(pose["covariance"]) == (6, 6)
    assert len((folder / "out.csv").read_text().splitlines()) == 4


def test_predict_that_finds_nothing_exits_with_1(folder, fake):
    fake.answer = staticmethod(lambda frame: [])
    assert predict(folder) == 1
    assert (folder / "out.csv").read_text().count("\n") == 1


def test_interrupted_predict_keeps_what_it_has(folder, fake, capsys):
    def answer(frame):
        if frame.index == 7:
            raise KeyboardInterrupt
        return [found()]

    fake.answer = staticmethod(answer)
    assert predict(folder) == 130
    assert (folder / "out.csv").read_text().count("\n") == 3
    assert "Traceback" not in capsys.readouterr().err


def test_failed_predict_leaves_the_old_result(folder, fake, capsys):
    (folder / "out.csv").write_text("old")
    (folder / "images" / "000007.png").write_bytes((folder / "images" / "000007.png").read_bytes()[:60])
    assert predict(folder) == 2
    assert "000007.png: expected an image" in capsys.readouterr().err
    assert (folder / "out.csv").read_text() == "old"
    assert sorted(path.name for path in folder.iterdir()) == ["box.safetensors", "camera.json", "images", "out.csv"]


#: What is typed, and a part of what is answered. {new} does not exist, the other places do.
BAD = {
    "unknown command": ("fly", "fly"),
    "no source": ("predict --model {box} --out {new}.csv", "SOURCE"),
    "no output": ("predict {images} --model {box}", "--out"),
    "threshold": ("predict {images} --model {box} --out {new}.csv --threshold 2", "--threshold"),
    "unknown model": ("predict {images} --model {new} --out {new}.csv", "no such model"),
    "unreadable bundle": ("info {box}", "box.safetensors"),
    "missing source": ("predict {new} --camera {camera} --model {box} --out {new}.csv", "no such file or folder"),
    "no camera": ("predict {images} --model {box} --out {new}.csv", "expected a camera file"),
    "missing camera": ("predict {images} --camera {new} --model {box} --out {new}.csv", "no such file"),
    "camera of zeros": ("predict {images} --camera {zeros} --model {box} --out {new}.csv", "positive fx and fy"),
    "camera of NaN": ("predict {images} --camera {nan} --model {box} --out {new}.csv", "finite numbers in 'fx'"),
    "camera of another size": (
        "predict {images} --camera {small} --model {box} --out {new}.csv",
        "is 64x48, but its camera is for 32x48",
    ),
    "empty video": ("predict {empty} --camera {camera} --model {box} --out {new}.csv", "expected a video file"),
    "output is a folder": ("predict {images} --camera {camera} --model {box} --out {images}", "this is a folder"),
    "overlay of another kind": (
        "predict {images} --camera {camera} --model {box} --out {new}.csv --overlay {new}.gif",
        "ending in .mp4, .webm, .avi",
    ),
    "middleware": ("run --middleware carrier-pigeon", "expected auto, ros2, dds or zenoh"),
    "no equals sign": ("run --set score_threshold", "expected KEY=VALUE"),
    "unknown parameter": ("run --set colour=red", "colour: no such key, expected one of model"),
    "parameter out of range": ("run --set score_threshold=1.5", "expected a number from 0 to 1, got 1.5"),
    "parameter of another kind": ("run --set follow=maybe", "expected true or false"),
    "not a parameter file": ("run --config {camera}", "expected a ROS 2 parameter file"),
    "missing parameter file": ("run --config {new}.yaml", "no such file"),
    "rate": ("demo --rate 0", "--rate"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_exit_code_2(name, folder, capsys):
    typed, expected = BAD[name]
    (folder / "empty.mp4").write_bytes(b"")
    for stem, change in (("zeros", {"fx": 0, "fy": 0}), ("nan", {"fx": float("nan")}), ("small", {"width": 32})):
        (folder / f"{stem}.json").write_text(json.dumps({**CAMERA, **change}))
    places = {stem: str(folder / f"{stem}.json") for stem in ("camera", "zeros", "nan", "small")}
    places |= {"images": str(folder / "images"), "box": str(folder / "box.safetensors")}
    places |= {"empty": str(folder / "empty.mp4"), "new": str(folder / "new")}
    assert main([argument.format(**places) for argument in typed.split()]) == 2
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("pose-regressor: error: ")
    assert expected in lines[0]
    assert not (folder / "new.csv").exists()


def test_absent_cuda_is_said(folder, fake, monkeypatch, capsys):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    monkeypatch.undo()  # the real estimator
    assert predict(folder, "--device", "cuda") == 2
    assert "cuda" in capsys.readouterr().err


def test_info_of_this_machine(capsys):
    assert main(["info", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["machine"]["python"].startswith(f"{sys.version_info.major}.")
    assert content["packages"]["pose_regressor"] == pose_regressor.__version__
    assert main(["info"]) == 0
    assert "auto takes" in capsys.readouterr().out


class FakeEntryPoint:
    value = "plugin:add_commands"

    def __init__(self, load):
        self.load = load


def test_plugins_add_commands_and_cannot_break_the_others(monkeypatch, capsys):
    def add_commands(app):
        @app.command()
        def juggle() -> None:
            print("juggling")

    def broken():
        raise ImportError("no balls")

    points = [FakeEntryPoint(lambda: add_commands), FakeEntryPoint(broken)]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points if group == PLUGIN_GROUP else [])
    assert main(["juggle"]) == 0
    captured = capsys.readouterr()
    assert captured.out == "juggling\n"
    assert captured.err == "pose-regressor: warning: the commands of plugin:add_commands are left out (no balls)\n"


def process(*arguments: str, **options) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, *arguments], stderr=subprocess.PIPE, text=True, env=environment, **options)


def test_closed_pipe_is_quiet():
    read, write = os.pipe()
    os.close(read)
    with process("-m", "pose_regressor", "--help", stdout=write) as help_command:
        os.close(write)
        assert help_command.communicate(timeout=150)[1] == ""
    assert help_command.returncode == 1


SLOW_PREDICT = """
import sys, time, pose_regressor.estimation.estimator
class Slow:
    def __init__(self, *_, **__): pass
    def estimate(self, frame):
        print("ready", flush=True)
        time.sleep(3600)
pose_regressor.estimation.estimator.PoseEstimator = Slow
from pose_regressor.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_it_quietly_long_before_its_work_is_done(folder, number, status):
    command = ["predict", str(folder / "images"), "--camera", str(folder / "camera.json")]
    command += ["--model", str(folder / "box.safetensors"), "--out", str(folder / "new" / "out.csv")]
    with process("-c", SLOW_PREDICT, *command, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        while running.stdout.readline() != "ready\n":
            assert running.poll() is None
        running.send_signal(number)
        errors = running.communicate(timeout=150)[1]
    assert running.returncode == status
    assert "Traceback" not in errors
    # Interrupted, it keeps what it has; terminated, it leaves nothing behind.
    assert [path.name for path in (folder / "new").iterdir()] == (["out.csv"] if number == signal.SIGINT else [])
