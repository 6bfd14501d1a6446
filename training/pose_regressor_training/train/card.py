"""The card of a bundle: what it knows, how it was made and what it scores, for people to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pose_regressor.network.bundle import Bundle
from pose_regressor_training.calibrate.metrics import metrics_table


def card(bundle: Bundle, command: str) -> str:
    """Markdown. command: the command line that trained the bundle."""
    training, objects = bundle.training, bundle.objects
    parameters = bundle.weights.parameters / 1e6
    lines = [f"# {', '.join(model.name for model in objects)}", ""]
    for model in objects:
        size = " x ".join(f"{1000 * edge:.0f}" for edge in model.size)
        lines.append(f"- `{model.name}`, id {model.obj_id}: {size} mm, diameter {1000 * model.diameter:.1f} mm.")
    meshes = ", ".join(f"`{name}`" for name in training["meshes"])
    lines += [
        f"- Network: {parameters:.1f} M parameters, crops of {bundle.config.crop_size} pixels.",
        f"- Data: {training['samples_rendered']} images rendered from {meshes} and randomized, learnt from "
        f"{training['samples_seen']} times in all{_beside(training)}; {_real_images(training)}.",
        f"- Seed {training['seed']}, started from {training['start']}, trained on {training['device']}.",
        f"- Command: `{command}`",
        f"- Distances by PnP are multiplied with {bundle.depth_scale:g}. This factor, the scores and the covariances "
        "were calibrated on other synthetic frames than those of the table.",
        "",
        *metrics_table(bundle),
    ]
    return "\n".join(lines) + "\n"


def start_card(bundle: Bundle, command: str) -> str:
    """Markdown about a start network. command: the command line that trained it."""
    training = bundle.training
    parameters = bundle.weights.parameters / 1e6
    lines = [
        "# start",
        "",
        "The network that other trainings start from. It knows no object.",
        "",
        f"- Network: {parameters:.1f} M parameters, crops of {bundle.config.crop_size} pixels.",
        f"- Data: {training['samples_rendered']} images rendered from {training['meshes'][0]} and randomized, learnt "
        f"from {training['samples_seen']} times in all, in {len(training['rounds'])} rounds; {_real_images(training)}.",
        f"- Seed {training['seed']}, started from {training['start']}.",
        f"- Command: `{command}`",
        "- Output layers: the means of those of the last round's objects.",
    ]
    return "\n".join(lines) + "\n"


def _real_images(training: Mapping[str, Any]) -> str:
    folder = training["randomize"].get("background", {}).get("folder")
    if folder is None:
        return "no real image"
    return f"photographs of `{folder}` are among the backgrounds, no other real image"


def _beside(training: Mapping[str, Any]) -> str:
    return f", beside {', '.join(f'`{name}`' for name in training['beside'])}" if training["beside"] else ""
