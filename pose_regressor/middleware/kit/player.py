"""A player: publishes a source as a camera does, as Image and CameraInfo at a rate, stamped with the time now. If the
source has depth, it is published too, as an Image that is aligned to the colours and has their stamp.

The players of all middlewares share this; each brings its own `Outlet`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from pose_regressor.files.cameras import load_camera
from pose_regressor.files.io import write_text
from pose_regressor.memory import keep_memory
from pose_regressor.middleware.kit.interrupts import interruptible
from pose_regressor.middleware.kit.pacing import RATES, AnswerPace, Answers, paced
from pose_regressor.sources import Source, open_source
from pose_regressor.types import Frame, InputError

DEFAULT_RATE = 30.0  # frames a second of images that carry no time
DETECTIONS = "/pose_regressor/detections"  # where the pose node answers under its usual name
AUTO = "auto"  # as a rate on a command line: as fast as the node answers
GRACE = 0.5  # seconds more for the subscribers of camera info and depth, once the image's is there
#: Seconds more for the subscribers to hear of this side. What is written before they have is lost to them.
SETTLE = 0.3
KEPT = 256 << 20  # bytes of freed memory that a player keeps for its next image


@dataclass(frozen=True)
class Playing:
    """How a source is played.

    rate: frames a second; None takes the source's own, or DEFAULT_RATE
    answers_topic: topic of a node's detections. If given, `rate` is ignored: the player plays as fast as the node
        answers, see AnswerPace. A live source keeps its own pace.
    image_topic, camera_info_topic: where to publish
    depth_topic: where to publish the source's depth; "": nowhere
    frame_id: TF frame of the camera, without the leading '/' that ROS 1 wrote, since tf2 refuses to look it up; the
        player takes it off
    timeout: seconds to wait for a subscriber of the image
    loop: start over until interrupted
    """

    rate: float | None = None
    answers_topic: str = ""
    image_topic: str = "image"
    camera_info_topic: str = "camera_info"
    depth_topic: str = ""
    frame_id: str = "camera"
    timeout: float = 30.0
    loop: bool = False

    def __post_init__(self) -> None:
        name = self.frame_id.lstrip("/")
        if not name or any(letter.isspace() for letter in name):
            raise InputError(f"--frame-id: expected a TF frame name without spaces, got {self.frame_id!r}")
        object.__setattr__(self, "frame_id", name)


@dataclass(frozen=True)
class Played:
    """One frame that was published. index: frame number; stamp: ns since the epoch; rate: frames a second intended at
    that moment, None for a live source."""

    index: int
    stamp: int
    rate: float | None


class Outlet(Protocol):
    """Where a player publishes. domain: ROS_DOMAIN_ID, for messages; answers: of the node, from
    `Playing.answers_topic`."""

    domain: int
    answers: Answers

    def image_subscribers(self) -> int: ...
    def camera_info_subscribers(self) -> int: ...
    def depth_subscribers(self) -> int: ...
    def trouble(self) -> str:
        """As `managed.Ends.trouble`."""

    def send(self, frame: Frame) -> None:
        """Publishes the frame's camera info, its depth if it has any, and its image."""


#: Opens an Outlet on the topics of a Playing.
OpenOutlet = Callable[[Playing], AbstractContextManager[Outlet]]


def play(open_outlet: OpenOutlet, source: Source, playing: Playing, record: list[Played] | None = None) -> int:
    """Publishes the source once a subscriber is there; the number of frames published.

    record: gets every frame that was published. InputError: no subscriber came in time.
    """
    published = 0
    with open_outlet(playing) as outlet:
        _wait_for_subscribers(outlet, source.name, playing)
        rate: float | AnswerPace | None = None if source.live else playing.rate or source.fps or DEFAULT_RATE
        if playing.answers_topic and not source.live:
            rate = AnswerPace(outlet.answers, lambda sentence: print(sentence, flush=True))
            rate.measure(_sender(outlet, source, playing.frame_id))
        for frame in paced(source, rate, playing.frame_id, playing.loop):
            outlet.send(frame)
            published += 1
            if record is not None:
                now = rate.rate if isinstance(rate, AnswerPace) else rate
                record.append(Played(frame.index, frame.stamp, now))
    return published


