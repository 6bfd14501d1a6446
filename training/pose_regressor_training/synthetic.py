"""Endless training batches from one mesh: rendered, randomized and labelled as they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from pose_regressor.model.config import DENSE_STRIDE, NetworkConfig
from pose_regressor.types import ObjectModel
from pose_regressor_training.randomize.background import PictureBank
from pose_regressor_training.randomize.camera import photograph
from pose_regressor_training.randomize.light import random_look
from pose_regressor_training.randomize.occlusion import occluder_color, random_occluder, random_shadow
from pose_regressor_training.randomize.views import FRAME_WIDTH, Kind, View, projected_box, random_view
from pose_regressor_training.render.mesh import Mesh
from pose_regressor_training.render.single import Raytracer

#: An object of which less than this share is seen is neither an example nor a counterexample.
MIN_VISIBLE = 0.2


@dataclass(frozen=True, eq=False)
class Batch:
    """B labelled windows of S pixels.

    image: (B, 3, S, S) uint8 RGB; kind: (B,) see Kind; box: (B, 4) x0, y0, x1, y1 of the whole object; mask: (B, S/2,
    S/2) bool, visible pixels; coordinates: (B, 3, S/2, S/2) object coordinates in metres where the mask is set;
    cam_from_obj: (B, 4, 4); camera_matrix: (B, 3, 3) of the window.
    """

    image: Tensor
    kind: Tensor
    box: Tensor
    mask: Tensor
    coordinates: Tensor
    cam_from_obj: Tensor
    camera_matrix: Tensor

    def to(self, device: torch.device) -> Batch:
        return Batch(*(getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)))


class SyntheticBatches(IterableDataset[Batch]):
    """Batches number `start` to `stop`. Batch i depends on the seed and on i alone, whatever the number of workers."""

    def __init__(
        self, mesh: Mesh, model: ObjectModel, config: NetworkConfig, batch_size: int, seed: int, start: int, stop: int
    ) -> None:
        self.mesh, self.model, self.config = mesh, model, config
        self.batch_size, self.seed, self.start, self.stop = batch_size, seed, start, stop
        self.bank = PictureBank(seed)

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        if worker:
            cv2.setNumThreads(0)
        raytracer = Raytracer(self.mesh)
        for index in range(self.start + first, self.stop, step):
            yield self._batch(np.random.default_rng((self.seed, index)), raytracer)

    def _batch(self, rng: np.random.Generator, raytracer: Raytracer) -> Batch:
        size = self.config.crop_size
        find_scale = self.config.find_size / FRAME_WIDTH
        margin = self.config.crop_margin
        views = [random_view(rng, self.model, size, find_scale, margin) for _ in range(self.batch_size)]
        cam_from_obj = np.stack([view.cam_from_obj for view in views])
        camera_matrix = np.stack([view.camera_matrix for view in views])
        looks = np.stack([random_look(rng) for _ in views])
        rendered = raytracer.render(cam_from_obj, camera_matrix, looks, size, size)
        images, masks, boxes, kinds = [], [], [], []
        for view, color, depth in zip(views, rendered.color, rendered.depth, strict=True):
            box = projected_box(self.model, view.cam_from_obj, view.camera_matrix)
            image, mask = self._compose(rng, view, color, depth > 0, box)
            images.append(photograph(rng, image, view.detail))
            masks.append(mask)
            boxes.append(box)
            hidden = np.count_nonzero(mask) <= MIN_VISIBLE * np.count_nonzero(depth)
            kinds.append(Kind.IGNORE if hidden and view.kind != Kind.EMPTY else view.kind)
        visible = np.stack(masks)
        grid = slice(None, None, DENSE_STRIDE)
        return Batch(
            image=torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous(),
            kind=torch.tensor(kinds),
            box=torch.from_numpy(np.stack(boxes)).float(),
            mask=torch.from_numpy(visible[:, grid, grid]),
            coordinates=torch.from_numpy(rendered.position[:, grid, grid]).permute(0, 3, 1, 2),
            cam_from_obj=torch.from_numpy(cam_from_obj).float(),
            camera_matrix=torch.from_numpy(camera_matrix).float(),
        )

    def _compose(
        self, rng: np.random.Generator, view: View, color: NDArray, mask: NDArray, box: NDArray
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Background, object, shadow and occluders -> colours in [0, 1] and the mask of what is still visible."""
        size = self.config.crop_size
        image = self.bank.cut(rng, size).astype(np.float32) * np.float32(rng.uniform(0.3, 1.1) / 255)
        inside = self._frame(view)
        if view.kind == Kind.EMPTY:
            mask = np.zeros_like(mask)
        else:
            alpha = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.6)[..., None]
            # The blurred alpha reaches one pixel over the edge, where nothing was rendered: repeat the edge's colours.
            spread = cv2.dilate(color, np.ones((3, 3), np.uint8))
            image += alpha * (np.where(mask[..., None], color, spread) - image)
        if rng.random() < 0.3:
            image *= random_shadow(rng, size)
        drawn = max(1, int(np.count_nonzero(mask)))
        for _ in range(int(rng.choice(4, p=(0.45, 0.3, 0.15, 0.1)))):
            occluder = random_occluder(rng, size, box)
            left = mask & inside & (occluder < 0.5)
            if np.count_nonzero(left) >= 2 * MIN_VISIBLE * drawn or view.kind == Kind.EMPTY:
                image += occluder[..., None] * (occluder_color(rng, self.bank, size) - image)
                mask = left
        image[~inside] = 0
        return image, mask & inside

    def _frame(self, view: View) -> NDArray[np.bool_]:
        """(S, S) which pixels of the window lie in the camera's frame; the runtime pads the rest with black."""
        place = np.arange(self.config.crop_size)
        x0, y0, x1, y1 = view.frame.tolist()
        return ((place > y0) & (place < y1))[:, None] & ((place > x0) & (place < x1))
