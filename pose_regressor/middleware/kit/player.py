"""A player: publishes a source as a camera does, as Image and CameraInfo at a rate, stamped with the time now.

What both middlewares' players share; each brings the `Outlet`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path
from typing import Protocol

from pose_regressor.files.cameras import load_camera
from pose_regressor.files.io import write_text
from pose_regressor.middleware.kit.interrupts import interruptible
from pose_regressor.middleware.kit.memory import keep_memory
from pose_regressor.middleware.kit.pacing import paced
from pose_regressor.sources import Source, open_source
from pose_regressor.types import Frame, InputError

DEFAULT_RATE = 30.0  # frames a second of images that carry no time
GRACE = 0.5  # seconds more for the camera info's subscriber, once the image's is there
#: And more for them to hear of this side, which may be a little later: what is written before is lost to them.
SETTLE = 0.3


class Outlet(Protocol):
    """Where a player publishes. domain: ROS_DOMAIN_ID, for messages."""

    domain: int

    def image_subscribers(self) -> int: ...
    def camera_info_subscribers(self) -> int: ...
    def send(self, frame: Frame) -> None:
        """Publishes the frame's camera info and image."""


#: An Outlet for the topics of the image and of the camera info.
OpenOutlet = Callable[[str, str], AbstractContextManager[Outlet]]


def play(
    open_outlet: OpenOutlet,
    source: Source,
    rate: float | None = None,
    image_topic: str = "image",
    camera_info_topic: str = "camera_info",
    frame_id: str = "camera",
    timeout: float = 30.0,
    loop: bool = False,
    record: list[tuple[int, int]] | None = None,
) -> int:
    """Publishes the source once a subscriber is there; the number of frames published.

    rate: frames a second; None takes the source's own. timeout: seconds to wait for a subscriber of the image, then
    InputError. loop: start over until interrupted. record: gets (frame number, stamp in ns) of every frame published.
    """
    published = 0
    with open_outlet(image_topic, camera_info_topic) as outlet:
        deadline = time.monotonic() + timeout
        while not outlet.image_subscribers():
            if time.monotonic() > deadline:
                raise InputError(
                    f"{source.name}: expected a subscriber of {image_topic} within {timeout:g} s, none came "
                    f"(ROS_DOMAIN_ID is {outlet.domain} here)"
                )
            time.sleep(0.01)
        deadline = time.monotonic() + GRACE
        while not outlet.camera_info_subscribers() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(SETTLE)
        for _ in count() if loop else range(1):
            for frame in paced(source, rate or source.fps or DEFAULT_RATE, frame_id):
                outlet.send(frame)
                published += 1
                if record is not None:
                    record.append((frame.index, frame.stamp))
    return published


def play_from_command_line(prog: str, description: str, open_outlet: OpenOutlet, arguments: Sequence[str]) -> int:
    """A player's command line; the exit code. InputError: what it was given cannot be played."""
    parser = argparse.ArgumentParser(prog=prog, description=description)
    parser.add_argument("source", help="video, image folder, BOP scene or webcam:N")
    parser.add_argument("--camera", metavar="FILE", help="camera file; a BOP scene has its own")
    parser.add_argument("--rate", type=float, help="frames a second (the source's own)")
    parser.add_argument("--image-topic", default="image", help="(%(default)s)")
    parser.add_argument("--camera-info-topic", default="camera_info", help="(%(default)s)")
    parser.add_argument("--frame-id", default="camera", help="TF frame of the camera (%(default)s)")
    parser.add_argument("--timeout", type=float, default=30.0, help="seconds to wait for a subscriber (%(default)s)")
    parser.add_argument("--loop", action="store_true", help="start over until interrupted")
    parser.add_argument("--record", metavar="FILE", type=Path, help="write [frame number, stamp in ns] of all frames")
    options = parser.parse_args(arguments)
    if options.rate is not None and not 0 < options.rate <= 1000:
        raise InputError(f"--rate: expected more than 0 and at most 1000 frames a second, got {options.rate:g}")
    camera = load_camera(options.camera) if options.camera else None
    keep_memory()
    record: list[tuple[int, int]] = []
    with interruptible(), open_source(options.source, camera) as source:
        play(
            open_outlet,
            source,
            options.rate,
            options.image_topic,
            options.camera_info_topic,
            options.frame_id,
            options.timeout,
            options.loop,
            None if options.loop else record,
        )
    if options.record:
        write_text(options.record, json.dumps(record))
    return 0