def _wait_for_subscribers(outlet: Outlet, name: str, playing: Playing) -> None:
    deadline = time.monotonic() + playing.timeout
    while not outlet.image_subscribers():
        if time.monotonic() > deadline:
            trouble = outlet.trouble()
            raise InputError(
                f"{name}: expected a subscriber of {playing.image_topic} within {playing.timeout:g} s, none came "
                f"(ROS_DOMAIN_ID is {outlet.domain} here{f'; {trouble}' if trouble else ''})"
            )
        time.sleep(0.01)
    deadline = time.monotonic() + GRACE
    while time.monotonic() < deadline:
        if outlet.camera_info_subscribers() and (not playing.depth_topic or outlet.depth_subscribers()):
            break
        time.sleep(0.01)
    time.sleep(SETTLE)


def _sender(outlet: Outlet, source: Source, frame_id: str) -> Callable[[], int]:
    """Publishes the source's first frame again and again, each time with a stamp of its own, which it returns."""
    first = next(iter(source))

    def send() -> int:
        frame = replace(first, stamp=time.time_ns(), frame_id=frame_id)
        outlet.send(frame)
        return frame.stamp

    return send


def rate_or_auto(text: str) -> float | None:
    """A command line's frames a second; None for auto. InputError: neither."""
    if text == AUTO:
        return None
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= 1000:
        raise InputError(f"--rate: expected {AUTO}, or more than 0 and at most 1000 frames a second, got {text}")
    return rate


def play_from_command_line(prog: str, description: str, open_outlet: OpenOutlet, arguments: Sequence[str]) -> int:
    """A player's command line; the exit code. InputError: what it was given cannot be played."""
    options = _parser(prog, description).parse_args(arguments)
    playing = Playing(
        rate=rate_or_auto(options.rate) if options.rate else None,
        answers_topic=options.detections_topic if options.rate == AUTO else "",
        image_topic=options.image_topic,
        camera_info_topic=options.camera_info_topic,
        depth_topic=options.depth_topic or depth_topic_beside(options.image_topic),
        frame_id=options.frame_id,
        timeout=options.timeout,
        loop=options.loop,
    )
    camera = load_camera(options.camera) if options.camera else None
    keep_memory(KEPT)
    record: list[Played] = []
    with interruptible(), open_source(options.source, camera, options.depth) as source:
        if source.depth is None:
            playing = replace(playing, depth_topic="")
        play(open_outlet, source, playing, record if options.record else None)
    if options.record:
        write_text(options.record, json.dumps([[frame.index, frame.stamp, frame.rate] for frame in record]))
    return 0


def depth_topic_beside(image_topic: str) -> str:
    """The topic of depth in the namespace of an image topic."""
    namespace, slash, _ = image_topic.rpartition("/")
    return f"{namespace}{slash}depth"


def _parser(prog: str, description: str) -> argparse.ArgumentParser:
    usual = Playing()
    parser = argparse.ArgumentParser(prog=prog, description=description)
    parser.add_argument("source", help="video, image, image folder, BOP scene or webcam:N")
    parser.add_argument("--camera", metavar="FILE", help="camera file; a BOP scene has its own")
    parser.add_argument(
        "--rate",
        help=f"frames a second; {AUTO}: as fast as the pose node answers, at most {RATES[0]:g} (default: the source's "
        "own)",
    )
    parser.add_argument("--image-topic", default=usual.image_topic, help="topic of the images (default: %(default)s)")
    parser.add_argument(
        "--camera-info-topic", default=usual.camera_info_topic, help="topic of the camera info (default: %(default)s)"
    )
    parser.add_argument(
        "--depth",
        metavar="auto|off|FOLDER",
        default=AUTO,
        help="depth images with the images' names, or named by a video's frame numbers; auto: a BOP scene's own "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--depth-topic",
        metavar="TOPIC",
        help="topic of depth, as 16UC1 millimetres (default: depth, in the namespace of the images)",
    )
    parser.add_argument(
        "--detections-topic", default=DETECTIONS, help=f"the node's answers, for --rate {AUTO} (default: %(default)s)"
    )
    parser.add_argument("--frame-id", default=usual.frame_id, help="TF frame of the camera (default: %(default)s)")
    parser.add_argument(
        "--timeout", type=float, default=usual.timeout, help="seconds to wait for a subscriber (default: %(default)s)"
    )
    parser.add_argument("--loop", action="store_true", help="start over until interrupted")
    parser.add_argument(
        "--record",
        metavar="FILE",
        type=Path,
        help="write [frame number, stamp in ns, frames a second] of every frame, as JSON",
    )
    return parser
