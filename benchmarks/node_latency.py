"""How long from an image message to the transform on /tf, over DDS, and where does the time go?

    PYTHONPATH=. python benchmarks/node_latency.py [--model box] [--source CLIP --camera FILE] [--depth] [--json FILE]

The node runs in this process, a camera in another. The camera sends an image, waits for its transform, and sends the
next. All times are of one clock of this machine.

receive     from before the camera writes the image until the node has the frame: transport, deserialisation,
            conversion, hand-over between threads
preprocess, network, decode  the estimator's stages; decode includes the tracker's bookkeeping
publish     until the transform has arrived in the camera's process
follow      the steady state: looks around the last pose; search: looks at the whole image every time

--depth compares VGA images without depth, with aligned depth, and with depth that the node registers, in turn. Depth
shows the object's box before a wall, and is sent before its image. There is no other rival then.

Other image sizes than the clip's are made from it by scaling and padding, with the exact intrinsics.

The rival is DOPE's network (dope.py) at its paper's 400x533 on the same CPU, timed between the node's runs: the network
alone, without anything before or after it, in float32 and bfloat16.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import multiprocessing
import os
import random
import statistics
import sys
import time
from dataclasses import asdict, dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import cv2
import numpy as np
import torch
from depth_frames import MODES, DepthCamera, check_depth_used, depth_headlines, with_depth
from dope import HEIGHT, WIDTH, Dope
from headlines import Headline, finish

from pose_regressor.assets import demo_folder
from pose_regressor.files.cameras import load_camera
from pose_regressor.middleware.dds.participant import Participant
from pose_regressor.middleware.kit.memory import keep_memory
from pose_regressor.middleware.messages.images import camera_info_message, image_message
from pose_regressor.middleware.pose.core import Tracking
from pose_regressor.middleware.pose.managed import open_tracker
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.middleware.standalone.listener import TfListener
from pose_regressor.middleware.standalone.node import PoseNode
from pose_regressor.middleware.wire import idl
from pose_regressor.sources import open_source
from pose_regressor.types import Camera, Frame, InputError, PoseEstimate

SIZES = {"VGA": (640, 480), "1080p": (1920, 1080), "400x533": (WIDTH, HEIGHT)}
STAGES = ("receive", "preprocess", "network", "decode", "publish")
CLIP = 24  # frames of the clip that are played, forwards and backwards in turn
WARM_UP = 5  # frames of each run that are not counted
PATIENCE = 2.0  # seconds after which an image counts as unanswered
ROUNDS = 3  # runs of each kind with --depth
DOPE_RUNS = 3  # runs of the rival in each precision, between two runs of the node


# ------------------------------------------------------------------ the camera's process


def camera_process(pipe: Connection, frames: list[Frame], count: int, depth: str) -> None:
    """Sends `count` images one by one. Puts (stamp, arrival of its transform or None) of each into the pipe, in ns.

    depth: one of depth_frames.MODES.
    """
    keep_memory()  # as the player does, and drivers with buffers of their own: the node is to be timed, not the camera
    with Participant("benchmark_camera") as participant, TfListener(Participant) as listener:
        send_depth = DepthCamera(participant, depth).send
        images = participant.writer("image", idl.Image, reliable=True, depth=1)
        infos = participant.writer("camera_info", idl.CameraInfo, reliable=True, depth=1)
        while not (images.matched_sub and infos.matched_sub and listener.writers):
            time.sleep(0.01)
        answers = []
        for number in range(count):
            # Forwards and backwards in turn: a jump would cost the tracker its object.
            step = number % (2 * len(frames) - 2) if len(frames) > 1 else 0
            frame = frames[step if step < len(frames) else 2 * len(frames) - 2 - step]
            infos.write(camera_info_message(idl, frame.camera, time.time_ns(), "camera"))
            message = image_message(idl, frame.image, 0, "camera")
            stamp = time.time_ns()
            message.header.stamp = idl.Time(*divmod(stamp, 1_000_000_000))
            send_depth(frame, stamp)
            images.write(message)
            listener.wait(lambda transforms, stamp=stamp: bool(transforms) and transforms[-1].stamp == stamp, PATIENCE)
            found = [t.received for t in listener.transforms[-4:] if t.stamp == stamp]
            answers.append((stamp, found[0] if found else None))
        pipe.send(answers)


# ------------------------------------------------------------------ the node's process


class Watched:
    """A tracker that remembers how long each image took.

    seen: {stamp: {stage: seconds}}, with `start` and `end` in ns beside the stages
    """

    def __init__(self, tracker: Tracking) -> None:
        self.tracker = tracker
        self.seen: dict[int, dict[str, float]] = {}

    def update(self, frame: Frame) -> list[PoseEstimate]:
        start = time.time_ns()
        estimates = self.tracker.track(frame)  # type: ignore[attr-defined]
        end = time.time_ns()
        seconds = estimates.seconds
        rest = (end - start) / 1e9 - seconds.total
        self.seen[frame.stamp] = {**asdict(seconds), "decode": seconds.decode + rest, "start": start, "end": end}
        return list(estimates.poses)

    def reset(self) -> None:
        self.tracker.reset()

    @property
    def device(self) -> str:
        return self.tracker.device


@dataclass
class Row:
    """One run of the node: medians in ms, of all images that were answered."""

    size: str
    mode: str
    found: int
    sent: int
    stages: dict[str, float]
    total: float
    p99: float


def run_node(model: str, frames: list[Frame], size: str, follow: bool, count: int, depth: str = "off") -> Row:
    """depth: one of depth_frames.MODES."""
    tracker = Watched(open_tracker(NodeConfig(model=(model,), follow=follow)))
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    camera = context.Process(target=camera_process, args=(there, frames, count + WARM_UP, depth), daemon=True)
    config = NodeConfig(model=(model,), **MODES[depth])
    with Participant() as participant, PoseNode(participant, config, lambda _: tracker) as node:
        camera.start()
        while not here.poll(1.0):
            if not camera.is_alive():
                raise InputError("the camera's process ended early")
        answers = here.recv()[WARM_UP:]
        camera.join()
        check_depth_used(node.managed.core)
    samples = []
    for stamp, arrival in answers:
        if arrival is None or stamp not in tracker.seen:
            continue
        seen = tracker.seen[stamp]
        times = {stage: seen[stage] for stage in ("preprocess", "network", "decode")}
        times |= {"receive": (seen["start"] - stamp) / 1e9, "publish": (arrival - seen["end"]) / 1e9}
        samples.append(({stage: 1e3 * times[stage] for stage in STAGES}, (arrival - stamp) / 1e6))
    if not samples:
        raise InputError(f"{size}: the model {model} finds nothing in the clip, so there is no transform to time")
    stages = {stage: statistics.median(sample[stage] for sample, _ in samples) for stage in STAGES}
    totals = [total for _, total in samples]
    p99 = float(np.percentile(totals, 99))
    mode = ("follow" if follow else "search") + ("" if depth == "off" else f", {depth}")
    return Row(size, mode, len(samples), count, stages, statistics.median(totals), p99)


# ------------------------------------------------------------------ the rival


class Rival:
    """DOPE's network, in each precision with the memory layout that is faster here."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = {"float32": [], "bfloat16": []}
        self._runs = {}
        for precision in self.times:
            dtype = getattr(torch, precision)
            network = Dope().eval().to(dtype)
            candidates = []
            for layout in (torch.contiguous_format, torch.channels_last):
                image = torch.rand(1, 3, HEIGHT, WIDTH).to(dtype).to(memory_format=layout)
                network = network.to(memory_format=layout)
                self._time(network, image)
                candidates.append((self._time(network, image), layout))
            layout = min(candidates, key=lambda candidate: candidate[0])[1]
            self._runs[precision] = (network.to(memory_format=layout), image.to(memory_format=layout))

    @staticmethod
    def _time(network: Dope, image: torch.Tensor) -> float:
        with torch.inference_mode():
            start = time.perf_counter()
            network(image)
            return 1e3 * (time.perf_counter() - start)

    def run(self) -> None:
        for precision, (network, image) in self._runs.items():
            self.times[precision] += [self._time(network, image) for _ in range(DOPE_RUNS)]


