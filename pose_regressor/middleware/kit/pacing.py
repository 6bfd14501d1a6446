"""A source played in real time: at a fixed rate, or as fast as a node answers."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, repeat
from typing import Any

from pose_regressor.middleware.messages.images import stamp_from_message
from pose_regressor.sources import Source
from pose_regressor.types import Frame

#: The rates that an AnswerPace chooses from, images a second, the highest first.
RATES = (30.0, 20.0, 15.0, 10.0, 5.0)
FIRST_ANSWER = 30.0  # seconds for the first answer: a network's first images take longer than all others
SEND_AGAIN = 1.0  # seconds after which an image counts as lost; the first may come before the node has a camera
TRIES = 7  # images sent one after the other to measure how long an answer takes
WINDOW = 1.0  # seconds over which answers are counted while playing
LEAST_ANSWERED = 0.8  # share of a window's images that must be answered to keep the rate


def paced(
    source: Source, rate: float | Callable[[], float] | None = None, frame_id: str = "camera", loop: bool = False
) -> Iterator[Frame]:
    """The source's frames, each when it is due and stamped with the time at which it is handed out.

    rate: frames a second, or a function that is asked before each frame. None takes the source's own rate; images
    without one come as fast as they are asked for. A live source keeps its own pace and stamps.
    loop: starts over at the end, one frame's time after the last frame.

    No frame is left out. At a fixed rate a caller that is late gets the frames it missed at once. With a function the
    frames it missed move to later, since a burst would exceed the rate.
    """
    rate = None if source.live else rate or source.fps
    due = time.monotonic()
    for frame in chain.from_iterable(repeat(source)) if loop else source:
        if rate:
            time.sleep(max(0.0, due - time.monotonic()))
        yield replace(frame, stamp=frame.stamp if source.live else time.time_ns(), frame_id=frame_id)
        if callable(rate):
            due = max(due + 1 / rate(), time.monotonic())
        elif rate:
            due += 1 / rate


class Answers:
    """Which images a node has answered. Give `on_detections` every vision_msgs/Detection3DArray, from any thread.

    A node publishes one for each image that it has looked at, also if it found nothing there.
    """

    def __init__(self) -> None:
        self._received: dict[int, int] = {}
        self._changed = threading.Condition()

    def on_detections(self, msg: Any) -> None:
        now = time.time_ns()
        with self._changed:
            self._received.setdefault(stamp_from_message(msg.header.stamp), now)
            self._changed.notify_all()

    @property
    def received(self) -> dict[int, int]:
        """Stamp of the image (ns) -> when its answer came (ns since the epoch)."""
        with self._changed:
            return dict(self._received)

    def wait(self, stamp: int, timeout: float) -> bool:
        """Waits for the answer to the image with this stamp. False: it did not come within `timeout` seconds."""
        with self._changed:
            return bool(self._changed.wait_for(lambda: stamp in self._received, timeout))


class AnswerPace:
    """A rate that a node can keep up with: measured before the first frame, lowered if too many stay unanswered.

    Call it before each frame to get the rate, for `paced`. It never raises the rate again.

    answers: of the node
    say: called with a sentence whenever a rate is chosen
    rate: images a second from now on
    """

    def __init__(self, answers: Answers, say: Callable[[str], None]) -> None:
        self.rate = RATES[0]
        self._answers, self._say = answers, say
        self._start, self._sent, self._before = 0.0, 0, 0

    def measure(self, send: Callable[[], int]) -> None:
        """Chooses the first rate from how long the node takes to answer single images.

        send: publishes an image and returns its stamp.
        """
        deadline = time.monotonic() + FIRST_ANSWER
        while not self._answers.wait(send(), SEND_AGAIN) and not self._answers.received:
            if time.monotonic() > deadline:
                self.rate = RATES[-1]
                self._say(f"no answer within {FIRST_ANSWER:g} s: playing at {self.rate:g} images a second")
                return
        times = []
        for _ in range(TRIES):
            start = time.monotonic()
            self._answers.wait(send(), SEND_AGAIN)
            times.append(time.monotonic() - start)
        taken = statistics.median(times)
        self.rate = _manageable(1 / taken)
        words = f"{1e3 * taken:.0f} ms" if taken < SEND_AGAIN else f"more than {SEND_AGAIN:g} s"
        self._say(f"the node answers an image in {words}: playing at {self.rate:g} images a second")

    def __call__(self) -> float:
        now = time.monotonic()
        heard = len(self._answers.received)
        if not self._sent:
            self._start, self._before = now, heard
        elif now - self._start >= WINDOW:
            answered = heard - self._before
            if answered < LEAST_ANSWERED * self._sent and self.rate > RATES[-1]:
                # One more: at the window's end an image is in work.
                self._slow_down((answered + 1) / (now - self._start))
            self._start, self._sent, self._before = now, 0, heard
        self._sent += 1
        return self.rate

    def _slow_down(self, answered: float) -> None:
        """answered: images a second that the node answered at the rate up to now."""
        before = self.rate
        self.rate = min(_manageable(answered), max(rate for rate in RATES if rate < before))
        self._say(f"at {before:g} images a second {answered:.0f} are answered: playing at {self.rate:g}")


def _manageable(rate: float) -> float:
    """The highest of RATES that is not above `rate`, else the lowest."""
    return next((known for known in RATES if known <= rate), RATES[-1])
