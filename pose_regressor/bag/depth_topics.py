"""Finds the depth that belongs to a bag's cameras: aligned to their images, or of a camera whose place TF tells."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from pose_regressor.bag.reading import Bag, Recorded, Topic
from pose_regressor.bag.topics import (
    CAMERA_INFO,
    COMPRESSED,
    IMAGE,
    CameraTopics,
    depth_topics,
    info_candidates,
    known_topic,
    known_topics,
)
from pose_regressor.middleware.messages.transform_tree import TransformTree
from pose_regressor.middleware.wire import idl
from pose_regressor.types import InputError

TF, TF_STATIC = "/tf", "/tf_static"
#: A stamp after all others in nanoseconds, and the seconds for which frames are taken to stay where they were by then.
FOREVER, PATIENCE = 2**62, 1e10
#: Words in the names of topics of aligned depth: RealSense's and Azure Kinect's, and OpenNI's.
ALIGNED_NAMES = ("aligned", "to_color", "to_rgb", "registered")


@dataclass(frozen=True)
class _Stream:
    """A topic of images, and what its first message says.

    frame: its TF frame; size: (width, height), None if only unpacking it would tell; text: encoding or format.
    """

    topic: Topic
    frame: str
    size: tuple[int, int] | None
    text: str

    @property
    def name(self) -> str:
        return self.topic.name


def find_depth(
    bag: Bag, cameras: Sequence[CameraTopics], topics: Sequence[str] = (), infos: Sequence[str] = ()
) -> tuple[list[CameraTopics], dict[str, str]]:
    """The cameras with their depth, and the topics of depth that are left out, each with the reason.

    topics: of depth, one for each camera in their order; if none are given, those that are aligned to the images, else
        those with a camera info beside them and a place on TF.
    infos: topics of the depth cameras' camera infos, in the same order, for depth that is not aligned.
    InputError: there is no such topic, or it cannot be told how depth and image belong together.
    """
    known = known_topics(bag)
    if topics:
        return _as_asked(bag, known, cameras, topics, infos), {}
    texts = depth_topics(bag, known)
    depths = list(_streams(bag, known, texts).values())
    images = _streams(bag, known, [camera.image for camera in cameras])
    found = [_choose(bag, known, camera, images.get(camera.image), depths, len(cameras)) for camera in cameras]
    used = {camera.depth for camera in found}
    left_out = {name: _reason(texts[name], found, known) for name in texts if name not in used}
    return found, left_out


def take_transform(tree: TransformTree, record: Recorded) -> None:
    """Takes a message of /tf or /tf_static; one that cannot be read is passed over."""
    try:
        message = idl.TFMessage.deserialize(record.message.data)
    except InputError:
        return
    (tree.on_tf_static if record.channel.topic == TF_STATIC else tree.on_tf)(message)


def _as_asked(
    bag: Bag, known: Mapping[str, Topic], cameras: Sequence[CameraTopics], topics: Sequence[str], infos: Sequence[str]
) -> list[CameraTopics]:
    if len(topics) != len(cameras) or len(infos) not in (0, len(topics)):
        expected = f"expected one topic of depth for each of {len(cameras)} images, and as many camera infos or none"
        raise InputError(f"{bag.path}: {expected}, got {len(topics)} and {len(infos)}")
    asked = [known_topic(bag, known, name, (IMAGE, COMPRESSED)) for name in topics]
    given = [known_topic(bag, known, name, (CAMERA_INFO,)).name for name in infos] or [""] * len(asked)
    streams = _streams(bag, known, [*(topic.name for topic in asked), *(camera.image for camera in cameras)])
    found = []
    for camera, topic, info in zip(cameras, asked, given, strict=True):
        depth, image = streams.get(topic.name), streams.get(camera.image)
        if not info and depth and image and not _aligned(depth, image):
            info = _info_beside(known, topic)
            if not info:
                raise InputError(
                    f"{bag.path}: {topic.name} is not aligned to {camera.image} (frame {depth.frame!r}, size "
                    f"{depth.size}; expected {image.frame!r}, {image.size}), and it has no camera info beside it; name "
                    "it with --depth-info-topic"
                )
        found.append(_with(camera, topic, info))
    return found


def _choose(
    bag: Bag,
    known: Mapping[str, Topic],
    camera: CameraTopics,
    image: _Stream | None,
    depths: Sequence[_Stream],
    cameras: int,
) -> CameraTopics:
    if image is None:
        return camera

    def rank(depth: _Stream) -> tuple[bool, bool, int, str]:
        """Raw depth needs no unpacking. Names tell what was aligned."""
        named = any(word in depth.name for word in ALIGNED_NAMES)
        return depth.topic.type != IMAGE, not named, -len(_common(depth.name, image.name)), depth.name

    if aligned := sorted((depth for depth in depths if _aligned(depth, image)), key=rank):
        return _with(camera, aligned[0].topic)
    beside = {depth.name: _info_beside(known, depth.topic) for depth in depths}
    # With several cameras, depth from another part of the robot would cost time and show little.
    near = [depth for depth in depths if beside[depth.name] and (cameras == 1 or _common(depth.name, image.name))]
    if not near:
        return camera
    placed = _placed(bag, image.frame, {depth.frame for depth in near})
    chosen = next((depth for depth in sorted(near, key=rank) if depth.frame in placed), None)
    return _with(camera, chosen.topic, beside[chosen.name]) if chosen else camera


def _placed(bag: Bag, target: str, frames: Collection[str]) -> set[str]:
    """Those of the frames whose place in the target frame the bag's transforms tell. Reads until all are found."""
    tree, placed = TransformTree(PATIENCE), {target} & set(frames)
    for record in bag.records() if placed != set(frames) else ():
        if not isinstance(record, Recorded) or record.channel.topic not in (TF, TF_STATIC):
            continue
        take_transform(tree, record)
        for frame in set(frames) - placed:
            with suppress(InputError):
                tree.lookup(target, frame, FOREVER)
                placed.add(frame)
        if placed == set(frames):
            break
    return placed


