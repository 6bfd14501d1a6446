"""The losses of where objects are in the window: presence and box of every cell."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot, smooth_l1_loss

from pose_regressor.network.config import BOX_STRIDE
from pose_regressor.network.outputs import BoxOutput
from pose_regressor_training.processes.torchrun import share_of
from pose_regressor_training.randomize.views import Kind
from pose_regressor_training.samples.batches import Batch


def presence_and_box(output: BoxOutput, batch: Batch) -> tuple[Tensor, Tensor]:
    """Focal loss of the presence in every cell and channel, and L1 loss of the box near the object's centre ([DPR]:
    L_b).

    The focal loss is penalty-reduced: Zhou et al., Objects as Points, arXiv 1904.07850, eq. 1. Cells within the box of
    another known object, which stands there by chance, do not count in that object's channel. Boxes are compared in
    strides and in logarithms of the size.
    """
    logits = output.logits.float()
    objects, height, width = logits.shape[1:]
    own = one_hot(batch.model, objects).bool()[:, :, None, None]
    present = (batch.kind == Kind.LOOK) | (batch.kind == Kind.FIND)
    centre = (batch.box[:, :2] + batch.box[:, 2:]) / 2 / BOX_STRIDE
    size = (batch.box[:, 2:] - batch.box[:, :2]) / BOX_STRIDE
    y, x = torch.meshgrid(
        torch.arange(height, device=logits.device), torch.arange(width, device=logits.device), indexing="ij"
    )
    cells = torch.stack([x, y]).float()  # (2, h, w)
    offset = centre[:, :, None, None] - cells
    nearest = centre.round()[:, :, None, None] - cells  # exactly 0 in the cell that holds the centre
    sigma = (size.amin(1) / 8).clamp(min=0.6)[:, None, None]
    heat = torch.exp(-nearest.square().sum(1) / (2 * sigma.square())) * present[:, None, None]
    heat = heat[:, None] * own
    counted = (batch.kind != Kind.IGNORE)[:, None, None, None] & ~_others(batch, cells, objects)
    probability = logits.sigmoid().clamp(1e-5, 1 - 1e-5)
    positive = (heat >= 0.9999) & counted
    focal = torch.where(
        positive,
        -(1 - probability).square() * probability.log(),
        -(1 - heat).pow(4) * probability.square() * (1 - probability).log(),
    )
    presence = (focal * counted).sum() / share_of(positive.sum())

    near = (nearest.square().sum(1) <= 2.5) & present[:, None, None]
    target = torch.cat([offset, size.clamp(min=0.1).log()[:, :, None, None].expand(-1, -1, height, width)], dim=1)
    boxes = output.boxes[torch.arange(len(batch.model), device=logits.device), batch.model].float()
    error = smooth_l1_loss(boxes, target, reduction="none", beta=0.1).sum(1)
    return presence, (error * near).sum() / share_of(near.sum())


def _others(batch: Batch, cells: Tensor, objects: int) -> Tensor:
    """(B, O, h, w) whether a cell lies in the box of a known object other than the window's own."""
    low, high = (corner[..., None, None] / BOX_STRIDE for corner in batch.other_box.split(2, dim=2))
    inside = ((cells >= low) & (cells <= high)).all(2).float()  # (B, K, h, w)
    which = one_hot(batch.other_model.clamp(min=0), objects) * (batch.other_model >= 0)[..., None]
    return torch.einsum("bkhw,bko->bohw", inside, which.float()) > 0
