"""Losses that compare silhouettes: of projected points ([DPR]'s projection loss) and of a mesh (the render loss)."""

from pose_regressor.ops.projection.loss import KERNELS, Kernel, projection_loss
from pose_regressor.ops.projection.render import MeshEdges, mesh_edges, render_loss

__all__ = ["KERNELS", "Kernel", "MeshEdges", "mesh_edges", "projection_loss", "render_loss"]
