"""What both fusion nodes do with the cameras' poses, in neither's words: detections in, fused poses out."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from pose_regressor.fusion import fuse_views, in_frame
from pose_regressor.middleware.fusion_parameters import FusionConfig
from pose_regressor.middleware.messages import NANOSECONDS, stamp_from_message
from pose_regressor.middleware.transform_tree import rigid
from pose_regressor.middleware.worker import Log, Throttle
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
    """What cameras saw at one moment."""

    first: int
    last: int
    views: dict[str, list[PoseEstimate]] = field(default_factory=dict)


class FusionCore:
    """Give each vision_msgs/Detection3DArray to `on_detections`, from any thread.

    A moment is published once every camera that took part in one lately has told of it, or when one of them tells of
    the next.
    """

    def __init__(
        self, config: FusionConfig, models: Sequence[ObjectModel], lookup: Lookup, publish: Publish, log: Log
    ) -> None:
        self._config, self._lookup, self._publish = config, lookup, publish
        self._models = {model.name: model for model in models}
        self._warn = Throttle(log.warning)
        self._tracks = Tracks(TrackingParameters())
        self._window = round(config.window * NANOSECONDS)
        self._moment: _Gathered | None = None
        self._done: int | None = None
        self._cameras: deque[frozenset[str]] = deque(maxlen=REMEMBERED)
        self._lock = threading.Lock()
        #: Moments published, and messages dropped by reason.
        self.counts: Counter[str] = Counter()

    def on_detections(self, msg: Any) -> None:
        try:
            camera, stamp = str(msg.header.frame_id), stamp_from_message(msg.header.stamp)
            if not camera:
                raise InputError("detections: expected a frame_id in their header, got none")
            common_from_camera = self._lookup(self._config.fixed_frame, camera, stamp)
            view = [in_frame(self._estimate(d), common_from_camera) for d in msg.detections if d.results]
        except InputError as error:
            self.drop(str(error))
            return
        with self._lock:
            if self._done is not None and 0 <= self._done - stamp < LATE * NANOSECONDS:
                self.drop("detections: late, their moment is done")
                return
            self._gather(camera, stamp, view)

    def drop(self, reason: str) -> None:
        """Count and say a message that cannot be used."""
        key = reason.split(",")[0]
        self.counts[key] += 1
        self._warn(key, f"dropped: {reason}")

    def _gather(self, camera: str, stamp: int, view: list[PoseEstimate]) -> None:
        moment = self._moment
        if moment and (
            camera in moment.views or stamp - moment.first > self._window or moment.last - stamp > self._window
        ):
            self._finish(moment)
            moment = None
        if moment is None:
            moment = self._moment = _Gathered(stamp, stamp)
        moment.first, moment.last = min(stamp, moment.first), max(stamp, moment.last)
        moment.views[camera] = view
        expected = frozenset().union(*self._cameras)
        if len(self._cameras) == REMEMBERED and expected <= moment.views.keys():
            self._finish(moment)

    def _finish(self, moment: _Gathered) -> None:
        self._moment, self._done = None, moment.last
        self._cameras.append(frozenset(moment.views))
        fused = fuse_views(moment.views.values())
        self._tracks.advance(moment.last)
        poses = self._tracks.take(fused, THRESHOLD, self._config.smooth)
        self.counts["published"] += 1
        self._publish(Moment(moment.last, self._config.fixed_frame), poses)

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
