"""`pose-regressor fuse`: the fusion node."""

from __future__ import annotations

import typer

from pose_regressor.cli.node_options import read_config, start_log
from pose_regressor.cli.options import (
    DetectionsOption,
    FixedFrameOption,
    FusionModelOption,
    FusionParametersOption,
    FusionSettingsOption,
    MiddlewareOption,
)


def fuse(
    fixed_frame: FixedFrameOption = None,
    detections: DetectionsOption = None,
    model: FusionModelOption = None,
    middleware: MiddlewareOption = "auto",
    config: FusionParametersOption = None,
    settings: FusionSettingsOption = None,
) -> None:
    """Fuse the poses from several calibrated cameras into one pose per object.

    Publishes on /tf and /pose_regressor_fusion/detections. Each camera needs its own node (`pose-regressor run`) with
    its own frame_prefix. TF must hold the cameras' poses. Options override --config, and --set overrides both. Ctrl-C
    ends it.

        pose-regressor fuse --fixed-frame world --model box
    """
    from pose_regressor.middleware import choose, program
    from pose_regressor.middleware.fusion.parameters import FusionConfig

    options = {"fixed_frame": fixed_frame, "detections": detections, "model": model}
    parameters = read_config(FusionConfig, config, options, settings)
    chosen = choose(middleware)
    start_log()
    raise typer.Exit(program(chosen, "fusion", "run")(parameters))
