"""The terms of the multi-task objective, by name. Lengths are scaled by the object: 0.1 means 0.1 diameters."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, smooth_l1_loss

from pose_regressor.geometry.rotation import matrix_from_6d, rotation_to_ray
from pose_regressor.model.config import BOX_STRIDE
from pose_regressor.model.heads import BoxOutput, PoseOutput
from pose_regressor_training.randomize.views import Kind
from pose_regressor_training.synthetic import Batch

#: Weights of the terms; they bring each to the same order of magnitude at the start of a training.
WEIGHTS = {"presence": 0.5, "box": 0.5, "mask": 1.0, "coordinates": 3.0, "rotation": 1.0, "location": 2.0}


def total(terms: dict[str, Tensor]) -> Tensor:
    return torch.stack([WEIGHTS[name] * value for name, value in terms.items()]).sum()


def box_terms(output: BoxOutput, batch: Batch) -> dict[str, Tensor]:
    """Presence: penalty-reduced focal loss over cells. Box: L1 in strides and log size, near the centre ([DPR]: L_b).

    Zhou et al., Objects as Points, arXiv 1904.07850, eq. 1. One object a window: channel 0.
    """
    logits, boxes = output.logits[:, 0].float(), output.boxes[:, 0].float()
    present = (batch.kind == Kind.LOOK) | (batch.kind == Kind.FIND)
    centre = (batch.box[:, :2] + batch.box[:, 2:]) / 2 / BOX_STRIDE
    size = (batch.box[:, 2:] - batch.box[:, :2]) / BOX_STRIDE
    height, width = logits.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(height, device=logits.device), torch.arange(width, device=logits.device), indexing="ij"
    )
    cells = torch.stack([x, y]).float()  # (2, h, w)
    offset = centre[:, :, None, None] - cells
    nearest = centre.round()[:, :, None, None] - cells  # exactly 0 in the cell that holds the centre
    sigma = (size.amin(1) / 8).clamp(min=0.6)[:, None, None]
    heat = torch.exp(-nearest.square().sum(1) / (2 * sigma.square())) * present[:, None, None]
    probability = logits.sigmoid().clamp(1e-5, 1 - 1e-5)
    positive = heat >= 0.9999
    focal = torch.where(
        positive,
        -(1 - probability).square() * probability.log(),
        -(1 - heat).pow(4) * probability.square() * (1 - probability).log(),
    )
    counted = (batch.kind != Kind.IGNORE)[:, None, None]
    presence = (focal * counted).sum() / (positive & counted).sum().clamp(min=1)
    near = (nearest.square().sum(1) <= 2.5) & present[:, None, None]
    target = torch.cat([offset, size.clamp(min=0.1).log()[:, :, None, None].expand(-1, -1, height, width)], dim=1)
    error = smooth_l1_loss(boxes, target, reduction="none", beta=0.1).sum(1)
    return {"presence": presence, "box": (error * near).sum() / near.sum().clamp(min=1)}


def pose_terms(output: PoseOutput, batch: Batch, bounds: Tensor, points: Tensor, diameter: float) -> dict[str, Tensor]:
    """Mask, dense coordinates, [DPR]'s L_r over the rotated points, and location, on the windows that LOOK.

    bounds: (2, 3), points: (P, 3), diameter: of the object, metres.
    """
    look = batch.kind == Kind.LOOK
    judged = look | (batch.kind == Kind.EMPTY)
    mask = binary_cross_entropy_with_logits(output.mask[judged, 0].float(), batch.mask[judged].float())

    centre, half = bounds.mean(0), (bounds[1] - bounds[0]) / 2
    seen = (batch.mask & look[:, None, None])[:, None]
    target = (batch.coordinates - centre[:, None, None]) / half[:, None, None]
    error = smooth_l1_loss(output.coordinates[:, 0].float(), target, reduction="none", beta=0.02)
    coordinates = (error * seen).sum() / (3 * seen.sum()).clamp(min=1)

    pose, camera = batch.cam_from_obj[look], batch.camera_matrix[look]
    at = (pose[:, :3, :3] @ centre) + pose[:, :3, 3]
    allocentric = rotation_to_ray(at).mT @ pose[:, :3, :3]
    predicted = matrix_from_6d(output.rotation_6d[look, 0].float())
    rotation = ((predicted - allocentric) @ points.T).norm(dim=1).mean() / diameter

    crop = batch.image.shape[-1]
    pixel = (camera @ at.unsqueeze(-1)).squeeze(-1)
    shift = (pixel[:, :2] / pixel[:, 2:] - (crop - 1) / 2) / crop
    focal = (camera[:, 0, 0] * camera[:, 1, 1]).sqrt()
    apparent = (focal * diameter / (at[:, 2] * crop)).log()
    wanted = torch.cat([shift, apparent.unsqueeze(1)], dim=1)
    location = smooth_l1_loss(output.location[look, 0].float(), wanted, beta=0.02, reduction="none").sum(1).mean()
    return {"mask": mask, "coordinates": coordinates, "rotation": rotation, "location": location}
