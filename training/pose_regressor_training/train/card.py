"""The card that goes with a bundle: what it knows, how it was made, what it scored, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pose_regressor.network.bundle import Bundle

METRICS = {
    "synthetic_add_0.1d": "poses within ADD(-S) 0.1 diameter, crops of the generator",
    "synthetic_add_0.1d_regression": "the same by regression alone",
    "synthetic_presence_recall": "present objects with presence above 0.5",
    "synthetic_false_alarms": "empty crops with presence above 0.5",
}


def _beside(training: Mapping[str, Any]) -> str:
    return f", beside {', '.join(f'`{name}`' for name in training['beside'])}" if training["beside"] else ""


def card(bundle: Bundle, command: str) -> str:
    """Markdown. command: the one that trained the bundle."""
    training, objects = bundle.training, bundle.objects
    parameters = sum(p.numel() for p in bundle.network.parameters()) / 1e6
    lines = [f"# {', '.join(model.name for model in objects)}", ""]
    for model in objects:
        size = " x ".join(f"{1000 * edge:.0f}" for edge in model.size)
        lines.append(f"- `{model.name}`, id {model.obj_id}: {size} mm, diameter {1000 * model.diameter:.1f} mm.")
    meshes = ", ".join(f"`{name}`" for name in training["meshes"])
    lines += [
        f"- Network: {parameters:.1f} M parameters, crops of {bundle.config.crop_size} pixels.",
        f"- Data: {training['samples_rendered']} images rendered from {meshes} and randomized, learnt from "
        f"{training['samples_seen']} times in all{_beside(training)}; no real image.",
        f"- Seed {training['seed']}, started from {training['start']}, trained on {training['device']}.",
        f"- Command: `{command}`",
        "",
        "| scored | share |",
        "|---|---|",
    ]
    lines += [f"| {METRICS[name]} | {100 * value:.1f} % |" for name, value in bundle.metrics.items()]
    return "\n".join(lines) + "\n"
