"""The multi-task network: one backbone, a box head for any image size, pose heads for the crop around an object."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pose_regressor.network.backbone import Backbone
from pose_regressor.network.config import NetworkConfig
from pose_regressor.network.heads import BoxHead, DenseHead, RegressionHead, UpStep
from pose_regressor.network.outputs import BoxOutput, PoseOutput
from pose_regressor.network.weights import pyramid_channels


class PoseNetwork(nn.Module):
    """`find` searches whole frames for objects; `forward` looks at crops and gives all outputs.

    Both take (B, 3, H, W) uint8 RGB and share their layers. H and W of frames are multiples of 32; crops are squares of
    ``config.crop_size`` pixels.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: NetworkConfig, objects: int) -> None:
        super().__init__()
        self.config = config
        self.objects = objects
        self.backbone = Backbone(config.width, config.blocks)
        stride2, stride4, stride8, stride16, stride32 = self.backbone.channels
        wide = pyramid_channels(config.width)
        self.up16 = UpStep(stride32, stride16, wide[3])
        self.up8 = UpStep(wide[3], stride8, wide[2])
        self.up4 = UpStep(wide[2], stride4, wide[1])
        self.up2 = UpStep(wide[1], stride2, wide[0])
        self.stride8_channels = wide[2]
        self.box_head = BoxHead(wide[2], objects)
        self.dense_head = DenseHead(wide[0], objects)
        self.regression_head = RegressionHead(stride32, config.crop_size // 32, objects)
        # Not among the weights: the configuration holds them.
        self.register_buffer("mean", torch.tensor(config.mean).view(3, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(config.std).view(3, 1, 1) * 255, persistent=False)

    def _pyramid8(self, image: Tensor) -> tuple[list[Tensor], Tensor]:
        dtype = self.backbone.conv1.weight.dtype
        normalised = ((image - self.mean) / self.std).to(dtype, memory_format=torch.channels_last)
        features = self.backbone(normalised)
        return features, self.up8(self.up16(features[4], features[3]), features[2])

    def find(self, image: Tensor) -> BoxOutput:
        return self.box_head(self._pyramid8(image)[1])

    def forward(self, crop: Tensor) -> tuple[BoxOutput, PoseOutput]:
        boxes, poses, _ = self.forward_and_features(crop)
        return boxes, poses

    def forward_and_features(self, crop: Tensor) -> tuple[BoxOutput, PoseOutput, Tensor]:
        """The outputs of `forward`, and the pyramid's map (B, C, S/8, S/8), for further tasks in training."""
        features, stride8 = self._pyramid8(crop)
        stride2 = self.up2(self.up4(stride8, features[1]), features[0])
        coordinates, mask, certainty = self.dense_head(stride2)
        rotation_6d, location = self.regression_head(features[4])
        return self.box_head(stride8), PoseOutput(coordinates, mask, certainty, rotation_6d, location), stride8
