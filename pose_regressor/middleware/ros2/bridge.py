"""cv_bridge, if it can be used here."""

from __future__ import annotations

from typing import Any

import numpy as np

from pose_regressor.middleware.kit.log import Log
from pose_regressor.middleware.messages.images import header, image_message
from pose_regressor.middleware.ros2 import interfaces


def usable_bridge(log: Log) -> Any:
    """A CvBridge, tried on a small image. None: it is not installed, or it does not work with this OpenCV and NumPy.

    One that was built on OpenCV 4 knows none of OpenCV 5's numbers for the types of pixels. One that was built for
    NumPy 1 does not import beside NumPy 2. The messages of `messages.images` are the same, so that nobody misses it.
    """
    pixels = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    try:
        from cv_bridge import CvBridge

        bridge = CvBridge()
        made = bridge.cv2_to_imgmsg(pixels, "rgb8", header(interfaces, 1, "camera"))
        if made != image_message(interfaces, pixels, 1, "camera", interfaces.image_data):
            raise ValueError("its image is another one")
    except ModuleNotFoundError as error:
        if error.name != "cv_bridge":
            log.info(f"cv_bridge is not used: {error}")
        return None
    except Exception as error:  # a compiled module that was built for other libraries may raise anything
        reason = " ".join(str(error).split())
        log.info(f"cv_bridge is not used, it does not fit this OpenCV or NumPy: {type(error).__name__}: {reason}")
        return None
    return bridge
