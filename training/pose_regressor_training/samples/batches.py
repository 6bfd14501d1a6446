"""Labelled batches of windows: what a network is trained on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from pose_regressor.memory import keep_memory
from pose_regressor.network.config import DENSE_STRIDE, NetworkConfig
from pose_regressor.types import FloatArray
from pose_regressor_training.meshes.mesh import Mesh
from pose_regressor_training.processes.children import child_context, deaf_children, heed_parent
from pose_regressor_training.randomize.scene import Drawn, SceneSampler
from pose_regressor_training.randomize.views import FRAME_WIDTH, Kind, Models, WindowSpec, projected_boxes
from pose_regressor_training.samples.generator import Generator, Samples, inside_frame
from pose_regressor_training.scenes import NONE

#: An object that is less visible than this share is neither an example of a present object nor of an absent one.
MIN_VISIBLE = 0.2


@dataclass(frozen=True, eq=False)
class Batch:
    """B labelled windows of S pixels. B is the number of windows, K that of places for clutter.

    image: (B, 3, S, S) uint8 RGB
    kind: (B,) of Kind
    box: (B, 4) x0, y0, x1, y1 around the whole object, pixels
    mask: (B, S/2, S/2) bool, where the object is visible
    coordinates: (B, 3, S/2, S/2) object coordinates in metres, where the mask is set
    cam_from_obj: (B, 4, 4) true poses, metres
    camera_matrix: (B, 3, 3) of the window
    model: (B,) which object
    other_model: (B, K) known objects among the clutter; NONE where there is none
    other_box: (B, K, 4) their boxes
    """

    image: Tensor
    kind: Tensor
    box: Tensor
    mask: Tensor
    coordinates: Tensor
    cam_from_obj: Tensor
    camera_matrix: Tensor
    model: Tensor
    other_model: Tensor
    other_box: Tensor

    def to(self, device: torch.device) -> Batch:
        return Batch(*(getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)))


def batch_of(samples: Samples, models: Models) -> Batch:
    """The images of windows with their labels. models: of the sampler that drew them."""
    views, rendering, device = samples.drawn.views, samples.rendering, samples.image.device
    height, width = samples.image.shape[2:]
    inside = torch.from_numpy(inside_frame(views.frame, height, width)).to(device)
    mask = (rendering.thing == 0) & inside
    whole = (rendering.covered & 1).sum((1, 2))
    kind = torch.from_numpy(views.kind).to(device)
    hidden = mask.sum((1, 2)) <= MIN_VISIBLE * whole
    kind = torch.where(hidden & (kind != Kind.EMPTY), int(Kind.IGNORE), kind)
    model, cam_from_obj = views.model[:, 0], views.cam_from_obj[:, 0]
    grid = slice(None, None, DENSE_STRIDE)
    other, other_box = _others(samples.drawn, models)
    # A window drawn without its object may still show it as clutter: then it is no example of an absent object.
    stands = torch.from_numpy((other == model[:, None]).any(1)).to(device)
    kind = torch.where(stands & (kind == Kind.EMPTY), int(Kind.IGNORE), kind)

    def floats(array: NDArray) -> Tensor:
        return torch.from_numpy(array).float().to(device)

    return Batch(
        image=samples.image,
        kind=kind,
        box=floats(projected_boxes(models.points[model], cam_from_obj, views.camera_matrix)),
        mask=mask[:, grid, grid],
        coordinates=rendering.position[:, grid, grid].permute(0, 3, 1, 2),
        cam_from_obj=floats(cam_from_obj),
        camera_matrix=floats(views.camera_matrix),
        model=torch.from_numpy(model).to(device),
        other_model=torch.from_numpy(other).to(device),
        other_box=floats(other_box),
    )


def _others(drawn: Drawn, models: Models) -> tuple[NDArray[np.int64], FloatArray]:
    """(B, K) known objects in the places of the clutter, NONE elsewhere, and (B, K, 4) their boxes."""
    own = drawn.views.model.shape[1]
    other, pose = drawn.target[:, own:], drawn.scenes.cam_from_obj[:, own:]
    other = np.where(other < models.targets, other, NONE)
    box = np.zeros((*other.shape, 4))
    there = other != NONE
    rows, _ = np.nonzero(there)
    hull = models.support[other[there]] + models.centre[other[there]][:, None]
    box[there] = projected_boxes(hull, pose[there], drawn.views.camera_matrix[rows])
    return other, box


class SceneBatches(IterableDataset[Drawn]):
    """The scenes of batches `start` to `stop`. Batch i depends only on the seed and on i, whatever the number of
    workers.

    sampler: takes seconds to make, so several of these may share one
    config: of the network, whose windows are drawn
    part: (i, n) gives every n-th scene of each batch, from number i on: the share of one of n processes
    """

    def __init__(
        self,
        sampler: SceneSampler,
        config: NetworkConfig,
        batch_size: int,
        seed: int,
        start: int,
        stop: int,
        part: tuple[int, int] = (0, 1),
    ) -> None:
        self.sampler, self.batch_size, self.seed, self.start, self.stop = sampler, batch_size, seed, start, stop
        self.part = part
        self.spec = WindowSpec(config.crop_size, config.find_size / FRAME_WIDTH, config.crop_margin)

    def __iter__(self) -> Iterator[Drawn]:
        worker = get_worker_info()
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        for index in range(self.start + first, self.stop, step):
            drawn = self.sampler.windows(np.random.default_rng((self.seed, index)), self.batch_size, self.spec)
            # Drawing costs a hundredth of rendering: each process draws all scenes and renders its share.
            yield drawn if self.part == (0, 1) else drawn.every(*self.part)


class SyntheticBatches(IterableDataset[Batch]):
    """The scenes of `SceneBatches`, rendered and labelled.

    Workers render on the CPU; for a GPU, this process renders on the `device`.
    """

    def __init__(self, scenes: SceneBatches, meshes: Sequence[Mesh], device: str | torch.device = "cpu") -> None:
        self.scenes, self.meshes, self.device = scenes, meshes, torch.device(device)

    def __iter__(self) -> Iterator[Batch]:
        if get_worker_info():
            cv2.setNumThreads(0)
        return self._rendered(self.scenes)

    def loader(self, workers: int) -> Iterable[Batch]:
        """Batches in order. Workers draw and render; for a GPU they only draw, and this process renders."""
        data: IterableDataset = self if self.device.type == "cpu" else self.scenes
        loader = _Loader(
            data,
            batch_size=None,
            num_workers=workers,
            prefetch_factor=4 if workers else None,
            worker_init_fn=_begin,
            multiprocessing_context=child_context() if workers else None,
        )
        return loader if data is self else _ahead(self._rendered(loader), self.device)

    def _rendered(self, scenes: Iterable[Drawn]) -> Iterator[Batch]:
        sampler = self.scenes.sampler
        generator = Generator(sampler, self.meshes, self.device)
        for drawn in scenes:
            yield batch_of(generator.taken(drawn, self.scenes.spec.size, self.scenes.spec.size), sampler.models)


class _Loader(DataLoader):
    def __iter__(self) -> Any:
        with deaf_children():
            return super().__iter__()


def _begin(_: int) -> None:
    heed_parent()
    keep_memory()


def _ahead(batches: Iterator[Batch], device: torch.device) -> Iterator[Batch]:
    """The same batches, each rendered while the network learns from the one before.

    Rendering has a CUDA stream of its own, where uploads wait only for the renderer's kernels.
    """
    own = torch.cuda.Stream(device)

    def following() -> Batch | None:
        with torch.cuda.stream(own):
            return next(batches, None)

    batch = following()
    while batch is not None:
        learning = torch.cuda.current_stream(device)
        learning.wait_stream(own)
        for f in fields(batch):
            getattr(batch, f.name).record_stream(learning)  # torch must not reuse its memory before that stream is done
        after = following()
        yield batch
        batch = after
