"""A source played in real time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from pose_regressor.sources import Source
from pose_regressor.types import Frame


def paced(source: Source, rate: float | None = None, frame_id: str = "camera") -> Iterator[Frame]:
    """The source's frames, each when it is due and stamped with the time it is handed out.

    rate: frames a second; None takes the source's own (images without one come as fast as they are asked for). What is
    live keeps its own pace and stamps. Who asks late gets the frame at once; none is left out.
    """
    rate = None if source.live else rate or source.fps
    start = time.monotonic()
    for number, frame in enumerate(source):
        if rate:
            time.sleep(max(0.0, start + number / rate - time.monotonic()))
        yield replace(frame, stamp=frame.stamp if source.live else time.time_ns(), frame_id=frame_id)
