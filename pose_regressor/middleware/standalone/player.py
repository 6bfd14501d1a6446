"""Plays a source as a camera does: publishes Image, CameraInfo and depth at a rate, stamped with the time now."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from pose_regressor.middleware.kit.endpoints import Subscription
from pose_regressor.middleware.kit.pacing import Answers
from pose_regressor.middleware.kit.player import Playing, play_from_command_line
from pose_regressor.middleware.messages.depth import depth_message
from pose_regressor.middleware.messages.images import camera_info_message, image_message
from pose_regressor.middleware.standalone.participant import OpenParticipant, Participant
from pose_regressor.middleware.wire import idl
from pose_regressor.types import Frame, InputError

DEPTH = 5
#: Seconds from the last frame to the goodbye. If both come together, a busy subscriber may lose the frame.
LINGER = 0.2


class ParticipantOutlet:
    """Publishes on topics of a participant. It does so reliably, which reaches both kinds of readers."""

    def __init__(self, participant: Participant, playing: Playing) -> None:
        self._participant = participant
        self.domain = participant.domain
        self.answers = Answers()
        self._images = participant.publisher(playing.image_topic, idl.Image, DEPTH)
        self._infos = participant.publisher(playing.camera_info_topic, idl.CameraInfo, DEPTH)
        self._depths = participant.publisher(playing.depth_topic, idl.Image, DEPTH) if playing.depth_topic else None
        if playing.answers_topic:
            on_detections = self.answers.on_detections
            heard = Subscription(playing.answers_topic, idl.Detection3DArray, on_detections, reliable=True, depth=100)
            participant.subscribe([heard], logging.getLogger("pose_regressor"))  # the participant ends it

    def image_subscribers(self) -> int:
        return self._images.subscribers()

    def camera_info_subscribers(self) -> int:
        return self._infos.subscribers()

    def depth_subscribers(self) -> int:
        return self._depths.subscribers() if self._depths else 0

    def trouble(self) -> str:
        return self._participant.trouble()

    def send(self, frame: Frame) -> None:
        self._infos.publish(camera_info_message(idl, frame.camera, frame.stamp, frame.frame_id))
        if self._depths and frame.depth is not None:
            self._depths.publish(depth_message(idl, frame.depth, frame.stamp, frame.frame_id))
        self._images.publish(image_message(idl, frame.image, frame.stamp, frame.frame_id))


@contextmanager
def outlet(open_participant: OpenParticipant, playing: Playing) -> Iterator[ParticipantOutlet]:
    with open_participant("pose_regressor_player") as participant:
        yield ParticipantOutlet(participant, playing)
        time.sleep(LINGER)


def main(open_participant: OpenParticipant, module: str, arguments: Sequence[str]) -> int:
    """The player as a process: ``python -m MODULE clip.mp4 --camera camera.json``. Returns the exit code."""
    description = (__doc__ or "").splitlines()[0]
    try:
        return play_from_command_line(f"python -m {module}", description, partial(outlet, open_participant), arguments)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
