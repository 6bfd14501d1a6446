"""Finds the cameras in a bag: the topics of their images and camera infos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pose_regressor.bag.reading import Bag, Topic
from pose_regressor.types import InputError

IMAGE, COMPRESSED, CAMERA_INFO = (
    "sensor_msgs/msg/Image",
    "sensor_msgs/msg/CompressedImage",
    "sensor_msgs/msg/CameraInfo",
)
TRANSPORT = "/compressed"  # what image_transport adds to a topic's name


@dataclass(frozen=True)
class CameraTopics:
    """The topics of one camera.

    image: of its images.
    info: of its camera info; '' if the camera comes from a file.
    compressed: whether the images are sensor_msgs/CompressedImage.
    namespace: put before the topics of its answers; '' if it is the only camera.
    """

    image: str
    info: str
    compressed: bool
    namespace: str = ""


def find_cameras(
    bag: Bag, images: Sequence[str] = (), infos: Sequence[str] = (), camera_file: bool = False
) -> list[CameraTopics]:
    """The cameras of a bag.

    images: topics of their images; if none are given, all image topics with a camera info beside them.
    infos: topics of the camera infos, one for each of `images` in their order, or one for all; if none are given, those
        beside the images (<namespace>/camera_info).
    camera_file: whether the camera comes from a file.
    InputError: there is no such topic, or the choice is not clear; the message lists the topics to choose from.
    """
    known = {topic.name: topic for topic, count in bag.counts.items() if count and topic.encoding == "cdr"}
    chosen = [_known(bag, known, name, (IMAGE, COMPRESSED)) for name in dict.fromkeys(images)]
    info_topics = [_known(bag, known, name, (CAMERA_INFO,)).name for name in infos]
    if not chosen:
        chosen = _images_by_themselves(bag, known, camera_file or bool(infos))
    if camera_file:
        info_topics = [""]
    elif not info_topics:
        info_topics = [_info_beside(bag, known, topic.name, alone=len(chosen) == 1) for topic in chosen]
    if len(info_topics) not in (1, len(chosen)):
        raise InputError(f"{bag.path}: expected one camera info for each of {len(chosen)} images, got {len(infos)}")
    if len(info_topics) == 1:
        info_topics *= len(chosen)
    names = _namespaces([topic.name for topic in chosen])
    return [
        CameraTopics(topic.name, info, topic.type == COMPRESSED, name)
        for topic, info, name in zip(chosen, info_topics, names, strict=True)
    ]


def _known(bag: Bag, known: dict[str, Topic], name: str, types: tuple[str, ...]) -> Topic:
    full = name if name.startswith("/") else f"/{name}"
    topic = known.get(full) or known.get(name)
    if topic is None or topic.type not in types:
        there = ", ".join(topic.name for topic in known.values() if topic.type in types) or "none"
        what = f"is {topic.type}" if topic else "is not in the bag"
        raise InputError(f"{bag.path}: {name} {what}; expected a topic of {' or '.join(types)}, there are: {there}")
    return topic


def _images_by_themselves(bag: Bag, known: dict[str, Topic], any_image: bool) -> list[Topic]:
    """One topic for each camera. any_image: a topic without a camera info beside it counts, too."""
    found: dict[str, list[Topic]] = {}
    for topic in known.values():
        if topic.type in (IMAGE, COMPRESSED):
            raw = topic.name.removesuffix(TRANSPORT) if topic.type == COMPRESSED else topic.name
            found.setdefault(raw, []).append(topic)
    # If a camera has both, take the raw images: they need no decoding and have lost nothing.
    single = {raw: min(topics, key=lambda topic: topic.type != IMAGE) for raw, topics in found.items()}
    if not single:
        types = ", ".join(sorted({topic.type or topic.encoding for topic in bag.counts})) or "nothing"
        raise InputError(f"{bag.path}: expected images (sensor_msgs/msg/Image or CompressedImage, CDR), got {types}")
    beside = {raw: topic for raw, topic in single.items() if _sibling(raw) in known}
    candidates = beside or single
    if len(candidates) == 1:
        return list(candidates.values())
    infos = [_sibling(raw) for raw in candidates]
    if not beside or len(set(infos)) < len(infos) or any_image:
        listed = ", ".join(topic.name for topic in candidates.values())
        raise InputError(f"{bag.path}: which images? Name them with --image; there are: {listed}")
    return list(candidates.values())


def _sibling(image: str) -> str:
    """The topic where image_transport's camera publishers put the camera info of `image`."""
    return f"{image.rpartition('/')[0]}/camera_info"


def _info_beside(bag: Bag, known: dict[str, Topic], image: str, alone: bool) -> str:
    sibling = _sibling(image.removesuffix(TRANSPORT))
    if sibling in known:
        return sibling
    infos = [topic.name for topic in known.values() if topic.type == CAMERA_INFO]
    if alone and len(infos) == 1:
        return infos[0]
    there = f"there are: {', '.join(infos)}; name one with --camera-info" if infos else "the bag has none at all"
    raise InputError(f"{bag.path}: no camera info for {image}, expected {sibling} ({there}, or give --camera FILE)")


def _namespaces(images: Sequence[str]) -> list[str]:
    if len(images) == 1:
        return [""]
    spaces = [name.rpartition("/")[0] for name in images]
    if len(set(spaces)) < len(spaces) or "" in spaces:
        return list(images)
    return spaces
