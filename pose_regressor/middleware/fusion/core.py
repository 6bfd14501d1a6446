"""The work of the fusion node: the cameras' detections in, fused poses out."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pose_regressor.middleware.fusion.parameters import FusionConfig
from pose_regressor.middleware.kit.counts import INACTIVE, LATENCIES, Counts, Latency, internal_reason
from pose_regressor.middleware.kit.endpoints import Lookup
from pose_regressor.middleware.kit.log import Log, Throttle, one_line
from pose_regressor.middleware.messages.images import stamp_from_message
from pose_regressor.middleware.messages.poses import estimate_from_detection
from pose_regressor.tracking.fusion import fuse_views, in_frame
from pose_regressor.tracking.track import TrackingParameters
from pose_regressor.tracking.tracks import Tracks
from pose_regressor.types import NANOSECONDS, InputError, ObjectModel, PoseEstimate

#: No pose is left out here: the cameras' nodes have thresholds of their own. A new object with a score halfway from
#: here to 1 is published at once.
THRESHOLD = 0.0
#: The node waits for the cameras that took part in one of this many last moments.
REMEMBERED = 3
#: Seconds. A message that is up to this much older than the last moment is late. If it is older still, the clock was
#: set back.
LATE = 1.0


@dataclass(frozen=True)
class Moment:
    """When and in which TF frame fused poses are, as `messages.poses` needs it.

    stamp: ns, of the moment's newest image.
    frame_id: the fixed frame.
    """

    stamp: int
    frame_id: str


#: Publishes the poses of a moment.
Publish = Callable[[Moment, list[PoseEstimate]], None]


@dataclass
class _Gathered:
    """What cameras saw at one moment.

    first, last: stamps of its oldest and newest image, ns.
    arrived: when its first message came (time.monotonic).
    views: by camera.
    """

    first: int
    last: int
    arrived: float
    views: dict[str, list[PoseEstimate]] = field(default_factory=dict)


class FusionCore:
    """Takes every vision_msgs/Detection3DArray in `on_detections`, from any thread, once `start` was called.

    A moment ends when every camera seen in the last REMEMBERED moments has sent its message, or when a message of
    another moment comes. Then its fused poses are published.
    """

    def __init__(
        self, config: FusionConfig, models: Sequence[ObjectModel], lookup: Lookup, publish: Publish, log: Log
    ) -> None:
        self._config, self._lookup, self._publish, self._log = config, lookup, publish, log
        self._models = {model.name: model for model in models}
        self._warn, self._fail = Throttle(log.warning), Throttle(log.error)
        self._window = round(config.window * NANOSECONDS)
        self._active = False
        self._lock = threading.Lock()
        self._counts = Counts()
        self._latencies: deque[Latency] = deque(maxlen=LATENCIES)
        self._heard: dict[str, float] = {}
        #: Number of moments published.
        self.published = 0
        self._forget()

    @property
    def counts(self) -> Counts:
        """What became of the cameras' messages. A message is processed when its moment is published."""
        with self._lock:
            return self._counts.copy()

    @property
    def latencies(self) -> list[Latency]:
        """Of the last moments published, oldest first, each from its first message on."""
        return list(self._latencies.copy())

    @property
    def heard(self) -> dict[str, float]:
        """By camera: when its last usable message since the start came (time.monotonic)."""
        with self._lock:
            return dict(self._heard)

    def start(self) -> None:
        with self._lock:
            self._forget()  # what was seen before a pause is old
            self._active = True

    def pause(self) -> None:
        """Once it returns, nothing is published any more."""
        with self._lock:
            self._active = False
            if self._moment:
                self._counts.drop(INACTIVE, len(self._moment.views))
            self._forget()

    def stop(self) -> None:
        """Pauses and logs what became of all messages."""
        self.pause()
        self._log.info(f"messages: {self.counts}; {self.published} moments published")

    def tune(self, config: FusionConfig) -> None:
        """Changes the parameters from the next moment on."""
        self._config = config

    def on_detections(self, msg: Any) -> None:
        with self._lock:
            self._counts.received += 1
            if not self._active:
                self._counts.drop(INACTIVE)
                return
        try:
            camera, stamp, view = self._view(msg)
        except InputError as error:
            self._drop(error)
            return
        except Exception as error:  # anybody may send anything: one message must not end the node
            with self._lock:
                self._drop_internal(error, 1)
            return
        if not self._take(camera, stamp, view):
            self._drop(InputError("detections: late", "their moment is over"))

    def reject(self, error: InputError) -> None:
        """Counts a message that arrived but could not be read."""
        with self._lock:
            self._counts.received += 1
        self._drop(error)

    def _forget(self) -> None:
        self._tracks = Tracks(TrackingParameters())
        self._moment: _Gathered | None = None
        self._done: int | None = None
        self._cameras: deque[frozenset[str]] = deque(maxlen=REMEMBERED)
        self._heard.clear()

    def _view(self, msg: Any) -> tuple[str, int, list[PoseEstimate]]:
        """The camera, its stamp in ns, and what it sees, in the fixed frame."""
        camera, stamp = str(msg.header.frame_id).lstrip("/"), stamp_from_message(msg.header.stamp)
        if not camera:
            raise InputError("detections: expected a frame_id in their header", "got none")
        fixed_from_camera = self._lookup(self._config.fixed_frame, camera, stamp)
        seen = [estimate_from_detection(d, self._models) for d in msg.detections if d.results]
        return camera, stamp, [in_frame(estimate, fixed_from_camera) for estimate in seen]

    def _take(self, camera: str, stamp: int, view: list[PoseEstimate]) -> bool:
        """Adds a view to its moment. False: the view is late."""
        with self._lock:
            if not self._active:
                self._counts.drop(INACTIVE)
                return True
            self._heard[camera] = time.monotonic()
            age = -1 if self._done is None else self._done - stamp
            if not 0 <= age < LATE * NANOSECONDS:
                self._gather(camera, stamp, view)
                return True
            if age <= self._window and self._moment is None:
                # It belongs to the last moment, and the next one has not begun: the camera is worth waiting for.
                self._cameras[-1] |= {camera}
            return False

    def _gather(self, camera: str, stamp: int, view: list[PoseEstimate]) -> None:
        moment = self._moment
        if moment and (
            camera in moment.views or stamp - moment.first > self._window or moment.last - stamp > self._window
        ):
            self._finish(moment)
            moment = None
        if moment is None:
            moment = self._moment = _Gathered(stamp, stamp, time.monotonic())
        moment.first, moment.last = min(stamp, moment.first), max(stamp, moment.last)
        moment.views[camera] = view
        expected = frozenset().union(*self._cameras)
        if len(self._cameras) == REMEMBERED and expected <= moment.views.keys():
            self._finish(moment)

    def _finish(self, moment: _Gathered) -> None:
        self._moment, self._done = None, moment.last
        self._cameras.append(frozenset(moment.views))
        try:
            fused = fuse_views(moment.views.values())
            self._tracks.advance(moment.last)
            poses = self._tracks.take(fused, THRESHOLD, self._config.smooth)
            self._publish(Moment(moment.last, self._config.fixed_frame), poses)
        except Exception as error:  # one moment must not end the node
            self._drop_internal(error, len(moment.views))
            return
        now = time.monotonic()
        self._counts.processed += len(moment.views)
        self._latencies.append(Latency(now, now - moment.arrived))
        self.published += 1

    def _drop(self, error: InputError) -> None:
        with self._lock:
            key = self._counts.drop(error.reason)
        self._warn(key, f"dropped: {error}")

    def _drop_internal(self, error: Exception, messages: int) -> None:
        """To be called with the lock held."""
        reason = internal_reason(error)
        self._counts.drop(reason, messages)
        self._fail(reason, f"dropped: {reason}: {one_line(error)}")
