"""What can go wrong around a robot, done to either node as a process; docs/faults.md is the table. After each fault
the node gives right poses again, or comes to a clear end."""

import json
import os
import signal

import cv2
import numpy as np
import pytest

OK, WARN, ERROR = 0, 1, 2


@pytest.fixture
def dropped(living, wire):
    """Waits for a reason in the log, from where the log was when the test began."""
    start = len(living.node.text)
    return lambda reason: wire.until(lambda: reason in living.node.text[start:], f"{reason!r} in the log")


# ------------------------------------------------------------------ the camera


def test_the_camera_dies_and_comes_back(fresh, wire, tmp_path):
    folder = tmp_path / "clip"
    folder.mkdir()
    for number in range(20):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((48, 64, 3), 30, np.uint8))
    camera = tmp_path / "camera.json"
    camera.write_text(json.dumps({"width": 64, "height": 48, "fx": 50, "fy": 50, "cx": 32, "cy": 24, "depth_scale": 1}))
    play = [*wire.PLAYER, folder, "--camera", camera, "--loop", "--rate", 20]
    peer, reader = fresh.peer, fresh.peer.diagnostics_reader()

    def plays():
        player = fresh.launch(*play)
        peer.diagnostics(reader, lambda said: said["images"][0] == OK, "images")
        peer.take(peer.tf)
        assert peer.take_tf()[-1].transform.translation.z == 3.0
        player.process.kill()
        player.wait()

    plays()
    peer.diagnostics(reader, lambda said: said["images"] == (ERROR, "no images for 5 s"), "that there are none")
    plays()
    reader.__del__()


def test_no_camera_info_and_a_late_one(fresh, dropped):
    peer = fresh.peer
    peer.send_image(15, stamp=1)
    dropped("frame dropped: no camera info yet")
    peer.calibrate()
    peer.send_image(15, stamp=2)
    peer.pose_at(2, 1.5)


def test_camera_info_of_zeros_after_a_good_one(fresh, dropped):
    peer = fresh.peer
    peer.calibrate()
    peer.send_info(k=(0.0,) * 9)
    peer.send_image(15, stamp=1)
    dropped("frame dropped: camera info: expected a calibrated camera matrix K")
    peer.calibrate()
    peer.send_image(15, stamp=2)
    peer.pose_at(2, 1.5)


def test_another_focal_length(fresh):
    """A camera that zooms, or is calibrated anew: what is seen is seen through the new one."""
    peer = fresh.peer
    for focal in (50.0, 80.0, 40.0):
        peer.calibrate(focal=focal)
        peer.send_image(15, stamp=int(focal))
        assert peer.pose_at(int(focal), 1.5).transform.translation.y == pytest.approx(-0.2 * focal / 50)


def test_another_image_size(fresh, dropped, wire):
    peer, reader = fresh.peer, fresh.peer.diagnostics_reader()
    peer.calibrate()
    peer.send_image(15, stamp=1, width=16, height=12)
    dropped("image: size differs from its camera info, got 16x12, expected 8x6")
    peer.calibrate(16, 12)
    peer.send_image(15, stamp=2, width=16, height=12)
    peer.pose_at(2, 1.5)
    peer.send_image(15, stamp=3)

    def counted():
        values = peer.diagnostics(reader, lambda _: True, "a report")[f"{wire.NODE}: images"]
        return values.get("Dropped since startup: image: size differs from its camera info") == "2"

    wire.until(counted, "both under one reason")
    reader.__del__()


def test_another_encoding(fresh):
    peer = fresh.peer
    peer.calibrate()
    for stamp, (encoding, channels) in enumerate(
        [("bgr8", 3), ("mono8", 1), ("rgba8", 4), ("bayer_rggb8", 1), ("yuv422_yuy2", 2), ("rgb8", 3)], start=1
    ):
        data = [100] * (8 * 6 * channels)
        if channels == 2:
            data = [100, 128] * (8 * 6)
        peer.send_image(0, stamp, encoding=encoding, step=8 * channels, data=data)
        depth = peer.take_tf()[-1].transform.translation.z
        assert depth == pytest.approx(10.0, abs=0.2 if channels == 2 else 1e-9), encoding


def test_stamps_that_jump_back(fresh):
    """As when a bag is played again, or the clock is set."""
    peer = fresh.peer
    peer.calibrate()
    for stamp, brightness in ((1_700_000_000, 10), (5, 20), (1_700_000_001, 30), (4, 40)):
        peer.send_image(brightness, stamp)
        peer.pose_at(stamp, brightness / 10)


# ------------------------------------------------------------------ the node


