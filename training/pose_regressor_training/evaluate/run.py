"""Runs a bundle on every image of a dataset's targets and writes its poses as a BOP result CSV."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from pose_regressor.estimation.estimator import PoseEstimator
from pose_regressor.files.bop import ImageResult, result_writer
from pose_regressor.tracking.tracker import Tracker
from pose_regressor.types import Camera, Frame, InputError
from pose_regressor_training.evaluate.dataset import EvaluationSet

#: Each image by itself, or one after the other as a video.
METHODS = ("frames", "tracker")


def write_results(
    dataset: EvaluationSet,
    estimator: PoseEstimator,
    path: str | Path,
    method: str = "frames",
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Write the poses that the estimator finds.

    method: frames, each image by itself; tracker, one after the other, starting anew in every scene
    progress: called with the number of images done
    """
    if method not in METHODS:
        raise InputError(f"method {method!r}: expected one of {', '.join(METHODS)}")
    images = {(target.scene_id, target.im_id): target.scene for target in dataset.targets}
    tracker, followed = Tracker(estimator), -1
    with result_writer(path) as add:
        for done, (scene_id, im_id) in enumerate(sorted(images), start=1):
            scene = images[scene_id, im_id]
            image = scene.image(im_id)
            frame = Frame(image, Camera(image.shape[1], image.shape[0], scene.cameras[im_id]), index=im_id)
            if scene_id != followed:
                tracker.reset()
                followed = scene_id
            started = time.perf_counter()
            estimates = tracker.update(frame) if method == "tracker" else estimator.estimate(frame)
            add(ImageResult(scene_id, im_id, estimates, time.perf_counter() - started))
            progress(done)
