"""`pose-regressor record`: what has no end is ended by hand, and what was recorded is kept."""

import json
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest

from pose_regressor.cli import main

pytest.importorskip("mcap")
highlevel = pytest.importorskip("rosbags.highlevel")

#: A camera that never ends, in a process of its own: the stamps are its own, 7 ns apart.
ENDLESS = """
import sys, time
from pathlib import Path
import numpy as np
from pose_regressor.bag.record import record
from pose_regressor.middleware.kit.interrupts import ended_by_interrupt
from pose_regressor.sources import Source
from pose_regressor.types import Camera, Frame

class Endless(Source):
    name, fps, live = "endless", 30.0, True

    def __iter__(self):
        camera = Camera(8, 6, np.array([[9.0, 0, 4], [0, 9, 3], [0, 0, 1]]))
        for number in range(10**9):
            time.sleep(0.001)
            if number == 20:
                print("twenty", flush=True)
            yield Frame(np.full((6, 8, 3), number % 256, np.uint8), camera, 7 * number, index=number)

with ended_by_interrupt() as stop:
    print("ready", flush=True)
    print(record(Endless(), Path(sys.argv[1]), stop=stop))
"""


def test_an_interrupt_keeps_what_was_recorded(tmp_path):
    path = tmp_path / "camera.mcap"
    command = [sys.executable, "-c", ENDLESS, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        assert process.stdout.readline() == "twenty\n"
        process.send_signal(signal.SIGINT)
        count = int(process.communicate(timeout=90)[0])
    assert process.returncode == 0 and count >= 20
    with highlevel.AnyReader([path]) as reader:
        images = [
            (time, reader.deserialize(data, connection.msgtype))
            for connection, time, data in reader.messages()
            if connection.topic == "/camera/image_raw"
        ]
    assert [time for time, _ in images] == [7 * number for number in range(count)]
    assert [int(image.data[0]) for _, image in images] == [number % 256 for number in range(count)]


def test_depth_is_recorded_beside_the_images(tmp_path):
    """Read by rosbags: millimetres with the stamp and the frame of their image."""
    for folder, image in {"images": np.zeros((6, 8, 3), np.uint8), "depths": np.full((6, 8), 1234, np.uint16)}.items():
        (tmp_path / folder).mkdir()
        for number in (0, 1) if folder == "images" else (1,):
            assert cv2.imwrite(str(tmp_path / folder / f"{number}.png"), image)
    camera = {"width": 8, "height": 6, "fx": 9, "fy": 9, "cx": 4, "cy": 3}
    (tmp_path / "camera.json").write_text(json.dumps(camera))
    command = ["record", str(tmp_path / "images"), str(tmp_path / "out.mcap"), "--depth", str(tmp_path / "depths")]
    assert main([*command, "--camera", str(tmp_path / "camera.json")]) == 0
    with highlevel.AnyReader([tmp_path / "out.mcap"]) as reader:
        found = [(c.topic, time, reader.deserialize(data, c.msgtype)) for c, time, data in reader.messages()]
    images = [(time, message) for topic, time, message in found if topic == "/camera/image_raw"]
    [(time, depth)] = [(t, message) for topic, t, message in found if topic == "/camera/aligned_depth/image_raw"]
    assert (time, depth.header) == (images[1][0], images[1][1].header)
    assert (depth.encoding, depth.width, depth.height, depth.step, depth.is_bigendian) == ("16UC1", 8, 6, 16, 0)
    assert (depth.data.view("<u2") == 1234).all()


def test_a_second_interrupt_ends_what_hangs(tmp_path):
    script = """
import time
from pose_regressor.middleware.kit.interrupts import ended_by_interrupt
with ended_by_interrupt() as stop:
    print("ready", flush=True)
    while not stop.is_set():
        time.sleep(0.01)
    print("asked", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        for word in ("ready", "asked"):
            assert process.stdout.readline() == f"{word}\n"
            process.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in process.communicate(timeout=90)[1]
    assert process.returncode in (1, -signal.SIGINT)
