"""A robot without a GPU has no torch: the runtime works in a process that cannot import it."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from pose_regressor.assets import demo_folder
from pose_regressor.files.cameras import load_camera
from pose_regressor.sources import open_source

ROOT = Path(__file__).resolve().parent.parent
#: What a process runs before anything else: from then on, importing torch fails as if it were not installed.
BLOCK = "import sys; sys.modules['torch'] = None\n"


def run(script: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", BLOCK + script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)


COMMAND = "from pose_regressor.cli import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A folder with every tenth image of the demo's clip, without those in which the hand hides the box."""
    demo, folder = demo_folder(), tmp_path_factory.mktemp("images")
    with open_source(demo / "box.mp4", load_camera(demo / "camera.json")) as clip:
        for frame in clip:
            if frame.index % 10 == 0 and not 40 < frame.index < 80:
                cv2.imwrite(str(folder / f"{frame.index:03d}.png"), frame.image[..., ::-1])
    return folder


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_predict_finds_the_box(images, tmp_path, backend):
    pytest.importorskip(backend)
    out, camera = tmp_path / "poses.csv", demo_folder() / "camera.json"
    arguments = ["predict", str(images), "--camera", str(camera), "--model", "box"]
    done = run(COMMAND, tmp_path, *arguments, "--backend", backend, "--out", str(out))
    assert done.returncode == 0, done.stderr
    with out.open(newline="") as file:
        found = {row["im_id"] for row in csv.DictReader(file)}
    assert len(found) == len(list(images.iterdir())) == 9


def test_info_says_what_runs_the_network(tmp_path):
    pytest.importorskip("openvino")
    done = run(COMMAND, tmp_path, "info", "--json")
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)
    assert content["machine"]["auto runs the network by"].startswith("openvino on cpu")


@pytest.mark.parametrize(
    "arguments", [["info", "box"], ["doctor", "--help"], ["run", "--help"], ["bag", "--help"], ["record", "--help"]]
)
def test_other_commands_start(tmp_path, arguments):
    done = run(COMMAND, tmp_path, *arguments)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "x.mp4", "--model", "box", "--out", "x.csv", "--backend", "torch"], "pose_regressor[torch]"),
        (["predict", "x.mp4", "--model", "box", "--out", "x.csv", "--device", "cuda"], "pose_regressor[torch]"),
        (["export", "box"], "pose_regressor[torch]"),
    ],
)
def test_what_needs_torch_says_so_in_one_line(tmp_path, arguments, message):
    demo = demo_folder()
    if arguments[0] == "predict":
        arguments = ["predict", str(demo / "box.mp4"), "--camera", str(demo / "camera.json"), *arguments[2:]]
    done = run(COMMAND, tmp_path, *arguments)
    assert done.returncode != 0 and message in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_every_module_but_the_layers_imports(tmp_path):
    """All that is neither a layer nor a torch module of the network nor needs another optional package."""
    package = ROOT / "pose_regressor"
    without = ("ops/", "geometry/rotation.py", "middleware/ros2/", "middleware/dds/", "middleware/zenoh/", "bag/")
    without += ("doctor/dds.py", "doctor/zenoh.py")
    torch_modules = tuple(f"network/{name}.py" for name in ("backbone", "heads", "network", "torch_runner"))
    names = []
    for path in sorted(package.rglob("*.py")):
        inside = path.relative_to(package).as_posix()
        if not inside.startswith((*without, *torch_modules, "__main__")):
            names.append(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
    script = "import importlib\nfor name in sys.argv[1:]: importlib.import_module(name)"
    done = run(script, tmp_path, *names)
    assert done.returncode == 0, done.stderr
