"""Makes one host's scenes with several processes; what an earlier run left is kept."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from pose_regressor.files.io import read_json, replacing, write_text
from pose_regressor.types import InputError
from pose_regressor_training.bop.models_info import ModelInfo, read_models_info, write_models_info
from pose_regressor_training.bop.ply_writer import ply_files
from pose_regressor_training.bop.reader import SCENE_GT, model_path, models_info_path, scene_folder
from pose_regressor_training.bop.records import one_line_each
from pose_regressor_training.generate.plan import Chunk, Job, Shard, difference
from pose_regressor_training.generate.worker import Worker, read_records, record_path, start, unfinished, work
from pose_regressor_training.generate.writer import DEPTH_SCALE, ImageRecord, SceneWriter
from pose_regressor_training.meshes.symmetry import Symmetries
from pose_regressor_training.processes.children import deaf_children
from pose_regressor_training.processes.signals import stop_requests
from pose_regressor_training.randomize.scene import SceneSampler
from pose_regressor_training.randomize.views import draw_frame_cameras

MANIFEST = "generate.json"


@dataclass(frozen=True)
class Task:
    """A dataset's folder and the part of it to make.

    folder: of the dataset
    job: the whole dataset
    symmetries: of each object
    shard: the part to make
    workers: number of processes; 1: this one makes all
    device: of the ray tracer
    resume: whether to go on with a dataset that is there
    """

    folder: Path
    job: Job
    symmetries: tuple[Symmetries, ...]
    shard: Shard
    workers: int
    device: str
    resume: bool

    @property
    def split(self) -> Path:
        return self.folder / self.job.split

    @property
    def scenes(self) -> list[Path]:
        return [scene_folder(self.split, scene_id) for scene_id in self.shard.scenes(self.job)]


def generate(task: Task, progress: Callable[[int], None] = lambda _: None) -> None:
    """Make what is missing of the task's scenes. progress: called with the number of images that are there.

    The dataset does not depend on shards, workers or interruptions. Raises InputError if the folder holds another
    dataset, or this one without `resume`, or cannot be written to.
    """
    scenes = task.shard.scenes(task.job)
    _claim(task)
    left: dict[int, list[Chunk]] = {}
    done = 0
    for scene_id in scenes:
        chunks = task.job.chunks(scene_id)
        left[scene_id] = _missing(scene_folder(task.split, scene_id), chunks)
        done += sum(chunk.count for chunk in set(chunks).difference(left[scene_id]))
        if not left[scene_id]:
            _complete(task, scene_id)
    progress(done)
    for chunk in _made(task, [chunk for chunks in left.values() for chunk in chunks]):
        done += chunk.count
        progress(done)
        left[chunk.scene_id].remove(chunk)
        if not left[chunk.scene_id]:
            _complete(task, chunk.scene_id)


def _missing(scene: Path, chunks: list[Chunk]) -> list[Chunk]:
    """Chunks that are not there yet. Removes files that a killed process left half written."""
    if (scene / SCENE_GT).exists():
        return []
    workplace = unfinished(scene)
    try:
        workplace.mkdir(parents=True, exist_ok=True)
        for path in workplace.iterdir():
            if path.suffix != ".json" or path.name.startswith("."):
                path.unlink(missing_ok=True)  # a process of the killed run may still be ending
    except OSError as error:
        raise InputError(f"{workplace}: cannot be written ({error.strerror or error})") from None
    return [chunk for chunk in chunks if not record_path(scene, chunk).exists()]


def _claim(task: Task) -> None:
    """Write what belongs to the whole dataset, or check that it is there already."""
    manifest = task.folder / MANIFEST
    if task.folder.exists() and not task.folder.is_dir():
        raise InputError(f"{task.folder}: expected a folder to write to, this is a file")
    if manifest.exists():
        if differs := difference(read_json(manifest), task.job.manifest()):
            raise InputError(f"{task.folder}: holds another dataset ({differs}); go on with its own options, or "
                             "choose another folder")  # fmt: skip
        if not task.resume and any(scene.exists() for scene in task.scenes):
            raise InputError(f"{task.folder}: holds this dataset already, or a part of it; --resume goes on with it")
    elif task.folder.exists() and any(path for path in task.folder.iterdir() if not path.name.startswith(".")):
        raise InputError(f"{task.folder}: expected an empty folder or a dataset to resume, found something else")
    else:
        write_text(manifest, json.dumps(task.job.manifest(), indent=1) + "\n")
    _write_models(task)


def _write_models(task: Task) -> None:
    job = task.job
    infos = {
        model.obj_id: ModelInfo(model.diameter, model.bounds, symmetries)
        for model, symmetries in zip(job.models, task.symmetries, strict=True)
    }
    for model, mesh in zip(job.models, job.meshes, strict=True):
        path = model_path(task.folder, model.obj_id)
        if path.exists():
            continue
        for name, content in reversed(ply_files(mesh, path.stem).items()):  # the mesh last: once it is there, all is
            with replacing(path.with_name(name)) as temporary:
                temporary.write_bytes(content)
    path = models_info_path(task.folder)
    if path.exists() and not _same(read_models_info(path), infos):
        raise InputError(f"{path}: has other symmetries than are asked for now; choose another folder")
    write_models_info(path, infos)
    write_text(task.folder / "camera.json", one_line_each(_camera(job)))


def _same(one: Mapping[int, ModelInfo], other: Mapping[int, ModelInfo]) -> bool:
    """Whether objects and symmetries are the same, to the precision of the file."""
    if one.keys() != other.keys():
        return False
    turns = ((one[key].symmetries.discretised(), other[key].symmetries.discretised()) for key in one)
    return all(a.shape == b.shape and np.allclose(a, b, atol=1e-4) for a, b in turns)


def _camera(job: Job) -> dict[str, float]:
    """The content of BOP's camera.json. If each image has its own camera, the mean of many that are drawn."""
    matrix = job.camera_matrix
    if matrix is None:
        rng = np.random.default_rng(job.seed)
        matrix = draw_frame_cameras(job.config.pose, rng, 1000, job.width, job.height).mean(0)
    numbers = {"fx": matrix[0, 0], "fy": matrix[1, 1], "cx": matrix[0, 2], "cy": matrix[1, 2]}
    return {"width": job.width, "height": job.height, "depth_scale": DEPTH_SCALE} | {
        key: round(float(value), 6) for key, value in numbers.items()
    }


