"""Adds the poses to a whole bag: one pass from one file to the other, which a killed run can continue."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pose_regressor
from pose_regressor.assets import find_model
from pose_regressor.bag.ahead import Ahead
from pose_regressor.bag.answer import BagCamera, read_camera_info
from pose_regressor.bag.depth import BagDepth
from pose_regressor.bag.depth_topics import find_depth
from pose_regressor.bag.journal import ESTIMATE, Journal, RememberingEstimator
from pose_regressor.bag.reading import Bag, Recorded, open_bag
from pose_regressor.bag.topics import CameraTopics, find_cameras, with_namespaces
from pose_regressor.bag.writing import BagWriter, bag_writer
from pose_regressor.files.cameras import load_camera
from pose_regressor.middleware.messages.transform_tree import TransformTree
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.middleware.pose.topics import TF_PATIENCE
from pose_regressor.middleware.wire import idl
from pose_regressor.types import Camera, InputError

#: The result is little larger than the bag: a few small messages for each image.
ROOM = 1.05
TF = "/tf"


@dataclass(frozen=True)
class Options:
    """Which images to look at.

    images, infos: topics, as for `find_cameras`.
    depth: whether to use depth.
    depths, depth_infos: topics, as for `find_depth`; if none are given, those of the config, if it has any.
    every: look at each n-th image of a camera.
    overwrite: replace the target if it exists.
    """

    images: Sequence[str] = ()
    infos: Sequence[str] = ()
    depth: bool = True
    depths: Sequence[str] = ()
    depth_infos: Sequence[str] = ()
    every: int = 1
    overwrite: bool = False


@dataclass
class Result:
    """What became of a bag.

    recorded: seconds from the bag's first message to its last.
    seconds: that this run took.
    remembered: calls of the estimator that an earlier run had answered already.
    images, answered, found: images looked at, those answered, and those with a pose found.
    with_depth, found_by_depth: images that had depth, and those with a pose that used it.
    dropped: images without an answer, by reason.
    without_depth: images that were to have depth and had none, by reason.
    without_plane: images answered without the plane of `support_frame`, by reason.
    """

    recorded: float
    seconds: float = 0.0
    remembered: int = 0
    images: int = 0
    answered: int = 0
    found: int = 0
    with_depth: int = 0
    found_by_depth: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    without_depth: Counter[str] = field(default_factory=Counter)
    without_plane: Counter[str] = field(default_factory=Counter)


def add_poses(
    source: Path,
    target: Path,
    config: NodeConfig,
    options: Options = Options(),
    progress: Callable[[int], object] = lambda images: None,
    warn: Callable[[str], object] = lambda text: None,
    say: Callable[[str], object] = lambda text: None,
) -> Result:
    """Copies the bag `source` to `target` and adds the poses of the objects in its images, on /tf and as detections.

    progress: called after each image with the number of images so far.
    warn: called with what the user should know, such as the image topics that are left out.
    say: called with what was chosen.
    InputError: it failed; the answers so far are kept beside `target` for the next run.
    """
    start = time.monotonic()
    bag = open_bag(source)
    _check_target(bag, target, options.overwrite)
    cameras, left_out = find_cameras(bag, options.images, options.infos, bool(config.camera_file))
    fixed = load_camera(config.camera_file) if config.camera_file else None
    infos: dict[str, bytes] = {}
    if not fixed:
        cameras, infos, uncalibrated = _calibrated(bag, cameras, config.rectified)
        left_out |= uncalibrated
    if options.depth:
        depths = options.depths or _given(config.depth_topic)
        cameras, without = find_depth(bag, cameras, depths, options.depth_infos or _given(config.depth_info_topic))
        left_out = {topic: why for topic, why in left_out.items() if topic not in {c.depth for c in cameras}} | without
    for camera in cameras:
        if camera.depth:
            how = f"registered by {camera.depth_info} and TF" if camera.depth_info else "aligned to the images"
            say(f"depth of {camera.image}: {camera.depth}, {how}")
    for topic, why in left_out.items():
        warn(f"{topic} is left out: {why}")
    models = [find_model(name) for name in config.model]
    with Journal(target.with_name(f"{target.name}.journal"), _key(bag, cameras, models, config, options)) as journal:
        views, tree, remembered = _open_cameras(bag, cameras, fixed, infos, config, models, journal)
        _check_topics(bag, views)
        with bag_writer(target, bag.profile, bag.compression, bag.qos) as writer:
            reader = Ahead(bag, views, tree)
            _process(bag, reader, views, writer, options.every, progress)
            result = Result(bag.seconds, remembered=remembered)
            _add_counts(result, bag, views, warn)
        journal.discard()
    result.seconds = time.monotonic() - start
    return result


def _given(topic: str) -> tuple[str, ...]:
    return (topic,) if topic else ()


def _check_target(bag: Bag, target: Path, overwrite: bool) -> None:
    if target.is_dir():
        raise InputError(f"{target}: expected a file to write, this is a folder")
    if target.exists():
        if any(target.samefile(file) for file in bag.files):
            raise InputError(f"{target}: is the bag that is read; the result needs a file of its own")
        if not overwrite:
            raise InputError(f"{target}: exists already; another name, or --overwrite to replace it")
    folder = next(parent for parent in target.absolute().parents if parent.exists())
    free, needed = shutil.disk_usage(folder).free, int(bag.size * ROOM)
    if free < needed:
        raise InputError(f"{target}: expected {needed / 1e9:.1f} GB free on its disk, {free / 1e9:.1f} GB are")


def _calibrated(
    bag: Bag, cameras: Sequence[CameraTopics], rectified: bool
) -> tuple[list[CameraTopics], dict[str, bytes], dict[str, str]]:
    """The cameras whose first camera info can be used, these camera infos by topic, and why the others are left out.

    The first camera info also serves the images before it. InputError: not a single one can be used.
    """
    found = bag.first_messages({camera.info for camera in cameras})
    bad: dict[str, str] = {}
    for topic, data in found.items():
        try:
            read_camera_info(data, rectified)
        except InputError as error:  # noqa: PERF203 - one reason each
            bad[topic] = f"{topic}: {error}"
    good = [camera for camera in cameras if camera.info not in bad]
    if not good:
        raise InputError(f"{bag.path}: {next(iter(bad.values()))} (or give --camera FILE in its place)")
    left_out = {camera.image: bad[camera.info] for camera in cameras if camera.info in bad}
    return with_namespaces(good), {topic: data for topic, data in found.items() if topic not in bad}, left_out


def _key(
    bag: Bag, cameras: Sequence[CameraTopics], models: Sequence[Path], config: NodeConfig, options: Options
) -> Mapping[str, Any]:
    """All that the estimator's answers depend on.

    The bag's files are named by size and time of change: hashing them would take as long as reading them.
    """
    files = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in bag.files]
    camera_file = Path(config.camera_file).read_text(encoding="utf-8") if config.camera_file else ""
    settings = {name: value for name, value in vars(config).items() if name not in ("frame_prefix", "frame_id")}
    return {
        "version": pose_regressor.__version__,
        "answers": ESTIMATE.descr,
        "bag": files,
        "cameras": [vars(camera) for camera in cameras],
        "models": [hashlib.sha256(model.read_bytes()).hexdigest() for model in models],
        "settings": settings,
        "camera": camera_file,
        "every": options.every,
    }


def _open_cameras(
    bag: Bag,
    cameras: Sequence[CameraTopics],
    fixed: Camera | None,
    infos: Mapping[str, bytes],
    config: NodeConfig,
    models: Sequence[Path],
    journal: Journal,
) -> tuple[list[BagCamera], TransformTree, int]:
    # Imported late: errors in the bag should be reported before.
    from pose_regressor.estimation.estimator import PoseEstimator
    from pose_regressor.tracking.tracker import Tracker

    looking = PoseEstimator(list(models), config.device, config.score_threshold, *config.runs, config.on_plane)
    estimator: Any = RememberingEstimator(looking, journal)
    views = []
    tree = TransformTree(TF_PATIENCE)
    first = bag.first_messages({camera.depth_info for camera in cameras})
    for camera in cameras:  # each has a tracker of its own
        depth = BagDepth(camera, config, tree if camera.depth_info else None) if camera.depth else None
        tracker = Tracker(estimator, config.follow, config.objects, config.smooth)
        views.append(BagCamera(camera, fixed, config, tracker, depth, tree))
        if camera.info in infos:
            views[-1].on_info(infos[camera.info])
        if depth and camera.depth_info in first:
            depth.on_info(first[camera.depth_info])
    return views, tree, estimator.remembered


def _check_topics(bag: Bag, views: Sequence[BagCamera]) -> None:
    """InputError if the added messages do not fit in with the bag's topics."""
    types = {topic.name: (topic.type, topic.encoding) for topic in bag.counts}
    expected = (idl.TFMessage.ros_type, "cdr")
    if types.get(TF, expected) != expected:
        raise InputError(f"{bag.path}: expected {expected[0]} on {TF}, got {' '.join(types[TF])}")
    for view in views:
        if view.detections in types:
            raise InputError(f"{bag.path}: has {view.detections} already, so the poses were added before")


