"""The sum of all loss terms. Lengths are in diameters of the object."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from pose_regressor.estimation.decode import decode_regression
from pose_regressor.geometry.rotation import matrix_from_6d, rotation_to_ray
from pose_regressor.network.heads import BoxOutput, PoseOutput
from pose_regressor.types import InputError
from pose_regressor_training.losses import correspondences, poses
from pose_regressor_training.losses.boxes import presence_and_box
from pose_regressor_training.losses.objects import ObjectTensors
from pose_regressor_training.losses.regions import regions_surprise
from pose_regressor_training.losses.symmetry import nearest_equal
from pose_regressor_training.processes.torchrun import share_of
from pose_regressor_training.randomize.views import Kind
from pose_regressor_training.samples.batches import Batch


@dataclass(frozen=True)
class Weights:
    """Of each term; 0 switches it off. The defaults bring all to one order of magnitude at the start of a training.

    presence; box: [DPR]'s L_b; mask; coordinates, certainty: dense correspondences; rotation: L_r; quaternion: L_q;
    location: L_t; projection: L_PL of the regressed pose; regularization: L_reg; regions: which part of the surface a
    cell shows, asked of a head that is for training alone; pose: ADD of the pose by BPnP; reprojection: [BPnP]'s l_p.
    With `coordinates` and `reprojection` both, it is [BPnP]'s mixture.
    """

    presence: float = 1.0
    box: float = 0.5
    mask: float = 1.0
    coordinates: float = 3.0
    certainty: float = 0.1
    rotation: float = 1.0
    quaternion: float = 0.0
    location: float = 2.0
    projection: float = 0.0
    regularization: float = 0.01
    regions: float = 1.0
    pose: float = 1.0
    reprojection: float = 0.0

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
                raise InputError(f"losses.{f.name}: expected a weight of at least 0, got {value!r}")
        if not any(asdict(self).values()):
            raise InputError("losses: expected at least one weight above 0")


def total(terms: dict[str, Tensor], weights: Weights) -> Tensor:
    """The weighted sum of the terms."""
    return torch.stack([getattr(weights, name) * value for name, value in terms.items()]).sum()


def objective(
    boxes: BoxOutput,
    poses_output: PoseOutput,
    batch: Batch,
    objects: ObjectTensors,
    weights: Weights,
    regions: Tensor | None = None,
) -> dict[str, Tensor]:
    """The terms whose weight is not 0, by name. Each is a mean over the windows that it applies to.

    boxes, poses_output: of the network
    batch: the windows and their labels
    objects: of the network
    weights: of the terms
    regions: (B, O, REGIONS, S/8, S/8) logits of a `RegionHead`; None leaves that term out
    """
    presence, box = presence_and_box(boxes, batch)
    terms = {"presence": presence, "box": box} | _pose_terms(poses_output, batch, objects, weights, regions)
    return {name: value for name, value in terms.items() if getattr(weights, name) > 0}


def _pose_terms(
    output: PoseOutput, batch: Batch, objects: ObjectTensors, weights: Weights, regions: Tensor | None
) -> dict[str, Tensor]:
    """All terms but those of the boxes, compared with the one of the equal poses that the network means."""
    rows = torch.arange(len(batch.model), device=batch.model.device)
    coordinates, mask, certainty, rotation_6d, location = (
        getattr(output, name)[rows, batch.model].float()
        for name in ("coordinates", "mask", "certainty", "rotation_6d", "location")
    )
    objects, camera, size = objects.of(batch.model), batch.camera_matrix, batch.image.shape[-1]
    look = batch.kind == Kind.LOOK
    seen = batch.mask & look[:, None, None]

    def mean(value: Tensor, over: Tensor = look) -> Tensor:
        return torch.where(over, value, 0.0).sum() / share_of(over.sum())

    at = (batch.cam_from_obj[:, :3, :3] @ objects.centre.unsqueeze(2)).squeeze(2) + batch.cam_from_obj[:, :3, 3]
    rotation = rotation_to_ray(at) @ matrix_from_6d(rotation_6d)
    equal = nearest_equal(coordinates, rotation, seen, batch.coordinates, batch.cam_from_obj, objects)
    pose = batch.cam_from_obj @ equal
    shown = (batch.coordinates - equal[:, :3, 3, None, None]).flatten(2)
    true = (equal[:, :3, :3].mT @ shown).unflatten(2, seen.shape[1:])

    error = correspondences.coordinates_error(coordinates, true, objects)
    judged = look | (batch.kind == Kind.EMPTY)
    masks = binary_cross_entropy_with_logits(mask, batch.mask.float(), reduction="none").mean((1, 2))
    wanted = poses.location_target(pose, camera, size, objects)
    terms = {
        "mask": mean(masks, judged),
        "coordinates": correspondences.coordinates_distance(error, seen),
        "certainty": correspondences.certainty_surprise(error, certainty, seen),
        "rotation": mean(poses.rotation_distance(rotation, pose[:, :3, :3], objects)),
        "quaternion": mean(poses.quaternion_distance(rotation, pose[:, :3, :3])),
        "location": mean(poses.location_distance(location, wanted)),
        "regularization": mean(poses.raw_rotation_size(rotation_6d)),
    }
    if weights.regions and regions is not None:
        terms["regions"] = regions_surprise(regions[rows, batch.model], true, seen, objects)
    if weights.projection:
        regressed = decode_regression(rotation_6d, location, camera, size, objects.centre, objects.diameter)
        terms["projection"] = mean(poses.silhouette_distance(regressed, pose, camera, size, objects))
    if weights.pose or weights.reprojection:
        solved = correspondences.solve_pose(coordinates, certainty, seen, pose, camera, objects)
        terms["pose"] = mean(correspondences.points_distance(solved, pose, objects))
        terms["reprojection"] = mean(correspondences.reprojection_distance(solved, pose, camera, size, objects))
    return terms
