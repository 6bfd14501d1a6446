"""Runs of the node for node_latency.py: a camera in a process of its own, and what became of each of its images.

    python benchmarks/node_runs.py --model FILE --source CLIP --camera FILE --size VGA --mode follow --frames 100

This prints one run as a line of JSON. It imports nothing but what every build of the last months has, because
`node_latency.py --against` runs it with an earlier one.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import statistics
import time
from dataclasses import asdict, dataclass, replace
from multiprocessing.connection import Connection

import cv2
import numpy as np
from depth_frames import MODES, DepthCamera, check_depth_used

from pose_regressor.files.cameras import load_camera
from pose_regressor.middleware.dds.participant import Participant
from pose_regressor.middleware.messages.images import camera_info_message, image_message
from pose_regressor.middleware.pose.core import Tracking
from pose_regressor.middleware.pose.managed import open_tracker
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.middleware.wire import idl
from pose_regressor.sources import open_source
from pose_regressor.types import Camera, Frame, InputError, PoseEstimate

try:
    from pose_regressor.memory import keep_memory
except ImportError:  # a build from before trainings kept memory, too
    from pose_regressor.middleware.kit.memory import keep_memory
try:
    from pose_regressor.middleware.standalone.listener import TfListener
    from pose_regressor.middleware.standalone.node import PoseNode
except ImportError:  # a build from before there was Zenoh
    from pose_regressor.middleware.dds.listener import TfListener
    from pose_regressor.middleware.dds.node import DdsNode as PoseNode

SIZES = {"VGA": (640, 480), "1080p": (1920, 1080), "400x533": (533, 400)}
STAGES = ("receive", "preprocess", "network", "decode", "publish")
CLIP = 24  # frames of the clip that are played, forwards and backwards in turn
WARM_UP = 5  # frames of each run that are not counted
PATIENCE = 2.0  # seconds after which an image counts as unanswered


# ------------------------------------------------------------------ the camera's process


def listen() -> TfListener:
    return TfListener(Participant) if "standalone" in TfListener.__module__ else TfListener()


def camera_process(pipe: Connection, frames: list[Frame], count: int, depth: str, rate: float) -> None:
    """Sends `count` images. Puts (stamp, arrival of its transform or None) of each into the pipe, in ns.

    depth: one of depth_frames.MODES.
    rate: images per second, whether they are answered or not; 0: each once the one before is answered
    """
    keep_memory()  # as the player does, and drivers with buffers of their own: the node is to be timed, not the camera
    with Participant("benchmark_camera") as participant, listen() as listener:
        depths = DepthCamera(participant, depth)
        images = participant.writer("image", idl.Image, reliable=True, depth=1)
        infos = participant.writer("camera_info", idl.CameraInfo, reliable=True, depth=1)
        while not (images.matched_sub and infos.matched_sub and listener.writers):
            time.sleep(0.01)
        stamps = []
        start = time.monotonic()
        for number in range(count):
            # Forwards and backwards in turn: a jump would cost the tracker its object.
            step = number % (2 * len(frames) - 2) if len(frames) > 1 else 0
            frame = frames[step if step < len(frames) else 2 * len(frames) - 2 - step]
            infos.write(camera_info_message(idl, frame.camera, time.time_ns(), "camera"))
            # Made before their time starts: this is the camera's work, and the node is to be timed.
            message, depth_message = image_message(idl, frame.image, 0, "camera"), depths.message(frame)
            if rate:
                time.sleep(max(start + number / rate - time.monotonic(), 0))
            stamp = time.time_ns()
            message.header.stamp = idl.Time(*divmod(stamp, 1_000_000_000))
            depths.send(depth_message, frame.camera, stamp)
            images.write(message)
            stamps.append(stamp)
            if not rate or number == count - 1:
                listener.wait(lambda found, stamp=stamp: bool(found) and found[-1].stamp == stamp, PATIENCE)
        arrivals = {transform.stamp: transform.received for transform in listener.transforms}
        pipe.send([(stamp, arrivals.get(stamp)) for stamp in stamps])


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

    @property
    def execution(self) -> str:
        return self.tracker.execution


@dataclass
class Row:
    """One run of the node: medians in ms, of all images that were answered.

    found: images that were answered, of those sent. If images come at a rate, the node dropped the others.
    """

    size: str
    mode: str
    found: int
    sent: int
    stages: dict[str, float]
    total: float
    p99: float


def run_node(
    model: str,
    frames: list[Frame],
    size: str,
    follow: bool,
    count: int,
    depth: str = "off",
    threads: int = 0,
    rate: float = 0.0,
) -> Row:
    """depth: one of depth_frames.MODES
    threads: of the network, 0: the default; other numbers need the parameter
    rate: as in `camera_process`
    """
    own = {"threads": threads} if threads else {}
    tracker = Watched(open_tracker(NodeConfig(model=(model,), follow=follow, **own)))
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    camera = context.Process(target=camera_process, args=(there, frames, count + WARM_UP, depth, rate), daemon=True)
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


# ------------------------------------------------------------------ frames and the network


def read_clip(source: str, camera: str | None) -> list[Frame]:
    """The first CLIP frames. camera: a camera file, if the source brings none."""
    with open_source(source, load_camera(camera) if camera else None) as clip:
        return [frame for frame, _ in zip(clip, range(CLIP), strict=False)]


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


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--camera")
    parser.add_argument("--size", choices=SIZES, required=True)
    parser.add_argument("--mode", choices=("follow", "search"), required=True)
    parser.add_argument("--frames", type=int, required=True)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--rate", type=float, default=0.0)
    options = parser.parse_args()
    own_network()
    frames = [resized(frame, *SIZES[options.size]) for frame in read_clip(options.source, options.camera)]
    follow = options.mode == "follow"
    how = {"threads": options.threads, "rate": options.rate}
    row = run_node(options.model, frames, options.size, follow, options.frames, **how)
    print(json.dumps(asdict(row)))


if __name__ == "__main__":
    main()
