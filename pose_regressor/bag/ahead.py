"""Reads a bag ahead of what is worked on, since depth and transforms are often recorded after their image."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from mcap.records import McapRecord

from pose_regressor.bag.answer import BagCamera
from pose_regressor.bag.depth import BagDepth
from pose_regressor.bag.depth_topics import TF, TF_STATIC, take_transform
from pose_regressor.bag.reading import Bag, Recorded
from pose_regressor.middleware.messages.transform_tree import TransformTree


class Ahead:
    """The records of a bag in their order. Depth, its camera infos and transforms are taken as soon as they are read.

    Where no camera waits for them, each record comes as soon as it is read.
    """

    def __init__(self, bag: Bag, views: Sequence[BagCamera], tree: TransformTree) -> None:
        """tree: takes the transforms, if any camera needs them: for depth that is not aligned, or for a plane."""
        self._bag, self._tree = bag, tree
        self._cameras = {view.topics.image: view for view in views if view.depth or view.plane}
        self._depths = _by_topic((view.topics.depth, view.depth) for view in views)
        self._infos = _by_topic((view.topics.depth_info, view.depth) for view in views)
        self._transforms = bool(self._infos) or any(view.plane for view in views)

    def records(self) -> Iterator[Recorded | McapRecord]:
        """InputError: a file is damaged."""
        waiting: deque[Recorded | McapRecord] = deque()
        now = 0
        for record in self._bag.records():
            waiting.append(record)
            if isinstance(record, Recorded):
                now = max(now, record.message.log_time)
                self._take(record)
            while waiting and not self._waits(waiting[0], now):
                yield waiting.popleft()
        yield from waiting

    def _take(self, record: Recorded) -> None:
        topic, data = record.channel.topic, record.message.data
        for depth in self._depths.get(topic, ()):
            depth.on_depth(data)
        for depth in self._infos.get(topic, ()):
            depth.on_info(data)
        if self._transforms and topic in (TF, TF_STATIC):
            take_transform(self._tree, record)

    def _waits(self, record: Recorded | McapRecord, now: int) -> bool:
        camera = self._cameras.get(record.channel.topic) if isinstance(record, Recorded) else None
        return isinstance(record, Recorded) and camera is not None and camera.waits(record, now)


def _by_topic(pairs: Iterable[tuple[str, BagDepth | None]]) -> dict[str, list[BagDepth]]:
    found: dict[str, list[BagDepth]] = {}
    for topic, depth in pairs:
        if topic and depth:
            found.setdefault(topic, []).append(depth)
    return found