def test_out_of_memory(fresh, dropped):
    """The tracker asks for more than there is."""
    peer, reader = fresh.peer, fresh.peer.diagnostics_reader()
    peer.calibrate()
    peer.send_image(254, stamp=1)
    dropped("frame dropped: internal error")
    dropped("allocate")
    peer.diagnostics(reader, lambda said: said["poses"][0] == ERROR, "an error")
    peer.send_image(15, stamp=2)
    peer.pose_at(2, 1.5)
    peer.diagnostics(reader, lambda said: said["poses"][0] == OK, "that it is over")
    reader.__del__()


def test_a_listener_that_does_not_take_what_it_asked_for(fresh, wire):
    """Stopped, as a debugger does it: overlays for it soon fill what the writer may hold."""
    peer = fresh.peer
    listener = fresh.launch("-m", wire.__name__, fresh.domain)
    wire.until(lambda: "listening" in listener.text, "the listener")
    peer.calibrate(320, 240)
    os.kill(listener.process.pid, signal.SIGSTOP)
    for stamp in range(1, 31):
        peer.send_image(10 + stamp, stamp, width=320, height=240)
        peer.pose_at(stamp, (10 + stamp) / 10)
    listener.process.kill()


def test_sigterm_in_the_middle_of_the_network(start, peer, until):
    node = start(image_reliability="reliable")
    peer.match()
    peer.calibrate()
    peer.send_image(253, stamp=1)  # it works on this for an hour
    until(lambda: "at work" in node.text, "the network to begin")
    code, prompt = node.end(signal.SIGTERM)
    assert code == 0
    assert prompt
    assert "stopped with a frame still in work" in node.text
    assert "Traceback" not in node.text


def test_sigkill_and_restart(start, peer):
    for stamp in (1, 2):
        # The dead cannot say goodbye: until their lease runs out they are still there, and must not be in the way.
        node = start(image_reliability="reliable")
        peer.match()
        peer.calibrate()
        peer.send_image(10 * stamp, stamp)
        peer.pose_at(stamp, float(stamp))
        node.process.kill()
        node.wait()


def test_two_nodes_of_one_name(fresh, until):
    peer, reader = fresh.peer, fresh.peer.diagnostics_reader()
    peer.calibrate()
    other = fresh.start(image_reliability="reliable", frame_prefix="other/")
    peer.diagnostics(reader, lambda said: said["node"][0] == WARN and "1 more of this name" in said["node"][1], "both")
    seen = set()

    def both():
        peer.send_info()
        peer.send_image(15, stamp=7)
        seen.update((t.child_frame_id, t.transform.translation.z) for t in peer.take_tf())
        return seen >= {("crate_0", 1.5), ("other/crate_0", 1.5)}

    until(both, "the same pose from both")
    assert other.end()[0] == 0
    peer.diagnostics(reader, lambda said: said["node"] == (OK, "active"), "that one is alone")
    reader.__del__()


def test_garbage_in_place_of_the_model(kind, launch, peer, tiny_bundle, tmp_path, until):
    """Found at the next configure: the node says so, stays unconfigured, and takes a good one when it is there."""
    path = tmp_path / "tiny.safetensors"
    tiny_bundle.save(path)
    good = path.read_bytes()
    settings = ["--set", "score_threshold=0", "--set", "image_reliability=reliable"]
    node = launch("-m", "pose_regressor", "run", "--middleware", kind, "--model", path, *settings)
    noise = np.random.default_rng(0).integers(0, 256, 64 * 48 * 3).tolist()

    def answers(stamp):
        peer.match()

        def answered():
            peer.send_info(64, 48, (60.0, 0, 31.5, 0, 60, 23.5, 0, 0, 1))
            peer.send_image(0, stamp, 64, 48, data=noise)
            return stamp in [d.header.stamp.sec for d in peer.take(peer.detections)]

        until(answered, "an answer of the network")

    answers(1)
    assert peer.change_state("deactivate")
    assert peer.change_state("cleanup")
    for garbage, words in (
        (b"no bundle", "not a safetensors file"),
        (good[: len(good) // 2], "not a safetensors file"),
        (good.replace(rb"\"version\": 2", rb"\"version\": 9"), "version 9"),
    ):
        path.write_bytes(garbage)
        assert not peer.change_state("configure")
        assert peer.state() == "unconfigured"
        until(lambda words=words: words in node.text, f"{words!r} in the log")
    path.write_bytes(good)
    assert peer.change_state("configure")
    assert peer.change_state("activate")
    answers(2)
    assert "Traceback" not in node.text
