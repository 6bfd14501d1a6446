"""A node without ROS 2 and with a stand-in for the tracker, as a process.

``standin_node.py dds '{"frame_prefix": "x/"}'`` or ``standin_node.py zenoh '{}' SOURCE CAMERA``, which takes the frames
from a source.

The stand-in finds one object where the brightness of the first pixel and the focal length say; with depth, as far away
as the middle pixel's depth says; with a support plane, as far away as the camera is above it. A first pixel of 255
makes it fail, one of 254 run out of memory, and one of 253 work for longer than anybody waits. STANDIN_DELAY in the
environment: seconds that it takes over every image, as a slow network would.
"""

import json
import logging
import os
import sys
import time

import numpy as np

from pose_regressor.types import Frame, InputError, ObjectModel, PoseEstimate

CRATE = ObjectModel(
    name="crate",
    obj_id=7,
    diameter=0.3,
    bounds=np.array([[-0.1, -0.05, 0.0], [0.1, 0.05, 0.2]]),
    points=np.zeros((4, 3)),
    keypoints=np.zeros((8, 3)),
)
DELAY = float(os.environ.get("STANDIN_DELAY", "0"))
#: A quarter turn about the optical axis.
ROTATION = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


def estimate(depth: float, instance: int = 0, focal: float = 50.0) -> PoseEstimate:
    pose = np.eye(4)
    pose[:3, :3] = ROTATION
    pose[:3, 3] = (0.1, -0.2 * focal / 50, depth)
    return PoseEstimate(CRATE, pose, np.diag([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), 0.75, "pnp", np.zeros(4), instance)


def ask_for_too_much_memory() -> None:
    np.empty(2**60, np.uint8)


def work_for(seconds: float) -> None:
    print("at work", flush=True)
    a, end = np.random.default_rng(0).random((500, 500)), time.monotonic() + seconds
    while time.monotonic() < end:
        a = np.tanh(a @ a)


class StandIn:
    """Once it has failed it goes on to fail until it is reset, as a tracker with a bad memory would."""

    def __init__(self) -> None:
        self.broken = False
        self.score_threshold = 0.5

    device = execution = "cpu"

    def wanted(self, objects):
        if set(objects) - {"crate"}:
            raise InputError(f"objects: expected crate, got {', '.join(objects)}")
        return tuple(objects) or ("crate",)

    def tune(self, follow, objects, score_threshold, smooth) -> None:
        self.score_threshold = score_threshold

    def reset(self) -> None:
        self.broken = False

    def update(self, frame: Frame) -> list[PoseEstimate]:
        brightness = int(frame.image[0, 0, 0])
        self.broken |= brightness == 255
        if self.broken:
            raise RuntimeError("the stand-in fails on purpose")
        if brightness == 254:
            ask_for_too_much_memory()
        if brightness == 253:
            work_for(3600.0)
        time.sleep(DELAY)
        away = brightness / 10
        if frame.depth is not None:
            depth = np.asarray(frame.depth)
            away = float(depth[depth.shape[0] // 2, depth.shape[1] // 2])
        if frame.support_plane is not None:
            away = -frame.support_plane.offset
        found = [estimate(away, focal=frame.camera.matrix[0, 0])] if brightness else []
        return [e for e in found if e.score >= self.score_threshold]


def main() -> int:
    from pose_regressor.files.cameras import load_camera
    from pose_regressor.middleware import program
    from pose_regressor.middleware.pose.parameters import NodeConfig
    from pose_regressor.sources import open_source

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    _, middleware, parameters, *source = sys.argv
    try:
        config = NodeConfig.from_dict(json.loads(parameters))
        if not source:
            return program(middleware, "node", "run")(config, open_tracker=lambda config: StandIn())
        with open_source(source[0], load_camera(source[1])) as frames:
            run_source = program(middleware, "node", "run_source")
            return run_source(config, frames, rate=50.0, open_tracker=lambda config: StandIn())
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
