"""The sum of all loss terms. Lengths are in diameters of the object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from pose_regressor.geometry.rotation import matrix_from_6d, rotation_to_ray
from pose_regressor.network.outputs import BoxOutput, PoseOutput
from pose_regressor.ops.regression import decode_regression
from pose_regressor.settings import Config, number
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
class Weights(Config):
    """Weights of the terms; 0 leaves a term out. With the defaults all terms begin at one order of magnitude."""

    scope: ClassVar[str] = "losses."

    presence: float = number(1.0, "whether the object is there; one answer for each cell of a grid over the image")
    box: float = number(0.5, "box around the object ([DPR]: L_b)")
    mask: float = number(1.0, "which cells of a crop show the object")
    coordinates: float = number(3.0, "point of the object that each cell shows, in the object's coordinates")
    certainty: float = number(0.1, "how certain the network is of these coordinates")
    rotation: float = number(1.0, "regressed rotation as a matrix ([DPR]: L_r)")
    quaternion: float = number(0.0, "regressed rotation as a quaternion ([DPR]: L_q)")
    location: float = number(2.0, "regressed location ([DPR]: L_t)")
    projection: float = number(
        0.0, "silhouette of the object in the regressed pose, against the true one ([DPR]: L_PL)"
    )
    regularization: float = number(
        0.01,
        "the first two columns of the regressed rotation matrix: how far from length 1, and from a right angle to each "
        "other ([DPR]: L_reg)",
    )
    regions: float = number(1.0, "which of 64 regions of the surface each cell shows; only the training uses this head")
    pose: float = number(1.0, "ADD of the pose that PnP finds; BPnP gives the gradient")
    reprojection: float = number(
        0.0,
        "distance between the points that the pose of PnP projects and those that the true pose projects ([BPnP]: "
        "l_p); together with `losses.coordinates` it is the mixture loss of [BPnP]",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not any(self.to_dict().values()):
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
