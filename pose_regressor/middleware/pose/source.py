"""The poses in the frames of a video, a camera or image files, published without an image topic."""

from __future__ import annotations

import time

from pose_regressor.middleware.kit.log import Log
from pose_regressor.middleware.kit.pacing import paced
from pose_regressor.middleware.pose.core import Publishing, Tracking, show
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.sources import Source

#: Seconds until subscribers have heard of new publishers. They miss what is published before.
SETTLE = 0.3


def publish_source(
    source: Source, rate: float | None, config: NodeConfig, tracker: Tracking, output: Publishing, log: Log
) -> None:
    """Publishes the poses in every frame of the source, each frame when it is due, and logs their number at the end.

    rate: frames per second; None takes the source's own. The frames are in the TF frame `config.frame_id`, by default
    camera, and stamped with the time now. The poses use the source's depth if it has any.
    """
    frames = poses = with_depth = 0
    time.sleep(SETTLE)
    if config.depth_topic:
        log.warning(f"depth_topic has no effect on {source.name}: it belongs to an image topic; use --depth")
    log.info(f"ready: images from {source.name}, poses on /tf")
    try:
        for frame in paced(source, rate, config.frame_id or "camera"):
            estimates = tracker.update(frame)
            output.poses(frame, estimates)
            show(config, output, frame, estimates)
            frames, poses, with_depth = frames + 1, poses + len(estimates), with_depth + (frame.depth is not None)
    finally:
        also = f", {with_depth} of them with depth" if source.depth else ""
        log.info(f"{source.name}: {poses} poses in {frames} frames{also}")
