"""One followed object: its motion, whether it is confirmed, and since when it was not seen."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from pose_regressor.geometry.rigid import difference
from pose_regressor.tracking.kalman import nearest
from pose_regressor.tracking.motion import MotionFilter, MotionNoise
from pose_regressor.tracking.trembling import Trembling
from pose_regressor.types import FloatArray, ObjectModel, PoseEstimate


@dataclass(frozen=True)
class TrackingParameters:
    """When a pose belongs to a track, when a track begins and ends.

    Neighbouring frames look alike, so the network errs alike in them, and averaging over time does not remove that part
    of the error. Where poses are seen to tremble more, `independent` and `leap` are raised.

    noise: how objects move
    gate: largest squared Mahalanobis distance between a pose and its track's prediction; 99.9 % of chi-square with 6
        degrees of freedom
    independent: share of a pose's standard deviation that is new in each frame
    leap: the same in frames in which the network's answer jumps although the picture hardly changes
    leaps: share of such frames
    hits: poses in a row that confirm a track; one is enough if its score is at least halfway from the threshold to 1
    coast, misses: a track ends when it was not seen for more than this many seconds and at least this many frames
    patience: seconds that a track must be unseen before `hits` poses that contradict it are believed
    bridge: seconds for which the expected pose is reported in place of a contradicting one at the same place
    sudden: seconds for which the object may have moved at a speed that was not expected
    """

    noise: MotionNoise = field(default_factory=MotionNoise)
    gate: float = 22.46
    independent: float = 0.2
    leap: float = 0.7
    leaps: float = 0.1
    hits: int = 3
    coast: float = 1.0
    misses: int = 3
    patience: float = 0.5
    bridge: float = 0.12
    sudden: float = 0.05

    @property
    def new_share(self) -> float:
        """Share of a pose's variance that is new in each frame, on average."""
        return (1 - self.leaps) * self.independent**2 + self.leaps * self.leap**2


class Track:
    """An object that was seen at least once. instance: its number; None until the track is confirmed."""

    def __init__(self, seen: PoseEstimate, sure: bool, parameters: TrackingParameters) -> None:
        self.model: ObjectModel = seen.model
        self.instance: int | None = None
        self._parameters = parameters
        self._hits = parameters.hits if sure else 0
        self._rival: Track | None = None
        self._seen: PoseEstimate
        self._filter: MotionFilter
        self._trembling: Trembling
        self._restart(seen)

    @property
    def confirmed(self) -> bool:
        return self._hits >= self._parameters.hits

    @property
    def ended(self) -> bool:
        if not self.confirmed:
            return self._misses > 0
        return self._misses >= self._parameters.misses and self.unseen > self._parameters.coast

    @property
    def pose(self) -> FloatArray:
        """(4, 4) the expected pose."""
        return self._filter.state.pose

    @property
    def in_sight(self) -> bool:
        """Whether its place is known well enough to look only there, not at the whole image."""
        sideways = math.sqrt(self._filter.state.covariance[:2, :2].diagonal().max())
        nearest = (self.model.points @ self.pose[2, :3]).min() + self.pose[2, 3] if len(self.model.points) else 1.0
        return bool(sideways < self.model.diameter / 2 and nearest > 0)

    def expected(self, score: float = 1.0) -> PoseEstimate:
        """The expected pose as an estimate, so that the estimator can look there."""
        number = -1 if self.instance is None else self.instance
        return replace(self._seen, cam_from_obj=self.pose, covariance=self._covariance, score=score, instance=number)

    def advance(self, seconds: float) -> None:
        """Go on by `seconds`."""
        self._filter.predict(seconds)
        self.unseen += seconds
        if self._rival:
            self._rival.advance(seconds)

    def lose_time(self) -> None:
        """The time that has passed is unknown: the motion starts afresh from the next pose."""
        self.unseen = math.inf
        self._rival = None

    @property
    def timeless(self) -> bool:
        return math.isinf(self.unseen)

    def cost(self, seen: PoseEstimate) -> float:
        """Twice the negative logarithm of this pose's likelihood, up to a constant; infinite beyond the gate."""
        if self.timeless:
            return math.inf
        seen = nearest(seen, self.pose)
        # As if their errors were independent. Poses with common errors are even nearer to each other.
        spread = self._covariance + seen.covariance + self._jerk()
        apart = difference(seen.cam_from_obj, self.pose)
        surprise = float(apart @ np.linalg.solve(spread, apart))
        return surprise + float(np.linalg.slogdet(spread)[1]) if surprise < self._parameters.gate else math.inf

    def distance(self, seen: PoseEstimate) -> float:
        """Metres between this pose and the expected one."""
        return float(np.linalg.norm(seen.translation - self.pose[:3, 3]))

    def in_place(self, seen: PoseEstimate) -> bool:
        """Whether a contradicting pose puts the object at the same place, while the expected pose is still reliable.

        Then the network more likely mistook one face for another than that the object turned.
        """
        return self.distance(seen) < self.model.diameter / 2 and self.unseen <= self._parameters.bridge

    def match(self, seen: PoseEstimate) -> None:
        """Take in a pose in which it was seen again."""
        self._seen = nearest(seen, self.pose)
        self._trembling.see(self._seen.cam_from_obj, self._seen.covariance, self.unseen)
        new = self._trembling.excess * self._seen.covariance
        usual, leap, leaps = self._parameters.independent, self._parameters.leap, self._parameters.leaps
        self._filter.update(self._seen.cam_from_obj, [usual**2 * new, leap**2 * new], (1 - leaps, leaps))
        self._count_hit()

    def miss(self) -> None:
        """Count a frame in which it was looked for and not seen."""
        self._misses += 1

    def contradict(self, seen: PoseEstimate) -> bool:
        """Take in a pose that may be this object elsewhere or turned; returns whether it is believed now."""
        if self.timeless:
            self._restart(nearest(seen, self.pose))
            return True
        rival = self._rival
        if rival is None or not math.isfinite(rival.cost(seen)):
            self._rival = Track(seen, False, self._parameters)
            return False
        rival.match(seen)
        if not (rival.confirmed and self.unseen >= self._parameters.patience):
            return False
        self._filter, self._seen, self._trembling = rival._filter, rival._seen, rival._trembling
        self._count_hit()
        return True

    def report(self, smooth: bool) -> PoseEstimate:
        """The last pose with its number: smooth: the filter's; else as it was measured."""
        seen = replace(self._seen, instance=self.instance or 0)
        return replace(seen, cam_from_obj=self.pose, covariance=self._covariance) if smooth else seen

    def _jerk(self) -> FloatArray:
        """(6, 6) added to its covariance for a sudden change of motion: objects are snatched up and put down."""
        noise = self._parameters.noise
        speed = np.repeat([noise.speed, noise.angular_speed], 3)
        return np.diag((speed * min(self.unseen, self._parameters.sudden)) ** 2)

    @property
    def _covariance(self) -> FloatArray:
        """(6, 6) of the expected pose: the filter's, plus the part of the error that it cannot average away."""
        common = 1 - self._parameters.independent**2
        return self._filter.state.pose_covariance + common * self._seen.covariance

    def _restart(self, seen: PoseEstimate) -> None:
        independent = self._parameters.independent**2 * seen.covariance
        self._seen = seen
        self._trembling = Trembling(self._parameters.new_share)
        self._filter = MotionFilter(seen.cam_from_obj, independent, self._parameters.noise)
        self._count_hit()

    def _count_hit(self) -> None:
        self._hits += 1
        self._misses = 0
        self.unseen = 0.0
        self._rival = None
