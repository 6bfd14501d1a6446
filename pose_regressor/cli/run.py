"""`pose-regressor run`: the node, fed by a topic or by a source."""

from __future__ import annotations

import typer

from pose_regressor.cli.node_options import node_config, start_log
from pose_regressor.cli.options import (
    CameraInfoTopicOption,
    CameraOption,
    DepthImagesOption,
    DepthInfoTopicOption,
    DepthTopicOption,
    ImageTopicOption,
    MiddlewareOption,
    NodeDeviceOption,
    NodeModelOption,
    ParametersOption,
    SettingsOption,
    SourceOption,
)
from pose_regressor.settings import CAMERA_INFO_TOPIC, IMAGE_TOPIC
from pose_regressor.types import InputError


def run(
    model: NodeModelOption = None,
    source: SourceOption = None,
    camera: CameraOption = None,
    depth: DepthImagesOption = "auto",
    image_topic: ImageTopicOption = IMAGE_TOPIC,
    camera_info_topic: CameraInfoTopicOption = CAMERA_INFO_TOPIC,
    depth_topic: DepthTopicOption = None,
    depth_info_topic: DepthInfoTopicOption = None,
    middleware: MiddlewareOption = "auto",
    device: NodeDeviceOption = None,
    config: ParametersOption = None,
    settings: SettingsOption = None,
) -> None:
    """Publish the poses of the objects in a camera's images on /tf and /pose_regressor/detections.

    Images come from a topic, or from --source. Depth comes from --depth-topic, or with --source from --depth. Options
    override --config, and --set overrides both. Ctrl-C ends it.

        pose-regressor run --model box --image-topic /camera/image_raw --camera-info-topic /camera/camera_info

        pose-regressor run --model box --source webcam:0 --camera camera.yaml --middleware dds
    """
    from pose_regressor.middleware import choose, program

    if source is None and depth != "auto":
        raise InputError(f"--depth {depth}: expected --source with it; beside an image topic, give --depth-topic")
    topics = {"depth_topic": depth_topic, "depth_info_topic": depth_info_topic}
    parameters = node_config(config, model, camera, device, settings, **topics)
    chosen = choose(middleware)
    start_log()
    if source is None:
        status = program(chosen, "node", "run")(parameters, image_topic, camera_info_topic)
    else:
        from pose_regressor.files.cameras import load_camera
        from pose_regressor.sources import open_source

        given = load_camera(parameters.camera_file) if parameters.camera_file else None
        with open_source(source, given, depth) as frames:
            status = program(chosen, "node", "run_source")(parameters, frames)
    raise typer.Exit(status)
