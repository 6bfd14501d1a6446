"""Synthetic images with everything that is known of them, and the endless batches a network is trained on."""

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

from pose_regressor.network.config import DENSE_STRIDE, NetworkConfig
from pose_regressor.types import FloatArray
from pose_regressor_training.blender.photoreal import Photoreal
from pose_regressor_training.meshes.mesh import Mesh
from pose_regressor_training.processes.children import deaf_children, heed_parent
from pose_regressor_training.randomize.develop import photograph
from pose_regressor_training.randomize.scene import Drawn, SceneSampler
from pose_regressor_training.randomize.views import FRAME_WIDTH, Kind, Models, WindowSpec, projected_boxes
from pose_regressor_training.raytracer.raytracer import Raytracer
from pose_regressor_training.scenes import NONE, Renderer, Rendering

#: An object of which less than this share is seen is neither an example nor a counterexample.
MIN_VISIBLE = 0.2


@dataclass(frozen=True, eq=False)
class Samples:
    """B images and what they show.

    image: (B, 3, H, W) uint8 RGB, on the renderer's device; rendering: its buffers; drawn: the scenes, which object
    stands in which place, and the cameras.
    """

    image: Tensor
    rendering: Rendering
    drawn: Drawn


class Generator:
    """Draws, renders and photographs. Keep one for each process.

    device: as torch names it; photoreal: renders the colours in the ray tracer's place, and must be one of
    `sampler.meshes(meshes)` and the sampler's pictures.
    """

    def __init__(
        self,
        sampler: SceneSampler,
        meshes: Sequence[Mesh],
        device: str | torch.device = "cpu",
        photoreal: Photoreal | None = None,
    ) -> None:
        self.sampler = sampler
        if photoreal:
            self.raytracer = photoreal.raytracer
        else:
            self.raytracer = Raytracer(sampler.meshes(meshes), sampler.pictures.bank, str(device))
        self.renderer: Renderer = photoreal or self.raytracer

    def windows(self, rng: np.random.Generator, count: int, spec: WindowSpec) -> Samples:
        """`count` windows as a network looks at them."""
        return self.taken(self.sampler.windows(rng, count, spec), spec.size, spec.size)

    def frames(
        self,
        rng: np.random.Generator,
        count: int,
        width: int,
        height: int,
        objects: tuple[int, int],
        camera_matrix: FloatArray | None = None,
    ) -> Samples:
        """`count` whole frames with `objects` (fewest, most); see `SceneSampler.frames`."""
        return self.taken(self.sampler.frames(rng, count, width, height, objects, camera_matrix), height, width)

    def taken(self, drawn: Drawn, height: int, width: int) -> Samples:
        """What was drawn, rendered and photographed."""
        rendering = self.renderer.render(drawn.scenes, height, width)
        image = photograph(rendering.color, drawn.shots)
        inside = torch.from_numpy(inside_frame(drawn.views.frame, height, width)).to(image.device)
        return Samples(image * inside[:, None], rendering, drawn)


def inside_frame(frame: NDArray, height: int, width: int) -> NDArray[np.bool_]:
    """(B, H, W) which pixels lie within frames (B, 4) x0, y0, x1, y1; the runtime fills the others with black."""
    x0, y0, x1, y1 = (edge[:, None] for edge in frame.T)
    columns, rows = np.arange(width), np.arange(height)
    return ((rows > y0) & (rows < y1))[:, :, None] & ((columns > x0) & (columns < x1))[:, None]


@dataclass(frozen=True, eq=False)
class Batch:
    """B labelled windows of S pixels.

    image: (B, 3, S, S) uint8 RGB; kind: (B,) see Kind; box: (B, 4) x0, y0, x1, y1 of the whole object; mask: (B, S/2,
    S/2) bool, visible pixels; coordinates: (B, 3, S/2, S/2) object coordinates in metres where the mask is set;
    cam_from_obj: (B, 4, 4); camera_matrix: (B, 3, 3) of the window; model: (B,) which object. other_model (B, K) and
    other_box (B, K, 4): the known objects that stand around as clutter; NONE where there is nothing of the kind.
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
    """The labels of windows."""
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
    # A window without its object is no example of that if the object stands there as clutter.
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
    """(B, K) known objects in the places of the clutter, else NONE, and (B, K, 4) their boxes."""
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
    """Scenes of batches number `start` to `stop`. Batch i depends on the seed and on i alone, whatever the number of
    workers. sampler: takes seconds to make, so it may be shared; part (i, n): every n-th scene of each batch, from
    number i on, for one of n processes that share the work.
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
            # Drawing takes hundredths of what rendering does: all are drawn, and some of them rendered.
            yield drawn if self.part == (0, 1) else drawn.every(*self.part)


class SyntheticBatches(IterableDataset[Batch]):
    """The same as labelled images, rendered where they are asked for: in the workers, or on the `device`."""

    def __init__(self, scenes: SceneBatches, meshes: Sequence[Mesh], device: str | torch.device = "cpu") -> None:
        self.scenes, self.meshes, self.device = scenes, meshes, torch.device(device)

    def __iter__(self) -> Iterator[Batch]:
        if get_worker_info():
            cv2.setNumThreads(0)
        return self._rendered(self.scenes)

    def loader(self, workers: int) -> Iterable[Batch]:
        """Batches in order. The workers draw and render; for a GPU they only draw, and this process renders on it."""
        data: IterableDataset = self if self.device.type == "cpu" else self.scenes
        loader = _Loader(
            data,
            batch_size=None,
            num_workers=workers,
            prefetch_factor=4 if workers else None,
            worker_init_fn=_begin,
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


def _ahead(batches: Iterator[Batch], device: torch.device) -> Iterator[Batch]:
    """The same, each rendered while the one before is learnt from: on a stream of its own, where its uploads wait for
    nothing but its own kernels.
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
            getattr(batch, f.name).record_stream(learning)  # its memory is not to be used anew before
        after = following()
        yield batch
        batch = after
