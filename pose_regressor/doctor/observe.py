"""Listens on the network for a few seconds, without ROS 2: over DDS it sees that of others, over Zenoh likewise."""

from __future__ import annotations

import importlib
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from pose_regressor.doctor.seen import Arrival, Edge, Seen
from pose_regressor.middleware import Middleware
from pose_regressor.middleware.kit.endpoints import TF_DEPTH, Subscription
from pose_regressor.middleware.messages.depth import is_compressed
from pose_regressor.middleware.messages.images import stamp_from_message
from pose_regressor.middleware.wire import idl
from pose_regressor.types import InputError

NODE_NAME = "pose_regressor_doctor"
PAUSE = 0.005  # seconds between two looks at the clock
LOG = logging.getLogger("pose_regressor")


def observe(
    middleware: Middleware,
    image_topic: str,
    camera_info_topic: str,
    compressed: bool,
    seconds: float,
    depth_topics: tuple[str, str] | None = None,
) -> Seen:
    """What is seen within so many seconds.

    middleware: dds or zenoh; image_topic: full name, with /compressed at its end if `compressed`; camera_info_topic:
    full name; depth_topics: full names of depth and its camera info; None: no depth.
    """
    network = importlib.import_module(f"pose_regressor.doctor.{middleware}")
    open_participant = importlib.import_module(f"pose_regressor.middleware.{middleware}.participant").Participant
    with open_participant(NODE_NAME) as participant:
        seen = Seen(participant.domain, seconds)
        network.begin(participant)
        subscriptions = [
            _hear(seen, image_topic, idl.CompressedImage if compressed else idl.Image, _image),
            _hear(seen, camera_info_topic, idl.CameraInfo, _info),
            _hear(seen, "/tf", idl.TFMessage, partial(_edges, False)),
            _hear(seen, "/tf_static", idl.TFMessage, partial(_edges, True), static=True),
        ]
        if depth_topics:
            depth, info = depth_topics
            kind = idl.CompressedImage if is_compressed(depth) else idl.Image
            # Before the images: an image that is heard must not seem to be without its depth.
            subscriptions = [_hear(seen, depth, kind, _depth), *subscriptions]
            subscriptions.append(_hear(seen, info, idl.CameraInfo, _depth_info))
        listening = participant.subscribe(subscriptions, LOG)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(PAUSE)
        network.look(seen, participant)
        listening.close()
    return seen


def _hear(
    seen: Seen, topic: str, message: type, handle: Callable[[Seen, Any], None], static: bool = False
) -> Subscription:
    """A best-effort subscription hears both kinds of publishers, so that no QoS hides what there is.

    static: hears messages from before, too.
    """

    def reject(error: InputError) -> None:
        seen.unreadable[topic] = str(error)

    return Subscription(topic, message, partial(handle, seen), static, TF_DEPTH, reject, static)


def _image(seen: Seen, message: Any) -> None:
    seen.image = message
    seen.images.append(_arrival(message.header))


def _info(seen: Seen, message: Any) -> None:
    seen.info = message
    seen.infos.append(_arrival(message.header))


def _depth(seen: Seen, message: Any) -> None:
    seen.depth = message
    seen.depths.append(_arrival(message.header))


def _depth_info(seen: Seen, message: Any) -> None:
    seen.depth_info = message


def _edges(static: bool, seen: Seen, message: Any) -> None:
    for transform in message.transforms:
        parent, child = transform.header.frame_id.lstrip("/"), transform.child_frame_id.lstrip("/")
        seen.edges.add(Edge(parent, child, static))


def _arrival(header: Any) -> Arrival:
    return Arrival(time.time_ns(), stamp_from_message(header.stamp), header.frame_id.lstrip("/"))
