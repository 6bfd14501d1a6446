"""Listens on the network for a few seconds, over DDS: this needs no ROS 2 here and sees that of others."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from cyclonedds.builtin import BuiltinTopicDcpsParticipant, BuiltinTopicDcpsPublication
from cyclonedds.core import DDSException
from cyclonedds.internal import InvalidSample
from cyclonedds.qos import Policy

from pose_regressor.doctor.seen import VENDORS, Arrival, Edge, Endpoint, Seen
from pose_regressor.middleware.dds.participant import Participant
from pose_regressor.middleware.messages.depth import is_compressed
from pose_regressor.middleware.messages.images import stamp_from_message
from pose_regressor.middleware.wire import idl
from pose_regressor.middleware.wire.type_hash import ros_type
from pose_regressor.types import InputError

NODE_NAME = "pose_regressor_doctor"
PAUSE = 0.005  # seconds between two looks at empty readers


#: What is done with the messages of a topic: its name, a reader and a function.
Handler = tuple[str, Any, Callable[[Any], None]]


def observe(
    image_topic: str,
    camera_info_topic: str,
    compressed: bool,
    seconds: float,
    depth_topics: tuple[str, str] | None = None,
) -> Seen:
    """What is seen within so many seconds.

    image_topic: full name, with /compressed at its end if `compressed`; camera_info_topic: full name; depth_topics:
    full names of depth and its camera info; None: no depth.
    """
    with Participant(NODE_NAME) as participant:
        seen = Seen(participant.domain, seconds)
        participant.nodes()  # the first call begins to listen to other nodes
        static = participant.reader("/tf_static", idl.TFMessage, reliable=True, depth=100, transient_local=True)
        # A best-effort reader hears both kinds of writers, so that no QoS hides what there is.
        loose = partial(participant.reader, reliable=False, depth=100)
        image = loose(image_topic, idl.CompressedImage if compressed else idl.Image)
        handlers: list[Handler] = [
            (image_topic, image, partial(_image, seen)),
            (camera_info_topic, loose(camera_info_topic, idl.CameraInfo), partial(_info, seen)),
            ("/tf", loose("/tf", idl.TFMessage), partial(_edges, seen, False)),
            ("/tf_static", static, partial(_edges, seen, True)),
        ]
        if depth_topics:
            depth, info = depth_topics
            kind = idl.CompressedImage if is_compressed(depth) else idl.Image
            handlers.append((depth, loose(depth, kind), partial(_depth, seen)))
            handlers.append((info, loose(info, idl.CameraInfo), partial(_depth_info, seen)))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            took = [_take(seen, *handler) for handler in handlers]
            if not any(took):
                time.sleep(PAUSE)
        seen.vendors = [_vendor(found.key) for found in participant.discovered(BuiltinTopicDcpsParticipant)]
        seen.participants = len(seen.vendors)
        seen.publishers = [_endpoint(found) for found in participant.discovered(BuiltinTopicDcpsPublication)]
        seen.nodes = participant.nodes()
        seen.unnamed = max(seen.participants - participant.announced(), 0)
    return seen


def _take(seen: Seen, topic: str, reader: Any, handle: Callable[[Any], None]) -> bool:
    """Takes one sample. False: there was none."""
    try:
        samples = reader.take(1)
    except DDSException:
        return False
    except Exception as error:  # anybody may send anything
        seen.unreadable[topic] = str(error) if isinstance(error, InputError) else repr(error)
        return True
    for sample in samples:
        if not isinstance(sample, InvalidSample):
            handle(sample)
    return bool(samples)


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


def _edges(seen: Seen, static: bool, message: Any) -> None:
    for transform in message.transforms:
        parent, child = transform.header.frame_id.lstrip("/"), transform.child_frame_id.lstrip("/")
        seen.edges.add(Edge(parent, child, static))


def _arrival(header: Any) -> Arrival:
    return Arrival(time.time_ns(), stamp_from_message(header.stamp), header.frame_id.lstrip("/"))


def _endpoint(found: Any) -> Endpoint:
    reliability, durability = found.qos[Policy.Reliability], found.qos[Policy.Durability]
    name = found.topic_name
    return Endpoint(
        topic=name[2:] if name.startswith("rt/") else name,
        type=ros_type(found.type_name),
        reliable=reliability is not None and reliability != Policy.Reliability.BestEffort,
        transient_local=durability == Policy.Durability.TransientLocal,
        type_hash=_type_hash(found.qos),
        vendor=_vendor(found.participant_key),
    )


def _type_hash(qos: Any) -> str:
    data = qos[Policy.Userdata].data if Policy.Userdata in qos else b""
    parts = (part.partition(b"typehash=") for part in data.split(b";"))
    return next((value.decode("ascii", "replace") for before, key, value in parts if key and not before), "")


def _vendor(participant: Any) -> str:
    return VENDORS.get(participant.bytes[:2], "another DDS")
