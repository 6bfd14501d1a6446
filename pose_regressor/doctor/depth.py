"""Checks whether depth is what the node needs: its topics, unit, alignment and clock."""

from __future__ import annotations

import statistics

import numpy as np

from pose_regressor.doctor import Finding, error, ok, warn
from pose_regressor.doctor.network import IMAGE_TYPES, INFO_TYPE, mismatch_of, near_misses, upwards
from pose_regressor.doctor.seen import Seen
from pose_regressor.files.cameras import load_camera
from pose_regressor.geometry.camera_info import camera_from_info
from pose_regressor.middleware.messages.depth import depth_from_message, is_compressed
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.types import NANOSECONDS, Camera, InputError, check_depth_unit

#: Pixels by which the matrices of two cameras may differ that are the same.
SAME = 1.0
#: With depth for a smaller share of the images, the tolerance or the clocks are wrong.
ENOUGH = 0.9
UNALIGNED = "take the topic of aligned depth, or give its camera info: --depth-info-topic"


def info_beside(depth_topic: str) -> str:
    """Where the camera info of a depth topic is by convention: beside the image's topic without its transport."""
    base = depth_topic.rpartition("/")[0] if is_compressed(depth_topic) else depth_topic
    return f"{base.rpartition('/')[0]}/camera_info"


def check_depth(seen: Seen, config: NodeConfig, depth_topic: str, info_topic: str) -> list[Finding]:
    """All findings about depth.

    depth_topic: full name; '' if depth is off; info_topic: full name of its camera info; that of `info_beside` if depth
    is aligned.
    """
    if not seen.participants:
        return []
    if not depth_topic:
        return [_off(seen)]
    aligned = not config.depth_info_topic
    camera, about_info = _depth_camera(seen, config, info_topic)
    findings = [_images(seen, config, depth_topic, _image_camera(seen, config) if aligned else camera, aligned)]
    if not aligned:
        findings.append(about_info)
    if seen.images and seen.depths:
        same = _aligned(seen, config, camera, info_topic) if aligned else _connected(seen, config)
        findings += [same, _clock(seen, config.depth_tolerance)]
    return findings


def _off(seen: Seen) -> Finding:
    there = sorted({p.topic for p in seen.publishers if "depth" in p.topic and p.type in IMAGE_TYPES.values()})
    return ok("depth", f"off; by their names these are depth (--depth-topic): {', '.join(there)}" if there else "off")


def _image_camera(seen: Seen, config: NodeConfig) -> Camera | None:
    try:
        if config.camera_file:
            return load_camera(config.camera_file)
        return camera_from_info(seen.info, config.rectified) if seen.info else None
    except InputError:
        return None  # which is an error of its own


def _depth_camera(seen: Seen, config: NodeConfig, topic: str) -> tuple[Camera | None, Finding]:
    """The depth camera, if it can be used, and what was found."""
    check, publishers = "depth camera info", seen.of(topic)
    if not publishers:
        return None, error(check, f"nobody publishes {topic}", near_misses(seen, topic, (INFO_TYPE,)))
    if mismatch := mismatch_of(publishers, topic, INFO_TYPE, config.depth_reliability == "reliable", depth=True):
        return None, error(check, *mismatch)
    if seen.depth_info is None:
        text = seen.unreadable.get(topic, f"nothing came within {seen.seconds:g} s")
        return None, error(check, f"{topic}: {text}", "is the depth camera running?")
    try:
        camera = camera_from_info(seen.depth_info, config.depth_rectified)
    except InputError as reason:
        return None, error(check, f"{topic}: {reason}", "calibrate the depth camera, or take aligned depth")
    matrix = camera.matrix
    size = f"{camera.width}x{camera.height}, fx {matrix[0, 0]:.1f}, fy {matrix[1, 1]:.1f}"
    return camera, ok(check, f"{topic}: {size}, {camera.distortion_model}")


