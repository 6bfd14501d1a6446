"""How well poses received on /tf fit the true ones."""

from __future__ import annotations

import math
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

#: What counts as working: share of frames with a pose, share of frames with an ADD under CLOSE diameters.
LEAST_FOUND = 0.90
LEAST_CLOSE = 0.85
CLOSE = 0.1


@dataclass(frozen=True, eq=False)
class FrameResult:
    """One frame; all None where no pose came. cam_from_obj: (4, 4), metres; add: mean distance of the model's points
    from where they truly are (Hinterstoisser et al., ACCV 2012), in diameters; latency: from the image's stamp to the
    transform's arrival."""

    index: int
    cam_from_obj: FloatArray | None = None
    add: float | None = None
    rotation_deg: float | None = None
    translation_mm: float | None = None
    latency_ms: float | None = None


@dataclass(frozen=True)
class Summary:
    """Shares are of all frames; medians and percentiles of the frames with a pose, None where there is none."""

    frames: int
    found: float
    close: float
    add_median: float | None
    rotation_deg_median: float | None
    translation_mm_median: float | None
    frames_per_second: float
    latency_ms_p50: float | None
    latency_ms_p99: float | None

    @property
    def good(self) -> bool:
        return self.found >= LEAST_FOUND and self.close >= LEAST_CLOSE


def evaluate(
    model: ObjectModel,
    truth: Mapping[int, FloatArray],
    stamps: Mapping[int, int],
    transforms: Sequence[StampedTransform],
) -> list[FrameResult]:
    """The result of every frame that was played and has a true pose.

    truth: cam_from_obj by frame; stamps: frame by stamp. Of several transforms for a frame the first counts.
    """
    arrived: dict[int, StampedTransform] = {}
    for transform in transforms:
        if transform.child.startswith(f"{model.name}_") and transform.stamp in stamps:
            arrived.setdefault(stamps[transform.stamp], transform)
    frames = sorted(set(stamps.values()) & truth.keys())
    return [_compare(model, index, truth[index], arrived.get(index)) for index in frames]


def _compare(model: ObjectModel, index: int, true: FloatArray, transform: StampedTransform | None) -> FrameResult:
    if transform is None:
        return FrameResult(index)
    pose = rigid(from_quaternion(np.array(transform.quaternion)), np.array(transform.translation))
    return FrameResult(
        index,
        cam_from_obj=pose,
        add=add(pose, true, model.points) / model.diameter,
        rotation_deg=math.degrees(rotation_error(pose, true)),
        translation_mm=1e3 * translation_error(pose, true),
        latency_ms=1e-6 * (transform.received - transform.stamp),
    )


def summarise(results: Sequence[FrameResult], transforms: Sequence[StampedTransform]) -> Summary:
    if not results:
        raise InputError("demo: no frame was played that has a true pose in scene_gt.json")
    found = [result for result in results if result.add is not None]

    def percentile(name: str, percent: float) -> float | None:
        values = [getattr(result, name) for result in found]
        return float(np.percentile(values, percent)) if values else None

    first = {transform.stamp: transform.received for transform in reversed(transforms)}
    arrivals = sorted(first.values())
    seconds = 1e-9 * (arrivals[-1] - arrivals[0]) if arrivals else 0.0
    return Summary(
        frames=len(results),
        found=len(found) / len(results),
        close=sum(result.add < CLOSE for result in found if result.add is not None) / len(results),
        add_median=percentile("add", 50),
        rotation_deg_median=percentile("rotation_deg", 50),
        translation_mm_median=percentile("translation_mm", 50),
        frames_per_second=(len(arrivals) - 1) / seconds if seconds > 0 else 0.0,
        latency_ms_p50=percentile("latency_ms", 50),
        latency_ms_p99=percentile("latency_ms", 99),
    )
