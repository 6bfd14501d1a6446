"""Operators: check, dispatch, compute."""
