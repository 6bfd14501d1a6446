"""How well the poses received on /tf fit the true ones, and how much of the clip the node looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pose_regressor.geometry.errors import add, rotation_error, translation_error
from pose_regressor.geometry.rigid import rigid
from pose_regressor.geometry.so3 import from_quaternion
from pose_regressor.types import FloatArray, InputError, ObjectModel

if TYPE_CHECKING:
    from pose_regressor.middleware.messages.transforms import StampedTransform

#: The demo passes if the object is found in LEAST_FOUND of the answered images, and LEAST_CLOSE of these poses have an
#: ADD under CLOSE diameters. Images that the node skipped do not count.
LEAST_FOUND = 0.90
#: With --depth, this share of the images must have come with depth.
LEAST_WITH_DEPTH = 0.90
LEAST_CLOSE = 0.85
CLOSE = 0.1


@dataclass(frozen=True)
class Image:
    """One image as it was played. index: frame number; stamp: ns since the epoch; rate: images a second intended at
    that moment."""

    index: int
    stamp: int
    rate: float


@dataclass(frozen=True, eq=False)
class FrameResult:
    """What came of one image. All but `index` and `answered` are None if no pose came.

    index: frame number
    answered: the node looked at it, whether or not it found the object
    cam_from_obj: (4, 4), metres
    add: mean distance of the model's points from where they truly are, in diameters (Hinterstoisser et al., ACCV 2012)
    rotation_deg: angle between the two rotations, degrees
    translation_mm: distance between the two origins, mm
    latency_ms: from the image's stamp to the transform's arrival, ms
    """

    index: int
    answered: bool = False
    cam_from_obj: FloatArray | None = None
    add: float | None = None
    rotation_deg: float | None = None
    translation_mm: float | None = None
    latency_ms: float | None = None

    @property
    def found(self) -> bool:
        return self.cam_from_obj is not None


@dataclass(frozen=True)
class Summary:
    """The figures of a whole clip. A figure is None if there is nothing to take it of.

    played: images that were played
    answered: share of the played images that the node looked at
    found: share of the answered images in which it found the object
    close: share of the found ones with an ADD under CLOSE diameters
    add_median: diameters; rotation_deg_median: degrees; translation_mm_median: mm; all of the found ones
    rates: images a second that the player intended, in the order in which it lowered them
    played_per_second: what came of it, over the whole clip
    latency_ms_p50, latency_ms_p99: percentiles, of the found ones
    with_depth: share of the images that the node looked at and for which it had depth; None: the demo was without
    """

    played: int
    answered: float
    found: float | None
    close: float | None
    add_median: float | None
    rotation_deg_median: float | None
    translation_mm_median: float | None
    rates: tuple[float, ...]
    played_per_second: float
    latency_ms_p50: float | None
    latency_ms_p99: float | None
    with_depth: float | None = None

    @property
    def failure(self) -> str:
        """Why the demo failed, as half a sentence; "" if it did not. Speed is never a reason."""
        if self.found is None:
            return f"the node answered none of the {self.played} images"
        if self.found < LEAST_FOUND:
            return (
                f"the object was found in {self.found:.1%} of the images that the node answered, "
                f"expected at least {LEAST_FOUND:.0%}"
            )
        if self.close is None or self.close < LEAST_CLOSE:
            return (
                f"{self.close or 0:.1%} of the poses found are accurate (ADD under {CLOSE:g} diameters), "
                f"expected at least {LEAST_CLOSE:.0%}"
            )
        if self.with_depth is not None and self.with_depth < LEAST_WITH_DEPTH:
            return f"the node had depth for {self.with_depth:.1%} of the images, expected {LEAST_WITH_DEPTH:.0%}"
        return ""

    @property
    def good(self) -> bool:
        return not self.failure


def evaluate(
    model: ObjectModel,
    truth: Mapping[int, FloatArray],
    images: Sequence[Image],
    answered: set[int],
    transforms: Sequence[StampedTransform],
) -> list[FrameResult]:
    """The result of every image that was played and has a true pose.

    truth: cam_from_obj by frame number
    answered: stamps of the images that the node answered; those with a transform count as answered too
    transforms: of several for an image the first counts
    """
    arrived: dict[int, StampedTransform] = {}
    for transform in transforms:
        if transform.child.startswith(f"{model.name}_"):
            arrived.setdefault(transform.stamp, transform)
    results = []
    for image in sorted((image for image in images if image.index in truth), key=lambda image: image.index):
        if image.stamp in arrived:
            results.append(_compare(model, image.index, truth[image.index], arrived[image.stamp]))
        else:
            results.append(FrameResult(image.index, image.stamp in answered))
    return results


def _compare(model: ObjectModel, index: int, true: FloatArray, transform: StampedTransform) -> FrameResult:
    pose = rigid(from_quaternion(transform.quaternion), transform.translation)
    return FrameResult(
        index,
        answered=True,
        cam_from_obj=pose,
        add=add(pose, true, model.points) / model.diameter,
        rotation_deg=float(np.degrees(rotation_error(pose, true))),
        translation_mm=1e3 * translation_error(pose, true),
        latency_ms=1e-6 * (transform.received - transform.stamp),
    )


def summarise(results: Sequence[FrameResult], images: Sequence[Image], with_depth: float | None = None) -> Summary:
    """with_depth: as in Summary. InputError: there is no result."""
    if not results:
        raise InputError("demo: expected frames with a true pose in scene_gt.json, none was played")
    answered = [result for result in results if result.answered]
    found = [result for result in answered if result.found]

    def percentile(name: str, percent: float) -> float | None:
        values = [getattr(result, name) for result in found]
        return float(np.percentile(values, percent)) if values else None

    stamps = sorted(image.stamp for image in images)
    seconds = 1e-9 * (stamps[-1] - stamps[0])
    return Summary(
        played=len(results),
        answered=len(answered) / len(results),
        found=len(found) / len(answered) if answered else None,
        close=sum(result.add < CLOSE for result in found if result.add is not None) / len(found) if found else None,
        add_median=percentile("add", 50),
        rotation_deg_median=percentile("rotation_deg", 50),
        translation_mm_median=percentile("translation_mm", 50),
        rates=tuple(dict.fromkeys(image.rate for image in images)),
        played_per_second=(len(stamps) - 1) / seconds if seconds > 0 else 0.0,
        latency_ms_p50=percentile("latency_ms", 50),
        latency_ms_p99=percentile("latency_ms", 99),
        with_depth=with_depth,
    )
