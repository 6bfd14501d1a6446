"""Losses that compare silhouettes: of projected points ([DPR]'s projection loss) and of a mesh (the render loss)."""

from pose_regressor.ops.projection.loss import KERNELS, projection_loss

__all__ = ["KERNELS", "projection_loss"]
