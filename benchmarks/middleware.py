"""How long does an image take to its transform through each middleware, and how many are lost?

    PYTHONPATH=. .venv/ros2/bin/python benchmarks/middleware.py [--seconds 10] [--rounds 3] [--reliable] [--json FILE]

Three processes on this machine: the player publishes images at 30 Hz, the node answers each of them, and this process
listens to /tf. The node's tracker is a stand-in that takes no time, so what is left is the way there and back. The
middlewares take turns, in rounds: DDS, rclpy over the RMW of this environment, and Zenoh where it is installed.

latency: from the image's stamp, which the player sets before it makes the message, to the arrival of the transform
loss: share of the images without a transform, from the first that was answered to the last

The rival is rclpy, which `make test-ros2` installs (Kilted, Fast DDS). The node subscribes to images as it does by
default, with best effort, or with --reliable. It drops images that it cannot keep up with. They count as lost, too.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from headlines import Headline, finish

from pose_regressor.demo.processes import own_network
from pose_regressor.middleware import missing, program
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.types import Frame, InputError, ObjectModel, PoseEstimate

SIZES = {"VGA": (640, 480), "1080p": (1920, 1080)}
RATE = 30
IMAGES = 8  # of each size, played over and over
START = 60.0  # seconds until the first transform
LAST = 1.0  # seconds for the answers to the last images
RIVAL = "ros2"
ROS_PLAYER = ["-c", "import sys; from pose_regressor.middleware.executables import player; sys.exit(player())"]


def installed() -> list[str]:
    """The middlewares that can be used here. InputError: the rival is missing, or there is no other."""
    kinds = [kind for kind in ("dds", "zenoh") if not missing(kind)]
    if reason := missing(RIVAL):
        raise InputError(f"the rival is missing: {reason}; make test-ros2 installs it into .venv/ros2")
    return [*kinds, RIVAL]


# ------------------------------------------------------------------ the node's process


class StandIn:
    """A tracker that finds the same pose in every image, at once."""

    device = execution = "cpu"
    score_threshold = 0.0

    def __init__(self) -> None:
        corners = np.array([[-0.1, -0.1, -0.1], [0.1, 0.1, 0.1]])
        model = ObjectModel("crate", 1, 0.35, corners, np.zeros((4, 3)), np.zeros((8, 3)))
        pose = np.eye(4)
        pose[2, 3] = 1.0
        self._found = [PoseEstimate(model, pose, np.eye(6), 0.9, "pnp", np.zeros(4), 0)]

    def wanted(self, objects: Sequence[str]) -> tuple[str, ...]:
        return tuple(objects)

    def tune(self, **values: object) -> None:
        pass

    def reset(self) -> None:
        pass

    def update(self, frame: Frame) -> list[PoseEstimate]:
        return self._found


def node(kind: str, reliability: str) -> int:
    config = NodeConfig(image_reliability=reliability)
    return int(program(kind, "node", "run")(config, open_tracker=lambda config: StandIn()))


# ------------------------------------------------------------------ one run


@dataclass
class Row:
    """What came of one middleware and size, in all rounds. latencies: in milliseconds."""

    size: str
    kind: str
    sent: int = 0
    latencies: list[float] = field(default_factory=list)

    @property
    def loss(self) -> float:
        return 1 - len(self.latencies) / self.sent

    def percentile(self, percent: float) -> float:
        return float(np.percentile(self.latencies, percent))


@contextlib.contextmanager
def process(*command: object, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process of this Python, which is interrupted at the end of the block."""
    with log.open("wb") as out:
        running = subprocess.Popen([sys.executable, *map(str, command)], stdout=out, stderr=out)
    try:
        yield running
    finally:
        running.send_signal(signal.SIGINT)
        running.wait()


