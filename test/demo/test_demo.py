"""The demo's arithmetic and its handling of processes; the whole of it is `make demo`."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from pose_regressor.cli import main
from pose_regressor.demo import run as demo
from pose_regressor.demo.processes import Processes, own_network
from pose_regressor.demo.report import sentences
from pose_regressor.demo.results import FrameResult, Image, evaluate, summarise
from pose_regressor.middleware.kit.pacing import Answers
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


def detections(stamp: int):
    """A message of a node, as far as it tells which image it answers."""
    seconds, nanoseconds = divmod(stamp, 1_000_000_000)
    return SimpleNamespace(header=SimpleNamespace(stamp=SimpleNamespace(sec=seconds, nanosec=nanoseconds)))


def test_results_are_matched_by_stamp_and_measured():
    # Frame 0 exact, frame 1 30 mm too far, frame 2 answered without a pose, frame 3 turned about z, frame 4 not
    # answered, frame 9 without a true pose.
    start = 1_700_000_000_000_000_000
    images = [Image(index, start + index * 100 * MILLISECOND, 10.0) for index in (0, 1, 2, 3, 4, 9)]
    frame = {image.index: image.stamp for image in images}
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
    answered = {frame[0], frame[1], frame[2], start + 1}  # frame 3's transform alone says that it was answered
    results = evaluate(MODEL, {index: at(0.5) for index in range(5)}, images, answered, transforms)
    assert [result.index for result in results] == [0, 1, 2, 3, 4]
    assert [result.answered for result in results] == [True, True, True, True, False]
    assert [result.found for result in results] == [True, True, False, True, False]
    assert results[0].add == pytest.approx(0)
    assert results[1].add == pytest.approx(0.03 / MODEL.diameter)
    assert results[1].translation_mm == pytest.approx(30)
    assert results[1].rotation_deg == pytest.approx(0)
    assert results[2].add is None
    assert results[3].rotation_deg == pytest.approx(90)
    # A quarter turn moves a point by √2 times its distance from the axis.
    assert results[3].add == pytest.approx(np.sqrt(2) * np.hypot(0.05, 0.04) / MODEL.diameter)

    summary = summarise(results, images)
    assert (summary.played, summary.answered, summary.found) == (5, 0.8, 0.75)
    assert summary.close == pytest.approx(1 / 3)
    assert summary.translation_mm_median == pytest.approx(0, abs=1e-9)
    assert summary.latency_ms_p50 == pytest.approx(20)
    assert summary.rates == (10.0,)
    assert summary.played_per_second == pytest.approx(5 / 0.9)
    assert not summary.good


def played(rate: float = 30.0, count: int = 20) -> list[Image]:
    return [Image(index, 1000 * index, rate) for index in range(1, count + 1)]


def test_images_never_looked_at_are_no_failure():
    truth = {index: at(0.5) for index in range(1, 21)}
    exact = [transform(image.stamp, 1, (0, 0, 0.5)) for image in played()]
    all_found = summarise(evaluate(MODEL, truth, played(), set(), exact), played())
    assert (all_found.answered, all_found.found, all_found.close, all_found.good) == (1, 1, 1, True)
    few = summarise(evaluate(MODEL, truth, played(), set(), exact[:2]), played())
    assert (few.answered, few.found, few.close, few.good) == (0.1, 1, 1, True)


def test_what_makes_it_fail_is_said():
    truth, images = {index: at(0.5) for index in range(1, 21)}, played()
    stamps = {image.stamp for image in images}
    exact = [transform(image.stamp, 1, (0, 0, 0.5)) for image in images]
    off = [transform(image.stamp, 1, (0, 0, 0.6)) for image in images]

    def failure(answered, transforms):
        return summarise(evaluate(MODEL, truth, images, answered, transforms), images).failure

    assert failure(set(), []) == "the node answered none of the 20 images"
    assert failure(stamps, exact[:18]) == ""
    assert "found in 85.0% of the images that the node answered, expected at least 90%" in failure(stamps, exact[:17])
    assert "found in 0.0% of" in failure(stamps, [])
    assert failure(stamps, [*exact[:17], *off[17:]]) == ""
    assert "80.0% of the poses found are accurate" in failure(stamps, [*exact[:16], *off[16:]])
    with pytest.raises(InputError, match="none was played"):
        summarise([], [])


def test_images_without_depth_are_counted_and_make_it_fail():
    counts = demo.DepthCounts()
    assert counts.share == 0
    values = {"Images with depth (%)": "50.0", "Images with depth since startup": "6"}
    values |= {f"Without depth since startup: depth: {why}": n for why, n in {"late": "3", "none comes": "1"}.items()}
    pairs = [SimpleNamespace(key=key, value=value) for key, value in values.items()]
    statuses = [SimpleNamespace(name=f"pose_regressor: {name}", values=pairs) for name in ("depth", "poses")]
    counts.on_diagnostics(SimpleNamespace(status=statuses))
    assert counts.share == 0.6
    images = played()
    results = [FrameResult(image.index, True, at(0.5), 0.01, 0.1, 1.0, 9.0) for image in images]
    assert summarise(results, images, 0.95).good and summarise(results, images).with_depth is None
    assert summarise(results, images, 0.6).failure == "the node had depth for 60.0% of the images, expected 90%"


def test_the_rate_and_a_slow_machine_are_said():
    truth = {index: at(0.5) for index in range(1, 21)}
    exact = [transform(image.stamp, 1, (0, 0, 0.5)) for image in played()]
    fast = summarise(evaluate(MODEL, truth, played(), set(), exact), played())
    assert sentences(fast, None) == ["Played at 30 images a second: the fastest that the node kept up with, up to 30."]
    slowed = sentences(replace(fast, rates=(20.0, 10.0)), None)
    assert slowed[0].startswith("Played at 20, then 10 images a second: ")
    assert slowed[1].startswith("This machine is slow or busy: the clip's own rate is 30.")
    slowest = sentences(replace(fast, rates=(10.0, 5.0), answered=0.7), None)
    assert slowest[0] == (
        "Played at 10, then 5 images a second. 5 is the slowest, and still 30% of the images were not looked at."
    )
    assert slowest[1] == slowed[1]
    assert sentences(fast, 30.0) == ["Played at 30 images a second, as --rate says."]
    assert "55% of the images were not looked at. Without --rate" in sentences(replace(fast, answered=0.45), 30.0)[1]
    assert sentences(replace(fast, found=None), None)[-1] == "demo failed: the node answered none of the 20 images"


class Heard:
    """A listener that has heard answers to images of these stamps."""

    def __init__(self, *stamps):
        self.answers, self.transforms = Answers(), []
        for stamp in stamps:
            self.answers.on_detections(detections(stamp))


def test_receive_waits_for_the_players_record(tmp_path):
    record = tmp_path / "stamps.json"
    reports = []

    def check():  # the player ends after a while
        if len(reports) == 2:
            record.write_text("[[0, 1000, 30.0], [1, 2000, 20.0]]")

    heard = Heard(1000, 1000, 2000)
    images = demo.receive(heard, record, 2, 30, lambda *numbers: reports.append(numbers), check)
    assert images == [Image(0, 1000, 30.0), Image(1, 2000, 20.0)]
    assert reports[-1] == (2, 2)


def test_receive_gives_up(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "START_TIMEOUT", -1000)
    with pytest.raises(InputError, match=r"the player did not end in time: .*stamps\.json was not written"):
        demo.receive(Heard(), tmp_path / "stamps.json", 1, 30, lambda *_: None)


def test_the_listener_imports_no_torch():
    script = "import sys, pose_regressor.demo.listener; print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("with_depth", "middleware", "package"),
    [(False, "dds", "cyclonedds"), (True, "dds", "cyclonedds"), (False, "zenoh", "zenoh")],
)
def test_the_whole_demo_with_an_untrained_network(tmp_path, monkeypatch, capsys, with_depth, middleware, package):
    """All processes start, talk and end; what comes out of an untrained network fails the demo's check."""
    pytest.importorskip(package)
    from pose_regressor.network.bundle import Bundle
    from pose_regressor.network.config import NetworkConfig
    from pose_regressor.network.network import PoseNetwork
    from pose_regressor.network.weights import Weights

    bundle = tmp_path / "box.safetensors"
    Bundle(Weights.of(PoseNetwork(NetworkConfig(width=8, blocks=(1, 1, 1, 1)), 1)), (MODEL,)).save(bundle)
    writer = cv2.VideoWriter(str(tmp_path / "box.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 30, (160, 120))
    for value in range(10):
        writer.write(np.full((120, 160, 3), 20 * value, np.uint8))
    writer.release()
    camera = {"width": 160, "height": 120, "fx": 150, "fy": 150, "cx": 80, "cy": 60}
    (tmp_path / "camera.json").write_text(json.dumps(camera))
    pose = {"cam_R_m2c": np.eye(3).ravel().tolist(), "cam_t_m2c": [0, 0, 500], "obj_id": MODEL.obj_id}
    (tmp_path / "scene_gt.json").write_text(json.dumps({str(index): [pose] for index in range(10)}))
    (tmp_path / "depth").mkdir()
    for index in range(10):
        assert cv2.imwrite(str(tmp_path / "depth" / f"{index:06d}.png"), np.full((120, 160), 500, np.uint16))
    monkeypatch.setattr(demo, "demo_folder", lambda: tmp_path)
    monkeypatch.setattr(demo, "find_model", lambda name: bundle)
    for name in ("ROS_DOMAIN_ID", "ZENOH_CONFIG_OVERRIDE"):
        monkeypatch.delenv(name, raising=False)

    out = tmp_path / "out"
    depth = ["--depth"] if with_depth else []
    assert main(["demo", "--middleware", middleware, "--out", str(out), *depth]) == 1
    result = json.loads((out / "result.json").read_text())
    assert (result["played"], result["good"], len(result["each"])) == (10, False, 10)
    assert result["answered"] > 0
    assert result["with_depth"] > 0 if with_depth else result["with_depth"] is None
    assert result["failure"]
    assert " an image in " in (out / "player.log").read_text()
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


def test_a_domain_unless_the_user_chose_one(monkeypatch):
    monkeypatch.delenv("ROS_DOMAIN_ID", raising=False)
    with own_network("dds"):
        assert 1 <= int(os.environ["ROS_DOMAIN_ID"]) <= 101
        assert os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert "ROS_DOMAIN_ID" not in os.environ
    monkeypatch.setenv("ROS_DOMAIN_ID", "7")
    with own_network("dds"):
        assert os.environ["ROS_DOMAIN_ID"] == "7"


def test_a_zenoh_router_unless_the_user_chose_one(monkeypatch):
    pytest.importorskip("zenoh")
    monkeypatch.setenv("ROS_DOMAIN_ID", "7")
    monkeypatch.delenv("ZENOH_CONFIG_OVERRIDE", raising=False)
    with own_network("zenoh"):
        from pose_regressor.middleware.zenoh.participant import Participant

        with Participant("one") as one:
            assert (one.domain, one.trouble()) == (7, "")
    assert "ZENOH_CONFIG_OVERRIDE" not in os.environ
    monkeypatch.setenv("ZENOH_CONFIG_OVERRIDE", 'connect/endpoints=["tcp/192.0.2.1:7447"]')
    with own_network("zenoh"):
        assert "192.0.2.1" in os.environ["ZENOH_CONFIG_OVERRIDE"]
