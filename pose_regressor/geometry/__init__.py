"""Rotations, rigid transforms and pinhole cameras in torch: any batch shape, float32 and float64."""