def _images(seen: Seen, config: NodeConfig, topic: str, camera: Camera | None, aligned: bool) -> Finding:
    check, publishers = "depth", seen.of(topic)
    if not publishers:
        return error(check, f"nobody publishes {topic}", near_misses(seen, topic, tuple(IMAGE_TYPES.values())))
    kind = IMAGE_TYPES[is_compressed(topic)]
    if mismatch := mismatch_of(publishers, topic, kind, config.depth_reliability == "reliable", depth=True):
        return error(check, *mismatch)
    if not seen.depths:
        text = seen.unreadable.get(topic, f"no depth came within {seen.seconds:g} s")
        return error(check, f"{topic}: {text}", "is the camera's depth switched on?")
    rate = (len(seen.depths) - 1) / max((seen.depths[-1].at - seen.depths[0].at) / NANOSECONDS, 1e-9)
    text = f"{topic}: {rate:.1f} Hz"
    if camera is None:
        return ok(check, f"{text}, not read since its camera is not known")
    try:
        depth = depth_from_message(seen.depth, camera, aligned)
        check_depth_unit(depth)
    except InputError as reason:
        return error(check, f"{topic}: {reason}", UNALIGNED if "size" in reason.reason else "name another topic")
    measured = depth[(depth > 0) & (depth < np.inf)]
    if not len(measured):
        return warn(check, f"{topic}: nothing is measured in the last image", "is the sensor covered, or too near?")
    form = getattr(seen.depth, "encoding", "") or seen.depth.format
    share = 100 * len(measured) / depth.size
    return ok(check, f"{text}, {form}, {share:.0f} % of the pixels measured, median {np.median(measured):.2f} m")


def _aligned(seen: Seen, config: NodeConfig, depth_camera: Camera | None, info_topic: str) -> Finding:
    """Whether depth that should be aligned comes from the image's own camera."""
    check = "depth alignment"
    image_frame, depth_frame = seen.images[-1].frame_id, seen.depths[-1].frame_id
    if depth_frame and depth_frame != image_frame and not config.frame_id:
        text = f"depth is in the frame {depth_frame!r}, the images are in {image_frame!r}: it is not aligned"
        found = info_topic if depth_camera else "TOPIC"
        return error(check, text, f"{UNALIGNED} {found}; if it is aligned, set frame_id")
    camera = _image_camera(seen, config)
    if depth_camera is None or camera is None:
        return ok(check, f"depth is in the frame of the images, {image_frame}")
    sizes = [(c.width, c.height) for c in (depth_camera, camera)]
    if sizes[0] != sizes[1] or np.abs(depth_camera.matrix - camera.matrix).max() > SAME:
        fx = f"fx {depth_camera.matrix[0, 0]:.1f}, that of the images {camera.matrix[0, 0]:.1f}"
        text = f"the camera info beside depth, {info_topic}, is another camera's than the images': {fx}"
        return error(check, text, f"{UNALIGNED} {info_topic}")
    return ok(check, f"depth has the frame and the camera matrix of the images ({info_topic})")


def _connected(seen: Seen, config: NodeConfig) -> Finding:
    """Whether TF knows the depth camera's place."""
    check = "depth frames"
    image_frame, depth_frame = config.frame_id or seen.images[-1].frame_id, seen.depths[-1].frame_id
    if not depth_frame:
        return error(check, "depth has no frame_id", "set the depth driver's")
    if depth_frame == image_frame:
        return ok(check, f"depth is in the frame of the images, {image_frame}")
    parents: dict[str, set[str]] = {}
    for edge in seen.edges:
        parents.setdefault(edge.child, set()).add(edge.parent)
    if upwards(depth_frame, parents)[-1] == upwards(image_frame, parents)[-1]:
        return ok(check, f"{depth_frame} is connected to {image_frame}")
    return error(
        check,
        f"{depth_frame}, the frame of depth, is not connected to {image_frame}",
        "let the camera's driver publish the place of its sensors on /tf_static (publish_tf), or take aligned depth",
    )


def _clock(seen: Seen, tolerance: float) -> Finding:
    """Whether images and depth are stamped alike."""
    check = "depth clock"
    depths = np.array([arrival.stamp for arrival in seen.depths], np.float64) / NANOSECONDS
    images = np.array([arrival.stamp for arrival in seen.images], np.float64) / NANOSECONDS
    nearest = np.array([np.abs(depths - image).min() for image in images])
    between = (images >= depths.min() - tolerance) & (images <= depths.max() + tolerance)
    typical = statistics.median(nearest[between] if between.any() else nearest)
    if not between.any() or typical > 1:
        text = f"depth is stamped {typical:.1f} s from the images"
        return error(check, text, "let both be stamped by the same clock")
    share = float((nearest[between] <= tolerance).mean())
    apart = f"typically {1000 * typical:.0f} ms apart"
    text = f"{100 * share:.0f} % of the images have depth within {tolerance:g} s, {apart}"
    if share < ENOUGH:
        return warn(check, text, "raise depth_tolerance, or let the camera take both at the same time and rate")
    return ok(check, text)
