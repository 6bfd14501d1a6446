"""Perspective-n-point as a layer: `bpnp` finds the pose of 2D-3D correspondences and its covariance, with gradients."""

from pose_regressor.ops.pnp.layer import PnPResult, bpnp
from pose_regressor.ops.pnp.ransac import Consensus, ransac_pnp
from pose_regressor.ops.pnp.robust import RobustLoss
from pose_regressor.ops.pnp.status import Status

__all__ = ["Consensus", "PnPResult", "RobustLoss", "Status", "bpnp", "ransac_pnp"]
