"""Which depth message belongs to which image, by their stamps. Images wait here for their depth, and block nothing."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic

from pose_regressor.middleware.kit.counts import STOPPED
from pose_regressor.middleware.kit.log import Log
from pose_regressor.middleware.kit.worker import Item, Stage
from pose_regressor.types import NANOSECONDS, InputError

#: The last depth messages that are kept, and the images that may wait for depth.
KEPT, HELD = 10, 4
#: Seconds. If no depth has come for this long, or only such that is this much older, no image waits. Before the first
#: depth, this counts from the first image.
SILENT = 1.0

NONE_COMES, LATE = "depth: none comes", "depth: late"
NONE_NEAR, APART = "depth: none near the image's stamp", "depth: stamps seconds apart"


@dataclass(frozen=True, eq=False)
class DepthMessage:
    """A depth message as it came.

    message: sensor_msgs/Image or CompressedImage.
    stamp: of its header, ns.
    arrived: when it came (time.monotonic).
    """

    message: Any
    stamp: int
    arrived: float


@dataclass(frozen=True, eq=False)
class _Image(Generic[Item]):
    """An image that waits: at most until `until` (time.monotonic)."""

    item: Item
    stamp: int
    until: float


class Pairing(Stage, Generic[Item]):
    """Calls ``pass_on(item, depth)`` for each image, with the depth message nearest to its stamp, or why there is none.

    An image is passed on at once if depth of its time or later has come. If not, it waits: at most `patience` seconds,
    and only while depth messages come. Depth from before the image is taken if none nearer comes within as many seconds
    as it is older.

    pass_on: must return at once.
    tolerance: seconds between the stamps of an image and its depth.
    """

    def __init__(
        self, pass_on: Callable[[Item, DepthMessage | InputError], object], tolerance: float, patience: float, log: Log
    ) -> None:
        super().__init__(log)
        self._pass_on = pass_on
        self._tolerance, self._patience = tolerance, patience
        self._kept: deque[DepthMessage] = deque(maxlen=KEPT)
        self._held: deque[_Image[Item]] = deque()
        self._begun: float | None = None  # when the first image came
        self._running = True
        self._thread = threading.Thread(target=self._run, name="pose_regressor pairing", daemon=True)
        self._thread.start()

    def tune(self, tolerance: float, patience: float) -> None:
        with self._ready:
            self._tolerance, self._patience = tolerance, patience

    def submit(self, item: Item, stamp: int) -> None:
        """Takes an image. stamp: its own, ns."""
        now = time.monotonic()
        with self._ready:
            self._counts.received += 1
            if not self._running:
                self._counts.drop(STOPPED)
                return
            self._begun = self._begun or now
            if len(self._held) == HELD:
                self._pass(self._held.popleft())
            self._held.append(_Image(item, stamp, now + self._patience))
            self._pass_due(now)
            self._ready.notify_all()  # the thread has to wake up for this one, too

    def on_depth(self, message: Any, stamp: int) -> None:
        """Takes a depth message. stamp: its own, ns."""
        now = time.monotonic()
        with self._ready:
            self._kept.append(DepthMessage(message, stamp, now))
            self._pass_due(now)
            self._ready.notify_all()

    def clear(self, reason: str) -> None:
        """Drops the images that wait, and forgets the depth that came."""
        with self._ready:
            for _ in self._held:
                self._counts.drop(reason)
            self._held.clear()
            self._kept.clear()
            self._begun = None
            self._ready.notify_all()

    def wait_idle(self, timeout: float) -> bool:
        """Waits until no image waits. False: that took longer than `timeout` seconds."""
        with self._ready:
            return self._ready.wait_for(lambda: not self._held, timeout)

    def stop(self, timeout: float = 1.0) -> bool:
        """Ends the thread and drops the images that wait. False: that took longer than `timeout` seconds."""
        with self._ready:
            self._running = False
        self.clear(STOPPED)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        with self._ready:
            while self._running:
                self._pass_due(now := time.monotonic())
                due = min((self._due(image) for image in self._held), default=None)
                self._ready.wait(None if due is None else max(due - now, 0.0))

    def _pass_due(self, now: float) -> None:
        """Passes on every image that waits for nothing any more. To be called with the lock held, as all below."""
        for image in [image for image in self._held if self._due(image) <= now]:
            self._held.remove(image)
            self._pass(image)

    def _pass(self, image: _Image[Item]) -> None:
        self._pass_on(image.item, self._found(image.stamp))
        self._ready.notify_all()

    def _nearest(self, stamp: int) -> DepthMessage | None:
        """Of several that are as near, the newest."""
        return min(reversed(self._kept), key=lambda depth: abs(depth.stamp - stamp), default=None)

    def _due(self, image: _Image[Item]) -> float:
        """When to decide on an image (time.monotonic)."""
        nearest = self._nearest(image.stamp)
        if nearest is None:
            return min(image.until, (self._begun or 0.0) + SILENT)
        newest = self._kept[-1]
        if not 0 < image.stamp - newest.stamp <= SILENT * NANOSECONDS:
            return -math.inf  # depth of its time has come, or would come far too late
        older = abs(image.stamp - nearest.stamp) / NANOSECONDS
        better = nearest.arrived + older if older <= self._tolerance else math.inf
        return min(image.until, newest.arrived + SILENT, better)

    def _found(self, stamp: int) -> DepthMessage | InputError:
        """The depth of an image, or why there is none."""
        nearest = self._nearest(stamp)
        if nearest is None:
            return InputError(NONE_COMES, "expected messages on depth_topic; is the camera's depth switched on?")
        seconds = (nearest.stamp - stamp) / NANOSECONDS
        if abs(seconds) <= self._tolerance:
            return nearest
        where = f"the nearest is {abs(seconds):.3f} s {'after' if seconds > 0 else 'before'} the image"
        expected = f"expected at most {self._tolerance:g} s"
        newest = self._kept[-1]
        if (silent := time.monotonic() - newest.arrived) > SILENT:
            return InputError(NONE_COMES, f"the last came {silent:.1f} s ago on depth_topic")
        if abs(seconds) > SILENT:
            return InputError(APART, f"{where}, {expected}; let both be stamped by the same clock")
        if newest.stamp < stamp:
            remedy = "raise depth_patience, or depth_tolerance if the two are never taken at the same time"
            return InputError(LATE, f"{where} after waiting {self._patience:g} s, {expected}; {remedy}")
        return InputError(NONE_NEAR, f"{where}, {expected}; raise depth_tolerance, or the rate of depth")
