"""Depth for the node's images. Depth that cannot be used never costs an image: it is counted, and colours answer."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pose_regressor.geometry.camera_info import camera_from_info
from pose_regressor.geometry.partial_depth import RegisteredDepth
from pose_regressor.geometry.register_depth import DepthRegistration
from pose_regressor.middleware.kit.counts import LATENCIES, Counts, internal_reason
from pose_regressor.middleware.kit.endpoints import Lookup
from pose_regressor.middleware.kit.log import Log, Throttle, one_line
from pose_regressor.middleware.messages.depth import Depth, depth_from_message
from pose_regressor.middleware.messages.images import camera_frame
from pose_regressor.middleware.pose.pairing import DepthMessage
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.types import NANOSECONDS, Camera, FloatArray, Frame, InputError, PartialDepth, check_depth_unit

NO_INFO, NOTHING = "depth: no camera info yet", "depth: nothing measured"
#: Seconds between two log lines about the same reason.
PERIOD = 30.0


@dataclass(frozen=True)
class DepthUse:
    """What came of the depth of one image.

    at: when (time.monotonic).
    reason: why there is none; '' if there is.
    age: seconds from the depth's stamp to the image's.
    valid: share of the image's pixels with depth; of another camera's depth, the share that is measured and in the
        image.
    """

    at: float
    reason: str = ""
    age: float = 0.0
    valid: float = 0.0


class DepthInput:
    """Turns depth messages into `Frame.depth`: aligned ones, or with `depth_info_topic` those of another camera.

    lookup: gives the place of the depth camera; None while the node does not listen to TF.
    """

    def __init__(self, config: NodeConfig, log: Log) -> None:
        self.lookup: Lookup | None = None
        self._aligned, self._frame_id = not config.depth_info_topic, config.frame_id
        self._rectified = config.depth_rectified
        self._camera: Camera | InputError = InputError(NO_INFO, f"expected one on {config.depth_info_topic}")
        self._registration: tuple[Camera, Camera, DepthRegistration] | None = None
        self._warn, self._fail = Throttle(log.warning, PERIOD), Throttle(log.error, PERIOD)
        self._lock = threading.Lock()
        self._counts, self._messages = Counts(), Counts()
        self._uses: deque[DepthUse] = deque(maxlen=LATENCIES)

    @property
    def counts(self) -> Counts:
        """Of images that were worked on: `received` is all of them, `processed` those with depth, `dropped` others."""
        with self._lock:
            return self._counts.copy()

    @property
    def messages(self) -> Counts:
        """Of depth messages: how many came, and how many of them could not be read."""
        with self._lock:
            return self._messages.copy()

    @property
    def uses(self) -> list[DepthUse]:
        """Of the last images, oldest first."""
        return list(self._uses.copy())

    def count_message(self, error: InputError | None = None) -> None:
        """Counts a depth message. error: why it cannot be read."""
        with self._lock:
            self._messages.received += 1
            key = self._messages.drop(error.reason) if error else ""
        if error:
            self._warn(key, f"depth ignored: {error}")

    def on_info(self, msg: Any) -> None:
        """Takes the depth camera's sensor_msgs/CameraInfo."""
        try:
            camera = camera_from_info(msg, self._rectified)
        except InputError as error:
            self._camera = error.of("depth")
            return
        if not (isinstance(self._camera, Camera) and camera.same_as(self._camera)):
            self._camera = camera  # an equal one is not replaced: what was computed for it stays valid

    def added_to(self, frame: Frame, found: DepthMessage | InputError) -> Frame:
        """The frame with its depth. If that cannot be used: counted, logged, and the frame as it is.

        found: the depth message of the frame's time, or why there is none.
        """
        try:
            if isinstance(found, InputError):
                raise found
            depth, valid = self._depth(frame, found)
            result = replace(frame, depth=depth)
        except InputError as error:
            self._count(error.reason)
            self._warn(error.reason, f"image without depth: {error}")
            return frame
        except Exception as error:  # whatever goes wrong with depth: the image is answered
            reason = self._count(internal_reason(error))
            self._fail(reason, f"image without depth: {reason}: {one_line(error)}")
            return frame
        self._count("", (frame.stamp - found.stamp) / NANOSECONDS, valid)
        return result

    def _count(self, reason: str, age: float = 0.0, valid: float = 0.0) -> str:
        with self._lock:
            self._counts.received += 1
            if reason:
                reason = self._counts.drop(reason)
            else:
                self._counts.processed += 1
        self._uses.append(DepthUse(time.monotonic(), reason, age, valid))
        return reason

    def _depth(self, frame: Frame, found: DepthMessage) -> tuple[Depth | PartialDepth, float]:
        """As `Frame.depth`, and the share of what was measured."""
        camera = frame.camera if self._aligned else self._camera
        if isinstance(camera, InputError):
            raise InputError(camera.reason, camera.detail)  # a new one: a traceback would grow with every raise
        depth = depth_from_message(found.message, camera, self._aligned)
        if not (valid := _valid_share(depth)):
            raise InputError(NOTHING, "got 0, NaN or infinite everywhere; is the sensor covered, or too near?")
        if self._aligned:
            self._check_frame(frame, found.message)
            return depth, valid
        check_depth_unit(depth)
        registration, image_from_depth = self._registered(camera, frame.camera), self._image_from_depth(frame, found)
        if not (valid := registration.seen_share(depth, image_from_depth)):
            registered = registration(depth, image_from_depth)  # little of it may lie between the points that are tried
            if not (valid := _valid_share(registered)):
                raise InputError(
                    "depth: nothing of it lies in the image", "check the transform between the two cameras"
                )
            return registered, valid
        return RegisteredDepth(registration, depth, image_from_depth), valid

    def _check_frame(self, frame: Frame, msg: Any) -> None:
        name = self._frame_id or str(msg.header.frame_id).lstrip("/")
        if name and name != frame.frame_id:
            got = f"got {name!r}, expected {frame.frame_id!r}"
            remedy = "take the topic of aligned depth, or set depth_info_topic; if it is aligned, set frame_id"
            raise InputError("depth: in another frame than the image", f"{got}; {remedy}")

    def _image_from_depth(self, frame: Frame, found: DepthMessage) -> FloatArray:
        """(4, 4)."""
        name = _depth_frame(found.message)
        if name == frame.frame_id:
            return np.eye(4)
        if self.lookup is None:
            raise InputError("depth: TF is not heard yet")
        try:
            return self.lookup(frame.frame_id, name, found.stamp)
        except InputError as error:
            raise error.of("depth") from None

    def _registered(self, depth_camera: Camera, image_camera: Camera) -> DepthRegistration:
        known = self._registration
        if known is None or known[0] is not depth_camera or known[1] is not image_camera:
            known = depth_camera, image_camera, DepthRegistration(depth_camera, image_camera)
            self._registration = known
        return known[2]


def _depth_frame(msg: Any) -> str:
    """Name of the TF frame that depth is seen from."""
    try:
        return camera_frame(msg)
    except InputError:
        raise InputError("depth: expected a frame_id in its header", "got none; set the depth driver's") from None


def _valid_share(depth: Depth) -> float:
    return np.count_nonzero((depth > 0) & (depth < np.inf)) / depth.size
