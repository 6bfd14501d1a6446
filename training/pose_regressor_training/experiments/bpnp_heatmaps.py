"""Object pose from heatmaps, end to end: image -> heatmaps -> DSNT -> BPnP, trained with three losses.

l_h compares the heatmaps: the Jensen-Shannon divergence from a Gaussian around each true keypoint. l_p compares only
    the pose: ||project(z|y) - project(z|y*)||², where y is BPnP of the expected places. The mixture is l_h + β l_p; β
    only balances magnitudes (Chen et al., CVPR 2020, application 4). All trainings see the same rendered crops in the
    same order and begin with the same weights. l_p leaves out crops whose points give no pose.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from pose_regressor.geometry.camera import resized_from_image
from pose_regressor.ops.dsnt import expectation, flat_softmax, js_loss
from pose_regressor.ops.pnp import bpnp
from pose_regressor.types import ObjectModel
from pose_regressor_training.experiments.crops import Crops, box, rendered_crops
from pose_regressor_training.experiments.views import Views, arguments, in_camera, seen
from pose_regressor_training.figures import new_figure, print_table, write_figure, write_json

CROP = 64
#: Heatmaps are half as large as the crop. Standard deviation of their targets, heatmap pixels.
STRIDE, SIGMA = 2, 1.0
#: Weights of l_h and l_p. The factor of l_p alone matters little: Adam's steps do not depend on it.
LOSSES = {
    "l_h": (1.0, 0.0),
    "l_p": (0.0, 0.01),
    "l_h + 0.001 l_p": (1.0, 0.001),
    "l_h + 0.01 l_p": (1.0, 0.01),
}


@dataclass(frozen=True)
class Size:
    """How much is trained.

    train, test: crops
    steps: of each training
    batch: crops in a step
    channels: of the network at its finest scale
    """

    train: int = 8000
    test: int = 1000
    steps: int = 1000
    batch: int = 64
    channels: int = 16


QUICK = Size(train=400, test=100, steps=80, batch=32)


class UNet(nn.Module):
    """(B, 3, S, S) -> (B, P, S/2, S/2) logits. Four scales, `channels` at the finest."""

    def __init__(self, points: int, channels: int) -> None:
        super().__init__()
        widths = [channels, 2 * channels, 4 * channels, 6 * channels]
        self.stem = _conv(3, channels, 2)
        self.down = nn.ModuleList(_block(a, b, 2) for a, b in pairwise(widths))
        self.up = nn.ModuleList(_block(a + b, a, 1) for a, b in pairwise(widths))
        self.out = nn.Conv2d(channels, points, 1)

    def forward(self, images: Tensor) -> Tensor:
        maps = [self.stem((images.float() - 110) / 60)]
        for down in self.down:
            maps.append(down(maps[-1]))
        x = maps.pop()
        for up, skip in zip(reversed(self.up), reversed(maps), strict=True):
            x = up(torch.cat([skip, nn.functional.interpolate(x, scale_factor=2.0)], 1))
        return self.out(x)


def _conv(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


def _block(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(_conv(inputs, outputs, stride), _conv(outputs, outputs, 1))


class Targets(NamedTuple):
    """In heatmap pixels, float32.

    points: (B, P, 2)
    camera: (B, 3, 3)
    """

    points: Tensor
    camera: Tensor


def targets_of(crops: Crops) -> Targets:
    window = torch.from_numpy(resized_from_image(1 / STRIDE))
    points = crops.points_2d @ window[:2, :2].mT + window[:2, 2]
    return Targets(points.float(), (window @ crops.camera_matrix).float())


def losses(logits: Tensor, targets: Targets, model_points: Tensor) -> tuple[Tensor, Tensor]:
    """l_h and l_p of a batch, each a mean over the points, l_p over crops with a pose; in heatmap pixels."""
    heatmaps = flat_softmax(logits)
    by_heatmap = js_loss(heatmaps, targets.points, SIGMA).mean()
    pose = bpnp(expectation(heatmaps), model_points, targets.camera)
    at = seen(model_points, Views(pose.rotation, pose.translation), targets.camera)
    squared = (at - targets.points).square().sum(-1).mean(-1)
    # The error of a pose is limited to that of points in the opposite corner of the image.
    counts = pose.converged & (squared.detach() < logits.shape[-1] ** 2)
    return by_heatmap, torch.where(counts, squared, 0.0).sum() / counts.sum().clamp(min=1)


def train(loss: str, crops: Crops, model: ObjectModel, size: Size, seed: int) -> UNet:
    torch.manual_seed(seed)
    network = UNet(len(model.keypoints), size.channels)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, size.steps, pct_start=0.15)
    targets = targets_of(crops)
    points = torch.tensor(model.keypoints, dtype=torch.float32)
    shuffle = torch.Generator().manual_seed(seed)
    of_heatmap, of_pose = LOSSES[loss]
    for _ in range(size.steps):
        index = torch.randint(len(crops.image), (size.batch,), generator=shuffle)
        logits = network(crops.image[index])
        by_heatmap, by_pose = losses(logits, Targets(*(value[index] for value in targets)), points)
        optimizer.zero_grad()
        (of_heatmap * by_heatmap + of_pose * by_pose).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return network.eval()


class Scores(NamedTuple):
    """Of each crop.

    add: (B,) in diameters, infinite without a pose
    point_error: (B,) mean pixels of the crop from the expected places to the truth
    pose_error: (B,) the same from the points projected by the pose
    heatmaps: (B, P, h, w)
    """

    add: Tensor
    point_error: Tensor
    pose_error: Tensor
    heatmaps: Tensor


@torch.no_grad()
def evaluate(network: UNet, crops: Crops, model: ObjectModel) -> Scores:
    heatmaps = torch.cat([flat_softmax(network(part)) for part in crops.image.split(256)])
    targets = targets_of(crops)
    keypoints = torch.tensor(model.keypoints, dtype=torch.float64)
    places, camera = expectation(heatmaps).double(), targets.camera.double()
    pose = bpnp(places, keypoints, camera)
    surface = torch.tensor(model.points, dtype=torch.float64)
    truth = Views(crops.cam_from_obj[:, :3, :3], crops.cam_from_obj[:, :3, 3])
    moved = in_camera(surface, Views(pose.rotation, pose.translation)) - in_camera(surface, truth)
    add = torch.where(pose.converged, moved.norm(dim=-1).mean(-1) / model.diameter, torch.inf)
    at = seen(keypoints, Views(pose.rotation, pose.translation), camera)
    point_error, pose_error = (STRIDE * (x - targets.points).norm(dim=-1).mean(-1) for x in (places, at))
    return Scores(add, point_error, torch.where(pose.converged, pose_error, torch.inf), heatmaps)


def run(seed: int, size: Size) -> tuple[list[dict[str, Any]], dict[str, Scores], Crops]:
    """The rows, the scores of every loss, and the test crops."""
    mesh, model = box()
    crops = rendered_crops(mesh, model, size.train, CROP, seed=2 * seed)
    test = rendered_crops(mesh, model, size.test, CROP, seed=2 * seed + 1)
    rows, scores = [], {}
    for loss in LOSSES:
        began = time.perf_counter()
        network = train(loss, crops, model, size, seed)
        found = evaluate(network, test, model)
        rows.append(
            {
                "loss": loss,
                "add_0.1d_percent": 100 * float((found.add < 0.1).double().mean()),
                "median_add_percent_of_d": 100 * float(found.add.median()),
                "median_pose_error_px": float(found.pose_error.median()),
                "median_point_error_px": float(found.point_error.median()),
                "minutes": (time.perf_counter() - began) / 60,
            }
        )
        scores[loss] = found
    return rows, scores, test


def draw(folder: Path, scores: dict[str, Scores], test: Crops) -> None:
    figure, axes = new_figure(13, 2.9, 1, 5)
    truth = targets_of(test).points[0]
    for place, (loss, found) in zip(axes[0], scores.items(), strict=False):
        place.imshow(test.image[0].permute(1, 2, 0), extent=(-0.5, 31.5, 31.5, -0.5))
        sum_of = found.heatmaps[0].sum(0)
        place.imshow(sum_of, cmap="inferno", alpha=0.6, vmax=float(sum_of.quantile(0.995)))
        place.plot(*truth.T, "o", color="w", markerfacecolor="none", markersize=5)
        place.set(title=loss, xticks=[], yticks=[])
    for loss, found in scores.items():
        axes[0, 4].plot(100 * found.add.sort().values, torch.linspace(0, 100, len(found.add)), label=loss)
    axes[0, 4].set(xlim=(0, 30), xlabel="ADD (% of the diameter)", ylabel="share of test crops (%)")
    axes[0, 4].legend(fontsize=7)
    write_figure(folder, "bpnp_heatmaps", figure)


def main() -> None:
    chosen = arguments(__doc__).parse_args()
    size = QUICK if chosen.quick else Size()
    rows, scores, test = run(chosen.seed, size)
    print_table("Pose of the box from heatmaps", list(rows[0]), [list(row.values()) for row in rows])
    write_json(chosen.out, "bpnp_heatmaps", {"seed": chosen.seed, **vars(size)}, rows)
    draw(chosen.out, scores, test)


if __name__ == "__main__":
    main()
