"""What both fusion nodes do with the cameras' poses, in neither's words: detections in, fused poses out."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from pose_regressor.middleware.fusion.parameters import FusionConfig
from pose_regressor.middleware.kit.counts import INACTIVE, INTERNAL_ERROR, LATENCIES, Counts, Latency
from pose_regressor.middleware.kit.worker import Log, Throttle
from pose_regressor.middleware.messages.images import NANOSECONDS, stamp_from_message
from pose_regressor.middleware.messages.transform_tree import rigid
from pose_regressor.tracking.fusion import fuse_views, in_frame
from pose_regressor.tracking.track import TrackingParameters
from pose_regressor.tracking.tracks import Tracks
from pose_regressor.types import FloatArray, InputError, ObjectModel, PoseEstimate

#: The cameras' nodes have thresholds of their own; half of the way from here to 1 is believed at once.
THRESHOLD = 0.0
#: A camera that was in none of so many moments is not waited for.
REMEMBERED = 3
#: What comes so much later than a moment that is done is late; what comes later still is of a clock that was set.
LATE = 1.0


class Lookup(Protocol):
    """Where a frame is in another: (4, 4) target_from_source at a time in ns. InputError: not known."""

    def __call__(self, target: str, source: str, stamp: int) -> FloatArray: ...


@dataclass(frozen=True)
class Moment:
    """What `pose_messages` asks of a frame. stamp: ns, of its newest image; frame_id: what its poses are in."""

    stamp: int
    frame_id: str


#: Publishes the poses of a moment.
Publish = Callable[[Moment, list[PoseEstimate]], None]


@dataclass
class _Gathered:
    """What cameras saw at one moment. arrived: the first of it (time.monotonic)."""

    first: int
    last: int
    arrived: float
    views: dict[str, list[PoseEstimate]] = field(default_factory=dict)


class FusionCore:
    """Give each vision_msgs/Detection3DArray to `on_detections`, from any thread. Inactive until `start`.

    A moment is published once every camera that took part in one lately has told of it, or when one of them tells of
    the next.
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
        #: Moments published.
        self.published = 0
        self._forget()

    @property
    def counts(self) -> Counts:
        """Of the cameras' messages; those of a moment that was published are processed."""
        with self._lock:
            return self._counts.copy()

    @property
    def latencies(self) -> list[Latency]:
        """Of the last moments published, oldest first: from their first message on."""
        return list(self._latencies.copy())

    @property
    def heard(self) -> dict[str, float]:
        """Of every camera since the start: when its last message came that could be used (time.monotonic)."""
        with self._lock:
            return dict(self._heard)

    def start(self) -> None:
        with self._lock:
            self._forget()  # what was seen before the pause is old
            self._active = True

    def pause(self) -> None:
        """From its return on nothing is published."""
        with self._lock:
            self._active = False
            if self._moment:
                self._counts.dropped[INACTIVE] += len(self._moment.views)
            self._forget()

    def stop(self) -> None:
        """Says what came of all messages."""
        self.pause()
        self._log.info(f"messages: {self.counts}; {self.published} moments published")

    def tune(self, config: FusionConfig) -> None:
        """From the next moment on."""
        self._config = config

    def on_detections(self, msg: Any) -> None:
        with self._lock:
            self._counts.received += 1
            if not self._active:
                self._counts.dropped[INACTIVE] += 1
                return
        try:
            camera, stamp, view = self._view(msg)
        except InputError as error:
            self._drop(str(error))
            return
        except Exception as error:  # anybody may send anything: one message must not end the node
            self._drop_internal(error)
            return
        with self._lock:
            if not self._active:
                self._counts.dropped[INACTIVE] += 1
                return
            self._heard[camera] = time.monotonic()
            age = -1 if self._done is None else self._done - stamp
            late = 0 <= age < LATE * NANOSECONDS
            if not late:
                self._gather(camera, stamp, view)
            elif age <= self._window and self._moment is None:
                # The last moment was its own, and the next has not begun: it is worth being waited for.
                self._cameras[-1] |= {camera}
        if late:
            self._drop("detections: late, their moment is done")

    def reject(self, reason: str) -> None:
        """A message that arrived and could not be read."""
        with self._lock:
            self._counts.received += 1
        self._drop(reason)

    def _forget(self) -> None:
        self._tracks = Tracks(TrackingParameters())
        self._moment: _Gathered | None = None
        self._done: int | None = None
        self._cameras: deque[frozenset[str]] = deque(maxlen=REMEMBERED)
        self._heard.clear()

    def _drop(self, reason: str) -> None:
        with self._lock:
            key = self._counts.drop(reason)
        self._warn(key, f"dropped: {reason}")

    def _drop_internal(self, error: Exception) -> None:
        with self._lock:
            self._count_internal(error, 1)

    def _count_internal(self, error: Exception, messages: int) -> None:
        reason = f"{INTERNAL_ERROR} {type(error).__name__}"
        self._counts.dropped[reason] += messages
        self._fail(reason, f"dropped: {reason}: {' '.join(str(error).split())}")

    def _view(self, msg: Any) -> tuple[str, int, list[PoseEstimate]]:
        """Camera, stamp in ns, and what it sees in the common frame."""
        camera, stamp = str(msg.header.frame_id), stamp_from_message(msg.header.stamp)
        if not camera:
            raise InputError("detections: expected a frame_id in their header, got none")
        common_from_camera = self._lookup(self._config.fixed_frame, camera, stamp)
        return camera, stamp, [in_frame(self._estimate(d), common_from_camera) for d in msg.detections if d.results]

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
        except Exception as error:  # as in `on_detections`
            self._count_internal(error, len(moment.views))
            return
        now = time.monotonic()
        self._counts.processed += len(moment.views)
        self._latencies.append(Latency(now, now - moment.arrived))
        self.published += 1

    def _estimate(self, detection: Any) -> PoseEstimate:
        """The best hypothesis of a detection, in its camera's frame."""
        result = max(detection.results, key=lambda r: float(r.hypothesis.score))
        name, pose = str(result.hypothesis.class_id), _matrix(result.pose.pose)
        covariance = np.array(result.pose.covariance, dtype=np.float64).reshape(6, 6)
        if not np.isfinite(covariance).all() or np.linalg.eigvalsh((covariance + covariance.T) / 2).min() <= 0:
            raise InputError(f"detections: expected a positive definite covariance of {name}, got another")
        if name not in self._models:
            self._models[name] = _model_from_box(name, pose, detection.bbox)
        score = min(max(float(result.hypothesis.score), 0.0), 1.0)
        return PoseEstimate(self._models[name], pose, (covariance + covariance.T) / 2, score, "pnp", np.zeros(4))


def _matrix(pose: Any) -> FloatArray:
    """geometry_msgs/Pose -> (4, 4)."""
    p, q = pose.position, pose.orientation
    if (result := rigid((p.x, p.y, p.z), (q.x, q.y, q.z, q.w))) is None:
        raise InputError(f"detections: expected a pose, got position {p} and orientation {q}")
    return result


def _model_from_box(name: str, pose: FloatArray, box: Any) -> ObjectModel:
    """What a detection itself tells of its object: a box, and no symmetries."""
    size = np.array([box.size.x, box.size.y, box.size.z])
    middle = np.linalg.inv(pose) @ _matrix(box.center)[:, 3]
    bounds = middle[:3] + np.stack([-size, size]) / 2
    return ObjectModel(name, 0, float(np.linalg.norm(size)), bounds, bounds.copy(), bounds.copy())