def run(row: Row, clip: Path, seconds: float, reliability: str, folder: Path) -> None:
    """Plays a clip for so long, and adds what came of it to the row. InputError: nothing did."""
    record = folder / "record.json"
    player = ROS_PLAYER if row.kind == "ros2" else ["-m", f"pose_regressor.middleware.{row.kind}.player"]
    given = [clip, "--camera", clip / "camera.json", "--rate", RATE, "--loop", "--record", record]
    with program(row.kind, "listener", "TfListener")() as heard:
        with process(Path(__file__), "--node", row.kind, reliability, log=folder / "node.log"):
            with process(*player, *given, log=folder / "player.log"):
                if not heard.wait(bool, START):
                    said = (folder / "node.log").read_text() + (folder / "player.log").read_text()
                    raise InputError(f"{row.kind}, {row.size}: no transform within {START:g} s: {said}")
                time.sleep(seconds)
            time.sleep(LAST)
        arrived = {transform.stamp: transform.received for transform in reversed(heard.transforms)}
    # The player's record ends with the last image that it sent whole.
    sent = [stamp for _, stamp, _ in json.loads(record.read_text()) if stamp >= min(arrived)]
    row.sent += len(sent)
    row.latencies += [1e-6 * (arrived[stamp] - stamp) for stamp in sent if stamp in arrived]


# ------------------------------------------------------------------ main


def make_clip(folder: Path, width: int, height: int) -> Path:
    """Images of noise, uncompressed, since the player should have little to do."""
    clip = folder / f"{width}x{height}"
    clip.mkdir()
    rng = np.random.default_rng(0)
    for number in range(IMAGES):
        cv2.imwrite(str(clip / f"{number}.bmp"), rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
    camera = {"width": width, "height": height, "fx": width, "fy": width, "cx": width / 2, "cy": height / 2}
    (clip / "camera.json").write_text(json.dumps(camera))
    return clip


def names(kinds: Sequence[str]) -> dict[str, str]:
    """What each middleware is called in the report."""
    import rclpy

    rmw = rclpy.get_rmw_implementation_identifier()
    return {"dds": "DDS", "zenoh": "Zenoh", "ros2": f"rclpy, {rmw}"}


def headlines(rows: dict[tuple[str, str], Row], called: dict[str, str]) -> list[Headline]:
    made = []
    for (size, kind), row in rows.items():
        if kind == RIVAL:
            continue
        rival, name = rows[size, RIVAL], f"image to transform, {size}, {called[kind]}"
        for percent in (50, 99):
            value, other = row.percentile(percent), rival.percentile(percent)
            made.append(Headline(f"{name}, p{percent}", value, "ms", called[RIVAL], other, other / value, ".2f"))
        made.append(Headline(f"{name}, loss", 100 * row.loss, "%", called[RIVAL], 100 * rival.loss, None, ".2f"))
    return made


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="of each run (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each kind (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    parser.add_argument("--reliable", action="store_true", help="the node subscribes to images reliably")
    parser.add_argument("--node", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.node:
        return node(*options.node)
    reliability = "reliable" if options.reliable else "best_effort"
    try:
        kinds = installed()
        called = names(kinds)
        rows = {(size, kind): Row(size, kind) for size in SIZES for kind in kinds}
        with tempfile.TemporaryDirectory() as name, own_network("zenoh" if "zenoh" in kinds else RIVAL):
            clips = {size: make_clip(Path(name), *shape) for size, shape in SIZES.items()}
            for _ in range(options.rounds):
                for (size, _), row in rows.items():
                    run(row, clips[size], options.seconds, reliability, Path(name))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{'size':8} {'middleware':24} {'images':>7} {'p50':>8} {'p99':>8} {'loss':>8}")
    for row in rows.values():
        figures = f"{row.percentile(50):8.2f} {row.percentile(99):8.2f} {row.loss:8.2%}"
        print(f"{row.size:8} {called[row.kind]:24} {row.sent:7} {figures}")
    table = [{**vars(row), "loss": row.loss} for row in rows.values()]
    finish(headlines(rows, called), options.json, rate=RATE, reliability=reliability, rows=table)
    return 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
