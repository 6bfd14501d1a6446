"""Rotations, rigid transforms and pinhole cameras."""