def _process(
    bag: Bag,
    reader: Ahead,
    views: Sequence[BagCamera],
    writer: BagWriter,
    every: int,
    progress: Callable[[int], object],
) -> None:
    by_image = {view.topics.image: view for view in views}
    by_info: dict[str, list[BagCamera]] = {}
    for view in views:
        by_info.setdefault(view.topics.info, []).append(view)
    seen: Counter[str] = Counter()
    if TF in bag.channels:
        writer.continue_topic(*bag.channels[TF])
    for record in reader.records():
        writer.copy(record)
        if not isinstance(record, Recorded):
            continue
        topic = record.channel.topic
        for view in by_info.get(topic, ()):
            view.on_info(record.message.data)
        if topic in by_image:
            seen[topic] += 1
            if (seen[topic] - 1) % every == 0:
                for name, message, depth in by_image[topic].answer(record):
                    writer.add(name, message, record.message.log_time, depth)
            progress(seen.total())


def _add_counts(result: Result, bag: Bag, views: Sequence[BagCamera], warn: Callable[[str], object]) -> None:
    """Adds up what became of all cameras' images. InputError: none of them could be used."""
    useless = []
    for view in views:
        result.images += view.counts["images"]
        result.answered += view.counts["answered"]
        result.found += view.counts["found"]
        result.found_by_depth += view.counts["found by depth"]
        result.dropped += view.dropped
        if view.depth:
            result.with_depth += view.depth.input.counts.processed
            result.without_depth += view.depth.input.counts.dropped
        if view.plane:
            result.without_plane += view.plane.without
        if not view.counts["answered"]:
            reason, count = next(iter(view.dropped.most_common(1)), ("no image", 0))
            example = view.examples.get(reason, reason)
            useless.append(f"{view.topics.image}: none of {count} images can be used ({example})")
    if len(useless) == len(views):
        raise InputError(f"{bag.path}: {'; '.join(useless)}")
    for text in useless:
        warn(text)