# ------------------------------------------------------------------ main


def resized(frame: Frame, width: int, height: int) -> Frame:
    """The frame scaled and padded to the size; its camera matrix changes with it, half pixels included."""
    camera = frame.camera
    if (width, height) == (camera.width, camera.height):
        return frame
    scale = min(width / camera.width, height / camera.height)
    inner = (round(camera.width * scale), round(camera.height * scale))
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    image = np.zeros((height, width, 3), np.uint8)
    image[top : top + inner[1], left : left + inner[0]] = cv2.resize(frame.image, inner)
    x, y = inner[0] / camera.width, inner[1] / camera.height
    scaling = np.array([[x, 0, x / 2 - 0.5 + left], [0, y, y / 2 - 0.5 + top], [0, 0, 1]])
    matrix = scaling @ camera.matrix
    return replace(frame, image=image, camera=Camera(width, height, matrix, camera.distortion, camera.distortion_model))


def own_network() -> None:
    """Takes a domain of our own on this machine: no other traffic comes in, and none of ours goes out."""
    os.environ.setdefault("ROS_DOMAIN_ID", str(random.randint(1, 101)))
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"


def compare_depth(options: argparse.Namespace, frames: list[Frame]) -> int:
    frames = with_depth(frames, options.model)
    rows = [
        run_node(options.model, frames, "VGA", True, options.frames, depth) for _ in range(ROUNDS) for depth in MODES
    ]
    show(rows)
    figures = {"threads": torch.get_num_threads(), "model": options.model, "rows": [vars(row) for row in rows]}
    finish(depth_headlines(rows), options.json, **figures)
    return 0


