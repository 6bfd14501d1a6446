"""What happens to latency and memory when images come six times as fast as the network can take them?

    PYTHONPATH=. python benchmarks/overload.py [--frames 10000] [--rate 60] [--network 0.1] [--depth] [--json FILE]

A camera process sends VGA images at a rate over DDS. It sends them reliably, so that none is lost on the way and all
can be accounted for. The node runs in a process of its own. In place of the estimator it waits --network seconds;
everything else is as on a robot. With --depth each image comes with an aligned depth image.

Latency: from before the camera writes an image until its transform arrives there, on one clock. Memory: the node's
resident set, read twice a second from the fifth second on.

The rival subscribes to the same images as ROS 2 does by default, which keeps the last ten, and works on one after the
other for as long.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import multiprocessing
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from headlines import Headline, finish
from node_runs import own_network
from rich.console import Console
from rich.table import Table

from pose_regressor.middleware.dds.participant import Listening, Participant
from pose_regressor.middleware.kit.counts import Counts
from pose_regressor.middleware.kit.memory import process_memory
from pose_regressor.middleware.messages.depth import depth_message
from pose_regressor.middleware.messages.images import camera_info_message, image_message, stamp_from_message
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.middleware.standalone.listener import TfListener
from pose_regressor.middleware.standalone.node import PoseNode
from pose_regressor.middleware.wire import idl
from pose_regressor.types import Camera, Frame, InputError, ObjectModel, PoseEstimate

WIDTH, HEIGHT = 640, 480
CAMERA = Camera(WIDTH, HEIGHT, np.array([[600.0, 0, 319.5], [0, 600, 239.5], [0, 0, 1]]))
RIVAL_DEPTH = 10  # ROS 2's default
SETTLED = 5.0  # seconds until the first reading of memory
MEMORY_PERIOD = 0.5
LOG = logging.getLogger("overload")


class SlowTracker:
    """Finds one object in every image, after a wait."""

    device = execution = "cpu"

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        corners = np.array([[-0.1, -0.1, -0.1], [0.1, 0.1, 0.1]])
        model = ObjectModel("crate", 1, 0.35, corners, corners, corners)
        pose = np.eye(4)
        pose[2, 3] = 1.0
        self.answer = [PoseEstimate(model, pose, np.eye(6), 1.0, "pnp", np.zeros(4))]

    def wanted(self, objects: Sequence[str]) -> tuple[str, ...]:
        return tuple(objects)

    def tune(self, follow: bool, objects: Sequence[str], score_threshold: float, smooth: bool) -> None: ...

    def reset(self) -> None: ...

    def update(self, frame: Frame) -> list[PoseEstimate]:
        time.sleep(self.seconds)
        return self.answer


@dataclass
class Accounts:
    """What the node did with all images: received = processed + the sum of dropped.

    dropped: images by reason; memory: lowest and highest resident set, bytes
    with_depth: images that were worked on with depth; without_depth: the others, by reason; both empty without --depth
    """

    received: int
    processed: int
    dropped: dict[str, int]
    memory: tuple[int, int]
    with_depth: int
    without_depth: dict[str, int]


def node_process(pipe: Connection, seconds: float, depth: bool) -> None:
    """Runs the node until something comes through the pipe, then puts its Accounts there."""
    memory: list[int] = []
    topic = "depth" if depth else ""
    config = NodeConfig(image_reliability="reliable", overlay=False, depth_topic=topic, depth_reliability="reliable")
    with Participant() as participant, PoseNode(participant, config, lambda _: SlowTracker(seconds)) as node:
        core = node.managed.core
        assert core
        settled = time.monotonic() + SETTLED
        while not pipe.poll(MEMORY_PERIOD):
            if time.monotonic() > settled:
                memory.append(process_memory())
        core.pause()
        core.wait_idle(10.0)
        counts, used = core.counts, core.depth.counts if core.depth else Counts()
    span = min(memory), max(memory)
    pipe.send(
        Accounts(counts.received, counts.processed, dict(counts.dropped), span, used.processed, dict(used.dropped))
    )


def rival_process(pipe: Connection, seconds: float, depth: bool) -> None:
    """Runs a plain subscription until something comes through the pipe, then puts its latencies there, in seconds."""
    latencies = []

    def on_image(message: Any) -> None:
        time.sleep(seconds)
        latencies.append((time.time_ns() - stamp_from_message(message.header.stamp)) / 1e9)

    with Participant("rival") as participant:
        reader = participant.reader("image", idl.Image, reliable=True, depth=RIVAL_DEPTH)
        with Listening(participant, {reader: on_image}, LOG):
            pipe.recv()
    pipe.send(latencies)


def send_images(frames: int, rate: float, depth: bool) -> list[float]:
    """The camera. Returns the latencies in seconds of all transforms that came back."""
    pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    with Participant("camera") as participant, TfListener(Participant) as listener:
        images = participant.writer("image", idl.Image, reliable=True, depth=5)
        infos = participant.writer("camera_info", idl.CameraInfo, reliable=True, depth=5)
        while not (len(images.matched_sub) == 2 and infos.matched_sub and listener.writers):
            time.sleep(0.01)
        time.sleep(1.0)
        infos.write(camera_info_message(idl, CAMERA, time.time_ns(), "camera"))
        time.sleep(0.5)
        message = image_message(idl, pixels, 0, "camera")
        depths, measured = participant.writer("depth", idl.Image, reliable=True, depth=5), None
        if depth:
            measured = depth_message(idl, np.full((HEIGHT, WIDTH), 1.0, np.float32), 0, "camera")
            while not depths.matched_sub:
                time.sleep(0.01)
        start = time.monotonic()
        for number in range(frames):
            time.sleep(max(0.0, start + number / rate - time.monotonic()))
            stamp = time.time_ns()
            message.header.stamp = idl.Time(*divmod(stamp, 1_000_000_000))
            if measured:
                measured.header.stamp = message.header.stamp
                depths.write(measured)
            images.write(message)
        listener.wait(lambda transforms: bool(transforms) and transforms[-1].stamp == stamp, 5.0)
        return [(t.received - t.stamp) / 1e9 for t in listener.transforms]


def run(frames: int, rate: float, seconds: float, depth: bool) -> tuple[Accounts, list[float], list[float]]:
    context = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for target in (node_process, rival_process):
        here, there = multiprocessing.Pipe()
        process = context.Process(target=target, args=(there, seconds, depth), daemon=True)
        process.start()
        pipes.append(here)
        processes.append(process)
    latencies = send_images(frames, rate, depth)
    for pipe in pipes:
        pipe.send("stop")
    accounts, rival = (pipe.recv() for pipe in pipes)
    for process in processes:
        process.join()
    return accounts, latencies, rival


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--frames", type=int, default=10_000, help="images to send (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=60.0, help="images a second (default: %(default)s)")
    parser.add_argument("--network", type=float, default=0.1, help="seconds that an image takes (default: %(default)s)")
    parser.add_argument("--depth", action="store_true", help="send a depth image with each image")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    own_network()
    threading.current_thread().name = "camera"
    accounts, latencies, rival = run(options.frames, options.rate, options.network, options.depth)
    if not latencies or not rival:
        raise InputError("no answer came")
    report(options, accounts, latencies, rival)
    return 0


def report(options: argparse.Namespace, accounts: Accounts, latencies: list[float], rival: list[float]) -> None:
    table = Table(title=f"{options.frames} images at {options.rate:g} Hz, {options.network:g} s over each")
    for column in ("", "answers", "latency p50", "p99", "max"):
        table.add_column(column, justify="left" if not column else "right")
    for name, values in (("node", latencies), (f"subscription of depth {RIVAL_DEPTH}", rival)):
        p50, p99 = np.percentile(values, (50, 99))
        table.add_row(name, str(len(values)), *(f"{1e3 * v:.0f} ms" for v in (p50, p99, max(values))))
    Console().print(table)
    dropped, (low, high) = sum(accounts.dropped.values()), accounts.memory
    print(f"sent {options.frames}, received {accounts.received}, processed {accounts.processed}, dropped {dropped}")
    for reason, count in accounts.dropped.items():
        print(f"    {count} {reason}")
    if options.depth:
        print(f"worked on with depth {accounts.with_depth}, without {accounts.without_depth}")
    unaccounted = options.frames - accounts.processed - dropped
    print(f"unaccounted for: {unaccounted}; answers that were lost: {accounts.processed - len(latencies)}")
    print(f"memory of the node: {low / 1e6:.1f} to {high / 1e6:.1f} MB")
    worst, other = max(latencies), max(rival)
    depth = f"subscription of depth {RIVAL_DEPTH}"
    times = worst / options.network
    finish(
        [
            Headline("longest latency under overload", 1e3 * worst, "ms", depth, 1e3 * other, other / worst, ".0f"),
            Headline("longest latency", times, "times the network's", "bound", 2.0, 2 / times, ".2f"),
        ],
        options.json,
        frames=options.frames,
        rate=options.rate,
        network_s=options.network,
        node=asdict(accounts),
        latency_s=latencies,
        rival_latency_s=rival,
        unaccounted=unaccounted,
    )


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
