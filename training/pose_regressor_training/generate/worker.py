"""One process's share of the work: draws, renders and writes chunks of images."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch

from pose_regressor_training.blender.photoreal import Photoreal
from pose_regressor_training.bop.reader import scene_folder
from pose_regressor_training.bop.records import one_line_each
from pose_regressor_training.generate.annotate import AnnotatedImage, Annotator
from pose_regressor_training.generate.plan import Chunk, Job
from pose_regressor_training.generate.writer import ImageRecord, SceneWriter
from pose_regressor_training.processes.children import heed_parent
from pose_regressor_training.randomize.scene import SceneSampler
from pose_regressor_training.samples.generator import Generator
from pose_regressor_training.samples.sensor_depth import SensorDepth, guessed_albedo


def unfinished(scene: Path) -> Path:
    """The folder in which an unfinished scene keeps files that are not for readers."""
    return scene / ".unfinished"


def record_path(scene: Path, chunk: Chunk) -> Path:
    """The file with what the scene's JSON files will say of a chunk; it exists once all its images do."""
    return unfinished(scene) / f"{chunk.first:06d}.json"


class Worker:
    """Makes chunks of a dataset. Takes a second or two to set up.

    job: the dataset
    sampler: of the job's objects
    split: folder of the scenes
    device: of the ray tracer
    """

    def __init__(self, job: Job, sampler: SceneSampler, split: Path, device: str) -> None:
        self._job, self._split = job, split
        photoreal = None
        if job.renderer == "photoreal":
            photoreal = Photoreal(sampler.meshes(job.meshes), sampler.pictures.bank, threads=1)
        self._generator = Generator(sampler, job.meshes, device, photoreal)
        obj_ids = [model.obj_id for model in job.models]
        self._annotator = Annotator(self._generator.raytracer, job.meshes, obj_ids)
        # The job has checked the name.
        self._sensor = None if job.sensor == "none" else SensorDepth(job.sensor)  # type: ignore[arg-type]

    def make(self, chunk: Chunk) -> None:
        job = self._job
        scene = scene_folder(self._split, chunk.scene_id)
        writer = SceneWriter(scene, unfinished(scene), job.suffix)
        rng = np.random.default_rng((job.seed, chunk.number))
        samples = self._generator.frames(rng, chunk.count, job.width, job.height, job.objects, job.camera_matrix)
        records = {
            str(im_id): writer.write_image(im_id, self._measured(image, chunk.scene_id, im_id))
            for im_id, image in enumerate(self._annotator.images(samples), start=chunk.first)
        }
        writer.write(record_path(scene, chunk), one_line_each(records).encode())

    def _measured(self, image: AnnotatedImage, scene_id: int, im_id: int) -> AnnotatedImage:
        """The image with the sensor's depth, if there is a sensor."""
        if self._sensor is None:
            return image
        # Numbers of its own: all else is the same with and without a sensor. The 1 tells it from a chunk's numbers.
        rng = np.random.default_rng((self._job.seed, scene_id, im_id, 1))
        albedo = guessed_albedo(image.color)
        return replace(image, measured=self._sensor.measure(image.depth, image.camera_matrix, rng, albedo))


def read_records(scene: Path, chunk: Chunk) -> dict[int, ImageRecord]:
    return {int(im_id): record for im_id, record in json.loads(record_path(scene, chunk).read_text()).items()}


_worker: Worker | None = None


def start(make: Callable[[], Worker]) -> None:
    """Set up a worker process. It computes in one thread."""
    global _worker
    heed_parent()
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    _worker = make()


def work(chunk: Chunk) -> Chunk:
    assert _worker is not None, "the process was not started with start()"
    _worker.make(chunk)
    return chunk