def show(rows: list[Row]) -> None:
    print(
        f"{'size':8} {'mode':18} {'found':>8} " + " ".join(f"{s:>10}" for s in STAGES) + f" {'total':>9} {'p99':>8}  ms"
    )
    for row in rows:
        stages = " ".join(f"{row.stages[stage]:10.2f}" for stage in STAGES)
        print(f"{row.size:8} {row.mode:18} {row.found:>4}/{row.sent:<3} {stages} {row.total:9.2f} {row.p99:8.2f}")


def report(rows: list[Row], rival: Rival) -> list[Headline]:
    show(rows)
    medians = {precision: statistics.median(times) for precision, times in rival.times.items()}
    for precision, median in medians.items():
        print(f"DOPE's network alone, {HEIGHT}x{WIDTH}, {precision}: {median:.0f} ms")
    headlines = []
    for row in rows:
        for precision, median in medians.items() if row.size == "400x533" else ():
            name, against = f"message to TF, 400x533, {row.mode}", f"DOPE's network, {precision}"
            headlines.append(Headline(name, row.total, "ms", against, median, median / row.total, ".1f"))
    return headlines


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="box", help="bundle: file, or name of a shipped one (default: %(default)s)")
    parser.add_argument("--source", help="clip that shows the model's object (default: the demo's)")
    parser.add_argument("--camera", help="camera file of --source")
    parser.add_argument("--frames", type=int, default=100, help="images a run (default: %(default)s)")
    parser.add_argument("--depth", action="store_true", help="what depth costs, with VGA images")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    own_network()
    try:
        source = options.source or demo_folder() / "box.mp4"
        camera_file = options.camera or (None if options.source else demo_folder() / "camera.json")
        with open_source(source, load_camera(camera_file) if camera_file else None) as clip:
            frames = [frame for frame, _ in zip(clip, range(CLIP), strict=False)]
        if options.depth:
            return compare_depth(options, [resized(frame, *SIZES["VGA"]) for frame in frames])
        rival = Rival()
        rows = []
        for size, (width, height) in SIZES.items():
            sized = [resized(frame, width, height) for frame in frames]
            for follow in (True, False):
                rows.append(run_node(options.model, sized, size, follow, options.frames))
                rival.run()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    headlines = report(rows, rival)
    finish(
        headlines,
        options.json,
        threads=torch.get_num_threads(),
        model=options.model,
        rows=[vars(row) for row in rows],
        dope_ms=rival.times,
    )
    return 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