def _complete(task: Task, scene_id: int) -> None:
    """Write the scene's JSON files from its chunks' records unless they are there, and remove the records."""
    scene = scene_folder(task.split, scene_id)
    if not (scene / SCENE_GT).exists():
        records: dict[int, ImageRecord] = {}
        for chunk in task.job.chunks(scene_id):
            records |= read_records(scene, chunk)
        names = {model.obj_id: model.name for model in task.job.models}
        SceneWriter(scene, unfinished(scene), task.job.suffix).write_lists(task.job.split, names, records)
    shutil.rmtree(unfinished(scene), ignore_errors=True)


def _made(task: Task, todo: list[Chunk]) -> Iterator[Chunk]:
    """Makes chunks and yields each one that is done."""
    if not todo:
        return
    # Made once for all processes: drawing its pictures takes several seconds.
    sampler = SceneSampler(task.job.config, task.job.models, task.job.seed)
    make = partial(Worker, task.job, sampler, task.split, task.device)
    if task.workers == 1:
        worker = make()
        for chunk in todo:
            worker.make(chunk)
            yield chunk
        return
    # A forked process would inherit locks that threads of torch and Warp hold, but not these threads.
    pool = ProcessPoolExecutor(task.workers, multiprocessing.get_context("spawn"), start, (make,))
    try:
        with stop_requests(), deaf_children():  # an interrupted start of the pool would hang
            futures = [pool.submit(work, chunk) for chunk in todo]
        for future in as_completed(futures):
            yield future.result()
    except BrokenProcessPool:
        raise InputError(
            f"{task.folder}: a process that makes images died (killed, or out of memory); --resume goes on"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
