"""The plane under the node's objects, from TF. An image without it is answered all the same."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from pose_regressor.middleware.kit.endpoints import Lookup
from pose_regressor.middleware.kit.log import Log, Throttle
from pose_regressor.types import Frame, InputError, Plane

#: Seconds between two log lines about the same reason.
PERIOD = 30.0


class PlaneInput:
    """Gives frames the x-y plane of a TF frame as their `support_plane`.

    name: of the TF frame
    lookup: gives its place; None while the node does not listen to TF
    without: images that were answered without the plane, by reason
    """

    def __init__(self, name: str, log: Log) -> None:
        self.lookup: Lookup | None = None
        self.without: Counter[str] = Counter()
        self._name, self._warn = name, Throttle(log.warning, PERIOD)

    def added_to(self, frame: Frame) -> Frame:
        """The frame with its plane. If that cannot be used: a warning, and the frame as it is."""
        try:
            return replace(frame, support_plane=self._plane(frame))
        except InputError as error:
            self.without[error.reason] += 1
            self._warn(error.reason, f"image without its support plane: {error}")
            return frame

    def _plane(self, frame: Frame) -> Plane:
        if self.lookup is None:
            raise InputError("support_frame: TF is not heard yet")
        try:
            plane = Plane.of(self.lookup(frame.frame_id, self._name, frame.stamp))
        except InputError as error:
            raise error.of("support_frame") from None
        if plane.offset >= 0:
            raise InputError(
                f"support_frame: the camera is below {self._name}", "expected the z axis to point up, to the objects"
            )
        return plane
