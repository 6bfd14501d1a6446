"""The demo's arithmetic and its handling of processes; the whole of it is `make demo`."""

import json
import os
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from pose_regressor.cli import main
from pose_regressor.demo import run as demo
from pose_regressor.demo.processes import Processes, own_domain
from pose_regressor.demo.results import evaluate, summarise
from pose_regressor.types import InputError, ObjectModel

CORNERS = np.array([[-0.05, -0.04, -0.03], [0.05, 0.04, 0.03]])
MODEL = ObjectModel("box", 1, 0.2, CORNERS, CORNERS, CORNERS)
MILLISECOND = 1_000_000


def transform(stamp: int, latency_ms: float, translation, quaternion=(0, 0, 0, 1), child: str = "box_0"):
    return SimpleNamespace(
        stamp=stamp,
        received=stamp + round(latency_ms * MILLISECOND),
        child=child,
        translation=np.array(translation, dtype=float),
        quaternion=np.array(quaternion, dtype=float),
    )


def at(z: float) -> np.ndarray:
    pose = np.eye(4)
    pose[2, 3] = z
    return pose


def test_results_are_matched_by_stamp_and_measured():
    # Frame 0 exact, frame 1 30 mm too far, frame 2 without a pose, frame 3 turned about z, frame 9 has no true pose.
    start = 1_700_000_000_000_000_000
    stamps = {start + index * 100 * MILLISECOND: index for index in (0, 1, 2, 3, 9)}
    frame = {index: stamp for stamp, index in stamps.items()}
    quarter = (0, 0, np.sin(np.pi / 4), np.cos(np.pi / 4))
    transforms = [
        transform(frame[0], 10, (0, 0, 0.5)),
        transform(frame[0], 11, (5, 5, 5)),  # a second one for the same frame
        transform(frame[1], 20, (0, 0, 0.53)),
        transform(frame[1], 20, (0, 0, 0.5), child="cube_0"),
        transform(frame[3], 30, (0, 0, 0.5), quarter),
        transform(frame[9], 30, (0, 0, 0.5)),
        transform(start + 1, 30, (0, 0, 0.5)),  # of somebody else's image
    ]
    results = evaluate(MODEL, {index: at(0.5) for index in range(4)}, stamps, transforms)
    assert [result.index for result in results] == [0, 1, 2, 3]
    assert results[0].add == pytest.approx(0)
    assert results[1].add == pytest.approx(0.03 / MODEL.diameter)
    assert results[1].translation_mm == pytest.approx(30)
    assert results[1].rotation_deg == pytest.approx(0)
    assert results[2].add is None
    assert results[3].rotation_deg == pytest.approx(90)
    # A quarter turn moves a point by √2 times its distance from the axis.
    assert results[3].add == pytest.approx(np.sqrt(2) * np.hypot(0.05, 0.04) / MODEL.diameter)

    summary = summarise(results, transforms[:6])
    assert (summary.frames, summary.found, summary.close) == (4, 0.75, 0.25)
    assert summary.translation_mm_median == pytest.approx(0, abs=1e-9)
    assert summary.latency_ms_p50 == pytest.approx(20)
    assert summary.frames_per_second == pytest.approx(3 / 0.92, rel=1e-6)
    assert not summary.good


def test_all_found_and_close_is_good_and_nothing_found_is_not():
    stamps = {1000 * index: index for index in range(1, 5)}
    truth = {index: at(0.5) for index in range(1, 5)}
    exact = [transform(stamp, 1, (0, 0, 0.5)) for stamp in stamps]
    assert summarise(evaluate(MODEL, truth, stamps, exact), exact).good
    nothing = summarise(evaluate(MODEL, truth, stamps, []), [])
    assert (nothing.found, nothing.add_median, nothing.frames_per_second) == (0, None, 0)
    assert not nothing.good
    with pytest.raises(InputError, match="no frame was played"):
        summarise([], [])


class Heard:
    """A listener that has heard what it was given."""

    def __init__(self, transforms=()):
        self.transforms = list(transforms)

    def wait(self, until, timeout):
        return until(self.transforms)


