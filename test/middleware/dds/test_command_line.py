"""The real thing: a shipped bundle on real footage, as the README has it; and on frames of the demo clip with depth."""

import json
import shutil
import signal
import time
from itertools import islice
from pathlib import Path

import cv2
import pytest

from pose_regressor.files.cameras import load_camera
from pose_regressor.sources import open_source

ROOT = Path(__file__).parents[3]
CUBE = ROOT.parent / "shared" / "data" / "cube"


@pytest.mark.shared
@pytest.mark.skipif(not CUBE.exists(), reason="the reference data is not here")
def test_the_command_line_puts_a_video_on_tf(launch, peer, until):
    model = ROOT / "models" / "cube.safetensors"
    command = ["-m", "pose_regressor", "run", "--middleware", "dds", "--model", model]
    began, transforms = time.time(), []
    running = launch(*command, "--source", CUBE / "dev.mp4", "--camera", CUBE / "camera.json")

    def ten():
        transforms.extend(t for m in peer.tf.take(100) for t in getattr(m, "transforms", ()))
        return len(transforms) >= 10

    until(ten, "ten transforms")
    assert {t.child_frame_id for t in transforms} == {"cube_0"}
    assert {t.header.frame_id for t in transforms} == {"camera"}
    assert all(0.1 < t.transform.translation.z < 5 for t in transforms), "metres"
    stamps = [t.header.stamp.sec + 1e-9 * t.header.stamp.nanosec for t in transforms]
    assert stamps == sorted(set(stamps))
    assert began < stamps[0] and stamps[-1] < time.time()
    code, prompt = running.end(signal.SIGTERM)
    assert code == 0
    assert prompt


def write_scene(folder, frames=2):
    """The demo clip's first frames as a BOP scene with depth."""
    demo = ROOT / "demo"
    for name in ("rgb", "depth"):
        (folder / name).mkdir(parents=True)
    with open_source(demo / "box.mp4", load_camera(demo / "camera.json")) as clip:
        for frame in islice(clip, frames):
            name = f"{frame.index:06d}.png"
            cv2.imwrite(str(folder / "rgb" / name), frame.image[..., ::-1])
            shutil.copy(demo / "depth" / name, folder / "depth" / name)
    cameras = json.loads((demo / "scene_camera.json").read_text())
    (folder / "scene_camera.json").write_text(json.dumps({key: cameras[key] for key in map(str, range(frames))}))


@pytest.mark.parametrize(("options", "said"), [((), ", 2 of them with depth"), (("--depth", "off"), "")])
def test_a_source_brings_its_depth(launch, tmp_path, options, said):
    pytest.importorskip("cyclonedds")
    write_scene(tmp_path / "scene")
    model = ROOT / "models" / "box.safetensors"
    command = ["-m", "pose_regressor", "run", "--middleware", "dds", "--model", model, "--source", tmp_path / "scene"]
    running = launch(*command, *options)
    running.process.wait(120)
    assert f"scene: 2 poses in 2 frames{said}\n" in running.text


def test_depth_images_need_a_source(launch):
    running = launch("-m", "pose_regressor", "run", "--middleware", "dds", "--model", "box", "--depth", "depths")
    running.process.wait(120)
    assert "--depth depths: expected --source with it" in running.text
