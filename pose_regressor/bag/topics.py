"""Finds the cameras in a bag: the topics of their images and camera infos."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pose_regressor.bag.reading import Bag, Topic
from pose_regressor.middleware.wire import idl
from pose_regressor.types import InputError

IMAGE, COMPRESSED, CAMERA_INFO = (
    "sensor_msgs/msg/Image",
    "sensor_msgs/msg/CompressedImage",
    "sensor_msgs/msg/CameraInfo",
)
#: What transports of sensor_msgs/CompressedImage add to a topic's name.
TRANSPORTS = ("compressed", "compressedDepth", "zstd", "avif")
DEPTH_TRANSPORT = "compressedDepth"
#: Begins the encoding of a depth image, or the format of a compressed one.
DEPTH = re.compile(r"(16|32|64)[USF]C1\b")


@dataclass(frozen=True)
class CameraTopics:
    """The topics of one camera.

    image: of its images.
    info: of its camera info; '' if the camera comes from a file.
    compressed: whether the images are sensor_msgs/CompressedImage.
    namespace: put before the topics of its answers; '' if it is the only camera.
    depth: of its depth; '' if it has none.
    depth_info: of the camera info of its depth; '' if depth is aligned to the images.
    depth_compressed: whether depth is sensor_msgs/CompressedImage.
    """

    image: str
    info: str
    compressed: bool
    namespace: str = ""
    depth: str = ""
    depth_info: str = ""
    depth_compressed: bool = False


def find_cameras(
    bag: Bag, images: Sequence[str] = (), infos: Sequence[str] = (), camera_file: bool = False
) -> tuple[list[CameraTopics], dict[str, str]]:
    """The cameras of a bag, and the image topics that are left out, each with the reason.

    images: topics of their images; if none are given, all topics of colour or grey images with a camera info beside
        them.
    infos: topics of the camera infos, one for each of `images` in their order, or one for all; if none are given, those
        beside the images.
    camera_file: whether the camera comes from a file.
    InputError: there is no such topic, or the choice is not clear; the message lists the topics to choose from.
    """
    known = known_topics(bag)
    chosen = [known_topic(bag, known, name, (IMAGE, COMPRESSED)) for name in dict.fromkeys(images)]
    info_topics = [known_topic(bag, known, name, (CAMERA_INFO,)).name for name in infos]
    left_out: dict[str, str] = {}
    if not chosen:
        texts = depth_topics(bag, known)
        left_out = {name: f"depth images ({text}), which poses are not estimated from" for name, text in texts.items()}
        seen = {name: topic for name, topic in known.items() if name not in left_out}
        if left_out and not any(topic.type in (IMAGE, COMPRESSED) for topic in seen.values()):
            listed = "; ".join(f"{name}: {why}" for name, why in left_out.items())
            raise InputError(f"{bag.path}: expected colour or grey images, there are none ({listed})")
        chosen = _images_by_themselves(bag, seen, camera_file or bool(infos))
    if camera_file:
        info_topics = [""]
    elif not info_topics:
        of_depth = {info for name in left_out for info in info_candidates(known[name])}
        info_topics = [_info_of(bag, known, topic, len(chosen) == 1, of_depth) for topic in chosen]
    if len(info_topics) not in (1, len(chosen)):
        raise InputError(f"{bag.path}: expected one camera info for each of {len(chosen)} images, got {len(infos)}")
    if len(info_topics) == 1:
        info_topics *= len(chosen)
    cameras = [
        CameraTopics(topic.name, info, topic.type == COMPRESSED)
        for topic, info in zip(chosen, info_topics, strict=True)
    ]
    return with_namespaces(cameras), left_out


def with_namespaces(cameras: Sequence[CameraTopics]) -> list[CameraTopics]:
    """The cameras with namespaces that tell them apart; none for a single one."""
    names = _namespaces([camera.image for camera in cameras])
    return [replace(camera, namespace=name) for camera, name in zip(cameras, names, strict=True)]


def known_topics(bag: Bag) -> dict[str, Topic]:
    """By name: the topics that have messages which can be read."""
    return {topic.name: topic for topic, count in bag.counts.items() if count and topic.encoding == "cdr"}


def depth_topics(bag: Bag, known: Mapping[str, Topic]) -> dict[str, str]:
    """The topics of depth images, by what their first message says, each with its encoding or format."""
    kinds: dict[str, Any] = {IMAGE: idl.Image, COMPRESSED: idl.CompressedImage}
    first = bag.first_messages({topic.name for topic in known.values() if topic.type in kinds})
    found = {}
    for name, data in first.items():
        try:
            message = kinds[known[name].type].deserialize(data)
        except InputError:
            continue  # it is counted when its turn comes
        text = message.encoding if known[name].type == IMAGE else message.format
        if DEPTH.match(text) or name.endswith(DEPTH_TRANSPORT):
            found[name] = text or DEPTH_TRANSPORT
    return found


def known_topic(bag: Bag, known: Mapping[str, Topic], name: str, types: tuple[str, ...]) -> Topic:
    full = name if name.startswith("/") else f"/{name}"
    topic = known.get(full) or known.get(name)
    if topic is None or topic.type not in types:
        there = ", ".join(topic.name for topic in known.values() if topic.type in types) or "none"
        what = f"is {topic.type}" if topic else "is not in the bag"
        raise InputError(f"{bag.path}: {name} {what}; expected a topic of {' or '.join(types)}, there are: {there}")
    return topic


def _images_by_themselves(bag: Bag, known: Mapping[str, Topic], any_image: bool) -> list[Topic]:
    """One topic for each camera. any_image: a topic without a camera info beside it counts, too."""
    found: dict[str, list[Topic]] = {}
    for topic in known.values():
        if topic.type in (IMAGE, COMPRESSED):
            raw = topic.name.removesuffix("/compressed") if topic.type == COMPRESSED else topic.name
            found.setdefault(raw, []).append(topic)
    # If a camera has both, take the raw images: they need no decoding and have lost nothing.
    single = {raw: min(topics, key=lambda topic: topic.type != IMAGE) for raw, topics in found.items()}
    if not single:
        types = ", ".join(sorted({topic.type or topic.encoding for topic in bag.counts})) or "nothing"
        raise InputError(f"{bag.path}: expected images (sensor_msgs/msg/Image or CompressedImage, CDR), got {types}")
    infos = {raw: _info_beside(known, topic) for raw, topic in single.items()}
    candidates = {raw: topic for raw, topic in single.items() if infos[raw]} or single
    if len(candidates) == 1:
        return list(candidates.values())
    shared = len({infos[raw] for raw in candidates}) < len(candidates)  # also if no image has one
    if shared or any_image:
        listed = ", ".join(topic.name for topic in candidates.values())
        raise InputError(f"{bag.path}: which images? Name them with --image; there are: {listed}")
    return list(candidates.values())


def info_candidates(topic: Topic) -> list[str]:
    """Where the camera info of an image topic may be, the likeliest first.

    <image>/camera_info, as ZED's driver has it, and <namespace>/camera_info, where image_transport's camera publishers
    put it. The name of the transport is not part of <image>.
    """
    image = topic.name
    if topic.type == COMPRESSED and image.count("/") > 1:
        raw, _, transport = image.rpartition("/")
        image = raw if transport in TRANSPORTS else image
    return [f"{image}/camera_info", f"{image.rpartition('/')[0]}/camera_info"]


def _info_beside(known: Mapping[str, Topic], topic: Topic) -> str:
    """The camera info beside an image topic; "" if there is none."""
    there = (name for name in info_candidates(topic) if name in known and known[name].type == CAMERA_INFO)
    return next(there, "")


def _info_of(bag: Bag, known: Mapping[str, Topic], topic: Topic, alone: bool, of_depth: Collection[str]) -> str:
    """The camera info of an image topic.

    alone: whether it may be anywhere in the bag; of_depth: those of depth images, which will not do.
    """
    if beside := _info_beside(known, topic):
        return beside
    infos = [other.name for other in known.values() if other.type == CAMERA_INFO]
    others = [name for name in infos if name not in of_depth]
    if alone and len(others) == 1:
        return others[0]
    expected = " or ".join(reversed(info_candidates(topic)))
    there = f"there are: {', '.join(infos)}; name one with --camera-info" if infos else "the bag has none at all"
    raise InputError(
        f"{bag.path}: no camera info for {topic.name}, expected {expected} ({there}, or give --camera FILE)"
    )


def _namespaces(images: Sequence[str]) -> list[str]:
    if len(images) == 1:
        return [""]
    spaces = [name.rpartition("/")[0] for name in images]
    if len(set(spaces)) < len(spaces) or "" in spaces:
        return list(images)
    return spaces
