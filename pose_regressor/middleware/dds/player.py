"""Plays a source as a camera does: Image and CameraInfo at a rate, stamped with the time now.

As a process: ``python -m pose_regressor.middleware.dds.player clip.mp4 --camera camera.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from itertools import count
from pathlib import Path

from pose_regressor.files import load_camera
from pose_regressor.middleware.dds import idl
from pose_regressor.middleware.dds.participant import Participant
from pose_regressor.middleware.interrupts import interruptible
from pose_regressor.middleware.messages import camera_info_message, image_message
from pose_regressor.middleware.pacing import paced
from pose_regressor.sources import Source, open_source
from pose_regressor.types import InputError

DEFAULT_RATE = 30.0  # frames a second of images that carry no time
GRACE = 0.5  # seconds more for the camera info's reader, once the image's is there


def play(
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
    with Participant("pose_regressor_player") as participant:
        # Reliable writers reach both kinds of readers.
        images = participant.writer(image_topic, idl.Image, reliable=True, depth=5)
        infos = participant.writer(camera_info_topic, idl.CameraInfo, reliable=True, depth=5)
        deadline = time.monotonic() + timeout
        while not images.matched_sub:
            if time.monotonic() > deadline:
                raise InputError(
                    f"{source.name}: expected a subscriber of {image_topic} within {timeout:g} s, none came "
                    f"(ROS_DOMAIN_ID is {participant.domain} here)"
                )
            time.sleep(0.01)
        deadline = time.monotonic() + GRACE
        while not infos.matched_sub and time.monotonic() < deadline:
            time.sleep(0.01)
        for _ in count() if loop else range(1):
            for frame in paced(source, rate or source.fps or DEFAULT_RATE, frame_id):
                infos.write(camera_info_message(idl, frame.camera, frame.stamp, frame_id))
                images.write(image_message(idl, frame.image, frame.stamp, frame_id))
                published += 1
                if record is not None:
                    record.append((frame.index, frame.stamp))
    return published


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m pose_regressor.middleware.dds.player", description=(__doc__ or "").splitlines()[0]
    )
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
    record: list[tuple[int, int]] = []
    try:
        if options.rate is not None and not 0 < options.rate <= 1000:
            raise InputError(f"--rate: expected more than 0 and at most 1000 frames a second, got {options.rate:g}")
        camera = load_camera(options.camera) if options.camera else None
        with interruptible(), open_source(options.source, camera) as source:
            play(
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
            options.record.write_text(json.dumps(record))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
