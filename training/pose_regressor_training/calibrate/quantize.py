"""int8 for a bundle: ranges are measured on synthetic frames, and kept only if the poses stay as good as in float32."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_regressor.estimation.estimator import PoseEstimator
from pose_regressor.network.bundle import Bundle
from pose_regressor.network.graph import range_graph
from pose_regressor.network.outputs import BoxOutput, PoseOutput
from pose_regressor.network.quantization import LEAST_RANGE, Quantization, convolutions
from pose_regressor.network.runners import Runner, choose_execution, open_engine
from pose_regressor.network.weights import Weights
from pose_regressor_training.calibrate.frames import true_frames
from pose_regressor_training.calibrate.metrics import metrics_of
from pose_regressor_training.calibrate.trial import FRAMES, Trial, try_each
from pose_regressor_training.meshes.mesh import Mesh
from pose_regressor_training.randomize.config import RandomizeConfig

#: For each frame of a calibration, this many are searched to compare poses, and to measure ranges: 500 and 64.
COMPARED, MEASURED = 500 / 320, 64 / 320
#: int8 may find at most this share of the objects less than float32.
MOST_LOST = 0.01
#: Poses in int8 count as precise if their errors are, on average, at most this many times those in float32.
PRECISE = 1.05
#: Added to the seed for the frames of the ranges, and for those that are compared on. Others stand in `calibrate`.
RANGE_SEED, COMPARE_SEED = 3, 4


@dataclass(frozen=True, eq=False)
class Quantized:
    """What was decided about int8, and why.

    quantization: what the bundle got; None: too many objects are lost in int8, or none is found at all
    exact, whole: what was found in float32, and in int8; None if the ranges could not be measured
    """

    quantization: Quantization | None
    exact: Trial | None = None
    whole: Trial | None = None

    def in_words(self) -> str:
        if self.exact is None or self.whole is None:
            return "int8: not offered: too little was found in the frames to measure ranges"
        exact, whole = metrics_of(self.exact), metrics_of(self.whole)
        share = "found_within_0.1d"
        found = f"{100 * whole.get(share, 0):.1f} % of {whole['objects']} objects ({100 * exact.get(share, 0):.1f} %)"
        turn, shift = ("median_rotation_error_deg", "median_translation_error_mm")
        errors = [f"{one.get(turn, np.nan):.2f}° and {one.get(shift, np.nan):.2f} mm" for one in (whole, exact)]
        ratios = " and ".join(f"{ratio:.3f}" for ratio in error_ratios(self.exact, self.whole))
        verdict = "not offered"
        if self.quantization:
            verdict = "offered" if self.quantization.precise else "offered, but less precise, so auto does not take it"
        return (
            f"int8: {verdict}: finds (in float32) {found}; median errors {errors[0]} ({errors[1]}); of the same object "
            f"{ratios} times as large"
        )


def quantize(
    bundle: Bundle,
    meshes: Sequence[Mesh],
    seed: int,
    frames: int | None = None,
    config: RandomizeConfig | None = None,
    device: str = "cpu",
    progress: Callable[[int], None] = lambda done: None,
) -> Quantized:
    """Measure what int8 needs, try it out beside float32, and set `bundle.quantization`. Nothing else changes.

    Arguments are those of `calibrate`. progress: called with the number of frames compared, of `compared`. The device
    renders the frames; the network runs on the CPU.

    Raises InputError if this machine does not compute in int8, or if a mesh is not the one of its object.
    """
    choose_execution("openvino", "cpu", "int8", quantization=Quantization({}, precise=True))  # fails if it cannot
    frames, bundle.quantization = frames or FRAMES, None
    ranges = measured_ranges(bundle, meshes, seed + RANGE_SEED, max(round(frames * MEASURED), 1), config, device)
    # If the network never looked at a crop, some are missing.
    if ranges.keys() != set(convolutions(bundle.config, len(bundle.objects))):
        return Quantized(None)
    bundle.quantization = Quantization(ranges, precise=True)
    try:
        # The backend is named: only OpenVINO computes in int8, and both should differ in nothing else.
        pair = [PoseEstimator(bundle, "cpu", backend="openvino", precision=name) for name in ("fp32", "int8")]
        exact, whole = try_each(pair, meshes, seed + COMPARE_SEED, compared(frames), config, device, progress)
        bundle.quantization = verdict(ranges, exact, whole)
    except BaseException:
        bundle.quantization = None
        raise
    return Quantized(bundle.quantization, exact, whole)


def compared(frames: int) -> int:
    """On how many frames poses are compared. frames: of the calibration"""
    return round(frames * COMPARED)


def verdict(ranges: dict[str, float], exact: Trial, whole: Trial) -> Quantization | None:
    """What a bundle gets, by what was found in float32 and in int8 in the same frames."""
    before, after = metrics_of(exact), metrics_of(whole)
    found = "found_within_0.1d"
    if not before.get(found) or after.get(found, 0) < before[found] - MOST_LOST:
        return None
    return Quantization(ranges, all(ratio <= PRECISE for ratio in error_ratios(exact, whole)))


def error_ratios(exact: Trial, whole: Trial) -> tuple[float, float]:
    """How many times as large errors in int8 are: rotation and translation, geometric means over objects; NaN for none.

    Only objects count that both found. The medians of all would differ by chance: a few other objects that are found
    move them by as much as int8 may.
    """
    first, second = ({found.place: found for found in trial.found if found.right} for trial in (exact, whole))
    both = [(found, second[place]) for place, found in first.items() if place in second]
    if not both:
        return np.nan, np.nan
    errors = np.array([[(one.rotation, one.translation) for one in pair] for pair in both])
    rotation, translation = np.exp(np.log(errors[:, 1] / errors[:, 0]).mean(axis=0))
    return float(rotation), float(translation)


def measured_ranges(
    bundle: Bundle, meshes: Sequence[Mesh], seed: int, frames: int, config: RandomizeConfig | None, device: str
) -> dict[str, float]:
    """Name of each convolution that ran in a search of the frames -> the largest magnitude of its input."""
    estimator = _Watching(bundle)
    for true in true_frames(bundle, meshes, seed, frames, config, device):
        estimator.estimate(true.frame)
    return {name: float(f"{max(largest, LEAST_RANGE):.5g}") for name, largest in estimator.ranges.items()}


class _Watching(PoseEstimator):
    """An estimator that keeps the largest magnitude of each convolution's input in `ranges`."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle, "cpu", precision="fp32")
        self.ranges: dict[str, float] = {}
        networks = self._observer.networks
        networks[:] = [replace(one, runner=_Watched(one.runner, bundle.weights, self.ranges)) for one in networks]


class _Watched:
    """A runner whose images are also shown to the graphs that tell ranges."""

    def __init__(self, runner: Runner, weights: Weights, ranges: dict[str, float]) -> None:
        self._runner, self._ranges = runner, ranges
        graphs = {entry: range_graph(weights, entry) for entry in ("find", "look")}
        self._watchers = {entry: (open_engine(graph), names) for entry, (graph, names) in graphs.items()}

    def find(self, image: NDArray[np.uint8]) -> BoxOutput[NDArray[np.float32]]:
        self._watch("find", image)
        return self._runner.find(image)

    def __call__(self, crop: NDArray[np.uint8]) -> tuple[BoxOutput[Any], PoseOutput[Any]]:
        self._watch("look", crop)
        return self._runner(crop)

    def _watch(self, entry: str, images: NDArray[np.uint8]) -> None:
        engine, names = self._watchers[entry]
        for name, largest in zip(names, engine(images), strict=True):
            self._ranges[name] = max(self._ranges.get(name, 0.0), float(largest))
