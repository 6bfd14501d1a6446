"""Differentiable layers: PnP, the projection loss, DSNT. Each checks its inputs, dispatches, computes."""
