"""Plays a source as a camera does: publishes Image, CameraInfo and depth at a rate, stamped with the time now.

As a process: ``python -m pose_regressor.middleware.dds.player clip.mp4 --camera camera.json``.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pose_regressor.middleware.dds.participant import Listening, Participant
from pose_regressor.middleware.kit.pacing import Answers
from pose_regressor.middleware.kit.player import Playing, play_from_command_line
from pose_regressor.middleware.messages.depth import depth_message
from pose_regressor.middleware.messages.images import camera_info_message, image_message
from pose_regressor.middleware.wire import idl
from pose_regressor.types import Frame, InputError

DEPTH = 5


class DdsOutlet:
    """Publishes on topics of a participant. It does so reliably, which reaches both kinds of readers."""

    def __init__(self, participant: Participant, playing: Playing) -> None:
        self.domain = participant.domain
        self.answers = Answers()
        self._images = participant.writer(playing.image_topic, idl.Image, reliable=True, depth=DEPTH)
        self._infos = participant.writer(playing.camera_info_topic, idl.CameraInfo, reliable=True, depth=DEPTH)
        self._depths = None
        if playing.depth_topic:
            self._depths = participant.writer(playing.depth_topic, idl.Image, reliable=True, depth=DEPTH)
        if playing.answers_topic:
            reader = participant.reader(playing.answers_topic, idl.Detection3DArray, reliable=True, depth=100)
            # The participant ends it.
            Listening(participant, {reader: self.answers.on_detections}, logging.getLogger("pose_regressor"))

    def image_subscribers(self) -> int:
        return len(self._images.matched_sub)

    def camera_info_subscribers(self) -> int:
        return len(self._infos.matched_sub)

    def depth_subscribers(self) -> int:
        return len(self._depths.matched_sub) if self._depths else 0

    def send(self, frame: Frame) -> None:
        self._infos.write(camera_info_message(idl, frame.camera, frame.stamp, frame.frame_id))
        if self._depths and frame.depth is not None:
            self._depths.write(depth_message(idl, frame.depth, frame.stamp, frame.frame_id))
        self._images.write(image_message(idl, frame.image, frame.stamp, frame.frame_id))


@contextmanager
def dds_outlet(playing: Playing) -> Iterator[DdsOutlet]:
    with Participant("pose_regressor_player") as participant:
        yield DdsOutlet(participant, playing)


def main(arguments: Sequence[str]) -> int:
    prog, description = "python -m pose_regressor.middleware.dds.player", (__doc__ or "").splitlines()[0]
    try:
        return play_from_command_line(prog, description, dds_outlet, arguments)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
