"""The depth of one camera of a bag: collected while the bag is read, given to each image by its stamp."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from pose_regressor.bag.topics import CameraTopics
from pose_regressor.middleware.messages.images import image_stamp
from pose_regressor.middleware.messages.transform_tree import TransformTree
from pose_regressor.middleware.pose.depth import DepthInput
from pose_regressor.middleware.pose.pairing import NONE_NEAR, DepthMessage
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.middleware.wire import idl
from pose_regressor.types import NANOSECONDS, Frame, InputError

#: Most depth messages that are kept for images that come after them.
KEPT = 60


class Silent:
    """A log for what is counted and reported at the end."""

    def info(self, message: str, /) -> None: ...
    def warning(self, message: str, /) -> None: ...
    def error(self, message: str, /) -> None: ...


class BagDepth:
    """Gives depth to the images of one camera, as the node does. A bag can be read ahead, so no image is too early.

    input: turns messages into depth, and counts images with depth and without.
    """

    def __init__(self, topics: CameraTopics, config: NodeConfig, tree: TransformTree | None) -> None:
        """tree: of the bag's transforms; None if depth is aligned."""
        config = replace(config, depth_topic=topics.depth, depth_info_topic=topics.depth_info)
        self.input = DepthInput(config, Silent())
        if tree:
            self.input.lookup = tree.lookup
        self._kind = idl.CompressedImage if topics.depth_compressed else idl.Image
        self._tolerance = round(config.depth_tolerance * NANOSECONDS)
        self._kept: deque[DepthMessage] = deque(maxlen=KEPT)

    def on_info(self, data: bytes) -> None:
        """Takes the depth camera's camera info."""
        try:
            message = idl.CameraInfo.deserialize(data)
        except InputError:
            return
        self.input.on_info(message)

    def on_depth(self, data: bytes) -> None:
        """Takes a depth message, which may lie behind images that have not been answered."""
        try:
            message = self._kind.deserialize(data)
            self._kept.append(DepthMessage(message, image_stamp(message), 0.0))
        except InputError as error:
            self.input.count_message(error.of("depth"))

    def complete(self, stamp: int) -> bool:
        """Whether depth of an image's time or later has come. stamp: of the image, ns."""
        return bool(self._kept) and self._kept[-1].stamp >= stamp

    def added_to(self, frame: Frame) -> Frame:
        """The frame with the depth nearest to its stamp; without, if there is none that can be used."""
        while len(self._kept) > 1 and self._kept[0].stamp < frame.stamp - self._tolerance:
            self._kept.popleft()
        nearest = min(self._kept, key=lambda depth: abs(depth.stamp - frame.stamp), default=None)
        if nearest is None or abs(nearest.stamp - frame.stamp) > self._tolerance:
            return self.input.added_to(frame, InputError(NONE_NEAR))
        return self.input.added_to(frame, nearest)