def _with(camera: CameraTopics, depth: Topic, info: str = "") -> CameraTopics:
    return replace(camera, depth=depth.name, depth_info=info, depth_compressed=depth.type == COMPRESSED)


def _reason(text: str, cameras: Sequence[CameraTopics], known: Mapping[str, Topic]) -> str:
    if others := sorted({camera.depth for camera in cameras if camera.depth}):
        return f"depth images ({text}); depth is taken from {', '.join(others)}"
    return (
        f"depth images ({text}) that are not aligned to the images, and have no camera info beside them or no place on "
        f"{TF_STATIC}"
    )


def _aligned(depth: _Stream, image: _Stream) -> bool:
    same_size = depth.size is None or image.size is None or depth.size == image.size
    return same_size and depth.frame == image.frame


def _common(one: str, other: str) -> str:
    """The namespaces that two topics share, as /camera; empty: none."""
    return os.path.commonpath([f"/{name.lstrip('/')}" for name in (one, other)]).rstrip("/")


def _info_beside(known: Mapping[str, Topic], topic: Topic) -> str:
    there = (name for name in info_candidates(topic) if name in known and known[name].type == CAMERA_INFO)
    return next(there, "")


def _streams(bag: Bag, known: Mapping[str, Topic], names: Iterable[str]) -> dict[str, _Stream]:
    """By topic; without those whose first message cannot be read."""
    kinds: dict[str, Any] = {IMAGE: idl.Image, COMPRESSED: idl.CompressedImage}
    found = {}
    for name, data in bag.first_messages(set(names)).items():
        try:
            message = kinds[known[name].type].deserialize(data)
        except InputError:
            continue
        raw = known[name].type == IMAGE
        size = (int(message.width), int(message.height)) if raw else None
        text = str(message.encoding if raw else message.format)
        found[name] = _Stream(known[name], str(message.header.frame_id).lstrip("/"), size, text)
    return found