def test_receive_waits_for_the_players_record(tmp_path):
    record = tmp_path / "stamps.json"
    reports = []

    def check():  # the player ends after a while
        if len(reports) == 2:
            record.write_text("[[0, 1000], [1, 2000]]")

    heard = Heard([transform(1000, 1, (0, 0, 1)), transform(1000, 1, (0, 0, 1)), transform(2000, 1, (0, 0, 1))])
    stamps = demo.receive(heard, record, 2, 30, lambda *numbers: reports.append(numbers), check)
    assert stamps == {1000: 0, 2000: 1}
    assert reports[-1] == (2, 2)


def test_receive_gives_up(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "START_TIMEOUT", -1)
    with pytest.raises(InputError, match=r"the player did not end in time: .*stamps\.json was not written"):
        demo.receive(Heard(), tmp_path / "stamps.json", 1, 30, lambda *_: None)


@pytest.mark.slow
def test_the_whole_demo_with_an_untrained_network(tmp_path, monkeypatch, capsys):
    """All processes start, talk and end; what comes out of an untrained network fails the demo's check."""
    pytest.importorskip("cyclonedds")
    from pose_regressor.network.bundle import Bundle
    from pose_regressor.network.config import NetworkConfig
    from pose_regressor.network.network import PoseNetwork

    bundle = tmp_path / "box.safetensors"
    Bundle(PoseNetwork(NetworkConfig(width=8, blocks=(1, 1, 1, 1)), 1), (MODEL,)).save(bundle)
    writer = cv2.VideoWriter(str(tmp_path / "box.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 30, (160, 120))
    for value in range(10):
        writer.write(np.full((120, 160, 3), 20 * value, np.uint8))
    writer.release()
    camera = {"width": 160, "height": 120, "fx": 150, "fy": 150, "cx": 80, "cy": 60}
    (tmp_path / "camera.json").write_text(json.dumps(camera))
    pose = {"cam_R_m2c": np.eye(3).ravel().tolist(), "cam_t_m2c": [0, 0, 500], "obj_id": MODEL.obj_id}
    (tmp_path / "scene_gt.json").write_text(json.dumps({str(index): [pose] for index in range(10)}))
    monkeypatch.setattr(demo, "demo_folder", lambda: tmp_path)
    monkeypatch.setattr(demo, "find_model", lambda name: bundle)
    monkeypatch.delenv("ROS_DOMAIN_ID", raising=False)

    out = tmp_path / "out"
    assert main(["demo", "--out", str(out), "--rate", "100"]) == 1
    result = json.loads((out / "result.json").read_text())
    assert (result["frames"], result["good"], len(result["each"])) == (10, False, 10)
    assert cv2.VideoCapture(str(out / "overlay.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) == 10
    assert cv2.imread(str(out / "contact_sheet.png")) is not None
    assert " received, " in (out / "node.log").read_text()
    assert "demo failed" in capsys.readouterr().out


def test_a_failed_process_is_quoted(tmp_path, monkeypatch):
    (tmp_path / "failing.py").write_text("import sys; sys.exit('pose-regressor: error: x.mp4: no such file')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with (
        pytest.raises(InputError, match=r"the node ended with exit code 1: x\.mp4: no such file \(log: "),
        Processes(tmp_path) as processes,
    ):
        processes.start("node", "failing")
        while True:
            processes.check("node")


def test_processes_end_with_the_block_even_if_they_will_not(tmp_path, monkeypatch):
    (tmp_path / "stubborn.py").write_text(
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "open(sys.argv[1], 'w').close()\n"
        "time.sleep(60)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr("pose_regressor.demo.processes.STOP_TIMEOUT", 0.2)
    ready = tmp_path / "ready"
    with pytest.raises(KeyboardInterrupt), Processes(tmp_path) as processes:
        processes.start("node", "stubborn", str(ready))
        while not ready.exists():
            assert processes.running("node")
        raise KeyboardInterrupt
    with pytest.raises(InputError, match="exit code -9"):
        processes.check("node")


def test_own_domain_unless_the_user_chose_one(monkeypatch):
    monkeypatch.delenv("ROS_DOMAIN_ID", raising=False)
    with own_domain():
        assert 1 <= int(os.environ["ROS_DOMAIN_ID"]) <= 101
        assert os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert "ROS_DOMAIN_ID" not in os.environ
    monkeypatch.setenv("ROS_DOMAIN_ID", "7")
    with own_domain():
        assert os.environ["ROS_DOMAIN_ID"] == "7"
