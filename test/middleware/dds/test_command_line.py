"""The real thing: a shipped bundle on real footage, as the README has it."""

import signal
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CUBE = ROOT.parent / "shared" / "data" / "cube"


@pytest.mark.shared
@pytest.mark.skipif(not CUBE.exists(), reason="the reference data is not here")
def test_the_command_line_puts_a_video_on_tf(launch, peer, until):
    model = ROOT / "models" / "cube.safetensors"
    command = ["-m", "pose_regressor", "run", "--middleware", "dds", "--model", model]
    running = launch(*command, "--source", CUBE / "dev.mp4", "--camera", CUBE / "camera.json")
    transforms = []

    def ten():
        transforms.extend(t for m in peer.tf.take(100) for t in getattr(m, "transforms", ()))
        return len(transforms) >= 10

    until(ten, "ten transforms", 60)
    assert {t.child_frame_id for t in transforms} == {"cube_0"}
    assert {t.header.frame_id for t in transforms} == {"camera"}
    assert all(0.1 < t.transform.translation.z < 5 for t in transforms), "metres"
    stamps = [t.header.stamp.sec + 1e-9 * t.header.stamp.nanosec for t in transforms]
    assert stamps == sorted(set(stamps))
    assert abs(stamps[-1] - time.time()) < 30
    code, prompt = running.end(signal.SIGTERM)
    assert code == 0
    assert prompt
