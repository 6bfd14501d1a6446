import contextlib
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from child_processes import idle_clock
from domains import own_domain

from pose_regressor.types import Camera

ROOT = Path(__file__).parents[2]
HELPERS = str(ROOT / "test" / "helpers")
STANDIN = Path(__file__).with_name("standin_node.py")
#: Seconds in which no process waited for a core. What was not woken sleeps for ten, or for ever.
PROMPT = 9.0
#: What a node without ROS 2 needs, by its kind.
PACKAGES = {"dds": "cyclonedds", "zenoh": "zenoh"}
ROS_STANDIN = STANDIN.parent / "ros2" / "standin_node.py"


@contextlib.contextmanager
def own_network(kind):
    """A domain of one's own, as `own_domain`; for Zenoh with a router."""
    with own_domain() as (number, environment), contextlib.ExitStack() as stack:
        if kind == "zenoh" or (kind == "ros2" and os.environ.get("RMW_IMPLEMENTATION") == "rmw_zenoh_cpp"):
            stack.enter_context(importlib.import_module("zenoh_peer").router(number))
        yield number, environment


@pytest.fixture
def domain(monkeypatch, request):
    """A domain of its own, for this process and those it starts."""
    kind = request.getfixturevalue("kind") if "kind" in request.fixturenames else ""
    with own_network(kind) as (number, environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("ROS_LOCALHOST_ONLY", raising=False)
        yield number


def wait_until(condition, what, seconds=90.0, pause=0.005):
    """The first true value of `condition()`. The seconds are for what never comes; the test's own limit is longer.
    pause: seconds until it is asked again."""
    end = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(pause)
    return result


@pytest.fixture
def until():
    return wait_until


class Process:
    """`python ...`; .text is what it printed. environment: what it has besides; without what is None there."""

    def __init__(self, command, log, environment):
        given = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
        env = {name: value for name, value in given.items() if value is not None}
        env.pop("ROS_LOCALHOST_ONLY", None)
        env["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), HELPERS, env.get("PYTHONPATH"))))
        self.log = log
        with log.open("w") as out:
            command = [sys.executable, *map(str, command)]
            self.process = subprocess.Popen(
                command, stdout=out, stderr=out, env=env, cwd=log.parent, start_new_session=True
            )

    @property
    def text(self):
        return self.log.read_text()

    def wait(self, seconds=90):
        return self.process.wait(seconds)

    def end(self, number=signal.SIGINT):
        """Sends the signal; the exit code, and whether it ended without sleeping through a time limit."""
        start = idle_clock()
        self.process.send_signal(number)
        return self.process.wait(120), idle_clock() - start < PROMPT


@contextlib.contextmanager
def processes(folder, lasting_environment=()):
    running = []

    def launch(*command, **environment):
        environment = {**dict(lasting_environment), **environment}
        running.append(Process(command, folder / f"process{len(running)}.log", environment))
        return running[-1]

    yield launch
    for process in running:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.process.pid, signal.SIGKILL)  # and what it started, as `ros2 launch` does
        process.process.wait()
        print(process.text)  # which pytest shows of a test that failed


@pytest.fixture
def launch(domain, tmp_path):
    """Starts `python ...` and kills it at the end if need be."""
    with processes(tmp_path) as launch:
        yield launch


@pytest.fixture(scope="session")
def wire():
    """The words of wire_peer."""
    pytest.importorskip("cyclonedds")
    return importlib.import_module("wire_peer")


@pytest.fixture
def make_peer(domain, wire):
    """An independent participant beside the node."""
    made = []

    def make_peer(**options):
        made.append(wire.Peer(domain, **options))
        return made[-1]

    yield make_peer
    for peer in made:
        peer.close()


@pytest.fixture
def peer(make_peer):
    return make_peer()


def standin_command(kind, **parameters):
    """What starts the node of this kind with the stand-in tracker."""
    if kind in PACKAGES:
        return [STANDIN, kind, json.dumps(parameters)]
    given = [("-p", f"{name}:={json.dumps(value)}") for name, value in parameters.items()]
    return [ROS_STANDIN, "--ros-args", *(part for pair in given for part in pair)]


@pytest.fixture
def start_dds(launch):
    """Starts the DDS node with the stand-in tracker as a process: start_dds(frame_id="head")."""
    pytest.importorskip("cyclonedds")
    return lambda **parameters: launch(*standin_command("dds", **parameters))


@pytest.fixture(scope="session", params=["dds", "zenoh", pytest.param("ros2", marks=pytest.mark.ros2)])
def kind(request):
    """Which of the nodes; they must do the same."""
    if request.param == "ros2":
        pytest.importorskip("rclpy")
        pytest.importorskip("vision_msgs")
    else:
        pytest.importorskip(PACKAGES[request.param])
    return request.param


@pytest.fixture
def start(kind, launch):
    """Starts the node of this kind with the stand-in tracker as a process: start(frame_id="head"). delay: seconds that
    the stand-in takes over every image."""

    def start(delay=0.0, **parameters):
        return launch(*standin_command(kind, **parameters), STANDIN_DELAY=str(delay))

    return start


@pytest.fixture(scope="session")
def living(kind, wire, tmp_path_factory):
    """One node for all tests that leave it as they find it: active, and known to a peer. `launch` starts other
    processes on its domain, `start` other nodes."""
    with (
        own_network(kind) as (number, environment),
        pytest.MonkeyPatch.context() as monkeypatch,
        processes(tmp_path_factory.mktemp("living"), environment) as launch,
    ):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        peer = wire.Peer(number)
        monkeypatch.undo()

        def start(**parameters):
            return launch(*standin_command(kind, **parameters))

        node = start(image_reliability="reliable")
        peer.match()
        yield SimpleNamespace(node=node, peer=peer, domain=number, launch=launch, start=start)
        peer.close()


@pytest.fixture
def fresh(living):
    """The living node configured anew, so that it knows of no camera; at the end it must give right poses again."""
    peer = living.peer
    for transition in ("deactivate", "cleanup", "configure", "activate"):
        assert peer.change_state(transition)
    peer.match()
    yield living
    peer.calibrate()
    peer.send_image(15, stamp=99)
    peer.pose_at(99, 1.5)
    assert living.node.process.poll() is None
    assert "Traceback" not in living.node.text


@pytest.fixture(scope="session")
def standin():
    """The words of standin_node.py: estimate, StandIn, CRATE, ROTATION."""
    return SimpleNamespace(**runpy.run_path(str(STANDIN)))


class Recorder:
    """A logger that keeps what is said to it."""

    def __init__(self):
        self.said = []

    def __getattr__(self, level):
        return lambda message: self.said.append((level, message))

    def of(self, level):
        return [message for said, message in self.said if said == level]


@pytest.fixture
def log():
    return Recorder()


@pytest.fixture
def camera():
    return Camera(4, 2, np.array([[100.0, 0, 1.5], [0, 110.0, 0.5], [0, 0, 1]]))


def header(frame_id="optical", sec=12, nanosec=34):
    return SimpleNamespace(stamp=SimpleNamespace(sec=sec, nanosec=nanosec), frame_id=frame_id)


@pytest.fixture
def image():
    """Makes image messages: 4x2 rgb8 unless told; `step` and `data` follow from the rest unless given."""

    def make(encoding="rgb8", width=4, height=2, channels=3, **rest):
        values = {
            "header": header(),
            "width": width,
            "height": height,
            "encoding": encoding,
            "is_bigendian": 0,
            "step": width * channels,
        }
        values |= rest
        if "data" not in values:
            values["data"] = bytes(1 + i % 250 for i in range(values["step"] * height))
        return SimpleNamespace(**values)

    return make


@pytest.fixture
def info():
    """Makes camera info messages for the images of `image`."""

    def make(**rest):
        values = {
            "header": header(),
            "width": 4,
            "height": 2,
            "distortion_model": "plumb_bob",
            "d": [0.1, 0.0, 0.0, 0.0, 0.0],
            "k": [100.0, 0.0, 1.5, 0.0, 110.0, 0.5, 0.0, 0.0, 1.0],
            "p": [90.0, 0.0, 1.4, 0.0, 0.0, 95.0, 0.6, 0.0, 0.0, 0.0, 1.0, 0.0],
            "binning_x": 0,
            "binning_y": 0,
            "roi": SimpleNamespace(x_offset=0, y_offset=0, width=0, height=0, do_rectify=False),
        }
        return SimpleNamespace(**{**values, **rest})

    return make
