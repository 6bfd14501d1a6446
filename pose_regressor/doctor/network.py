"""Checks whether the network has what the node needs, one thing after the other."""

from __future__ import annotations

import difflib
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from pose_regressor.doctor import Finding, error, ok, warn
from pose_regressor.doctor.peers import check_names, check_services, refusal
from pose_regressor.doctor.seen import Endpoint, Seen
from pose_regressor.geometry.camera_info import camera_from_info
from pose_regressor.middleware import missing
from pose_regressor.middleware.messages.compressed import image_from_compressed
from pose_regressor.middleware.messages.images import image_from_message
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.middleware.wire import idl
from pose_regressor.middleware.wire.type_hash import NO_HASH, type_hash
from pose_regressor.types import NANOSECONDS, Camera, InputError

IMAGE_TYPES = {False: "sensor_msgs/msg/Image", True: "sensor_msgs/msg/CompressedImage"}
INFO_TYPE = "sensor_msgs/msg/CameraInfo"
MESSAGES = {message.ros_type: message for message in (idl.Image, idl.CompressedImage, idl.CameraInfo)}
#: Seconds between a stamp and this machine's clock that transport can explain.
SKEW = 0.5
#: A stamp before this one comes from a simulation, or from a camera that counts since it was switched on.
SIMULATED = 1e9 * NANOSECONDS  # in 2001


def check_network(
    seen: Seen, config: NodeConfig, image_topic: str, info_topic: str, reach: Sequence[Finding], fixed_frame: str
) -> list[Finding]:
    """All findings, in the order in which to solve them.

    image_topic, info_topic: full names; reach: what was found of whom a node can reach; fixed_frame: TF frame that
    poses should be turned into, '' if there is none.
    """
    findings = list(reach)
    if not seen.participants:
        return findings  # all other checks would only say the same
    compressed = config.image_transport == "compressed"
    camera, about_info = (
        (None, ok("camera info", f"from {config.camera_file}"))
        if config.camera_file
        else check_info(seen, info_topic, config.camera_info_reliability == "reliable", config.rectified)
    )
    findings.append(
        check_images(seen, image_topic, IMAGE_TYPES[compressed], config.image_reliability == "reliable", camera)
    )
    if camera is not None:
        findings += check_rectification(image_topic, camera)
    findings.append(about_info)
    if seen.images:
        findings.append(check_clock(seen))
        findings.append(check_frames(seen, config.frame_id, fixed_frame))
    findings += [check_static_transforms(seen), check_names(seen), check_services(seen, bool(missing("ros2")))]
    return findings


def check_rectification(topic: str, camera: Camera) -> list[Finding]:
    """A rectified image looks like any other: only its topic's name can tell."""
    if "image_rect" not in topic or not camera.is_distorted:
        return []
    text = f"by its name {topic} is rectified, but the camera info's distortion is removed once more"
    return [warn("rectification", text, "set rectified to true, or take the raw images")]


def check_images(seen: Seen, topic: str, kind: str, reliable: bool, camera: Camera | None) -> Finding:
    """kind: the message type that is expected; camera: the one that took the images, if it is known."""
    check = "images"
    publishers = seen.of(topic)
    if not publishers:
        return error(check, f"nobody publishes {topic}", near_misses(seen, topic, tuple(IMAGE_TYPES.values())))
    if mismatch := mismatch_of(publishers, topic, kind, reliable):
        return error(check, *mismatch)
    if seen.unreadable and not seen.images:
        return error(
            check, f"{topic}: {next(iter(seen.unreadable))}", "the publisher sends something else than it says"
        )
    if not seen.images:
        return error(
            check,
            f"{topic} has a publisher, but no image came within {seen.seconds:g} s",
            "is the camera running (ros2 topic hz)? Large images get lost where socket buffers are small: "
            f"sysctl -w net.core.rmem_max=4194304, or image_transport compressed{refusal(publishers)}",
        )
    if unusable := _unusable_image(seen.image, topic, kind, camera):
        return unusable
    rate = (len(seen.images) - 1) / max((seen.images[-1].at - seen.images[0].at) / NANOSECONDS, 1e-9)
    many = f", from {len(publishers)} publishers" if len(publishers) > 1 else ""
    return ok(check, f"{topic}: {len(seen.images)} images in {seen.seconds:g} s, {rate:.1f} Hz{many}")


def _unusable_image(image: Any, topic: str, kind: str, camera: Camera | None) -> Finding | None:
    """Why the node could not use this image; None if it could."""
    try:
        if kind == IMAGE_TYPES[True]:
            if camera is not None:
                image_from_compressed(image, camera)
            return None
        image_from_message(image)
    except InputError as reason:
        return error("images", f"{topic}: {reason}", "set the driver's encoding or format to one that is known")
    if camera is None or (image.width, image.height) == (camera.width, camera.height):
        return None
    return error(
        "images",
        f"{topic}: images of {image.width}x{image.height}, but their camera info is for {camera.width}x{camera.height}",
        "calibrate at the size that is published, or let the driver publish both from one pipeline",
    )


def check_info(seen: Seen, topic: str, reliable: bool, rectified: bool) -> tuple[Camera | None, Finding]:
    """The camera, if it can be used, and what was found."""
    check = "camera info"
    publishers = seen.of(topic)
    if not publishers:
        advice = near_misses(seen, topic, (INFO_TYPE,))
        return None, error(check, f"nobody publishes {topic}", f"{advice}; or give --camera FILE")
    if mismatch := mismatch_of(publishers, topic, INFO_TYPE, reliable):
        return None, error(check, *mismatch)
    if topic in seen.unreadable and seen.info is None:
        text = f"{topic}: {seen.unreadable[topic]}"
        return None, error(check, text, "the publisher sends something else than it says")
    if seen.info is None:
        return None, error(
            check,
            f"{topic} has a publisher, but nothing came within {seen.seconds:g} s",
            f"drivers publish it with every image: is the camera running? Or give --camera FILE{refusal(publishers)}",
        )
    try:
        camera = camera_from_info(seen.info, rectified)
    except InputError as reason:
        return None, error(check, f"{topic}: {reason}", "calibrate the camera (camera_calibration), or --camera FILE")
    frames = {arrival.frame_id for arrival in seen.images[-1:] + seen.infos[-1:]}
    if len(frames) > 1:
        text = f"{topic} is in the frame {seen.infos[-1].frame_id!r}, the images are in {seen.images[-1].frame_id!r}"
        return camera, warn(check, text, "are they of the same camera? The frame of the images counts")
    matrix = camera.matrix
    size = f"{camera.width}x{camera.height}, fx {matrix[0, 0]:.1f}, fy {matrix[1, 1]:.1f}"
    return camera, ok(check, f"{topic}: {size}, {camera.distortion_model}")


def mismatch_of(
    publishers: list[Endpoint], topic: str, kind: str, reliable: bool, depth: bool = False
) -> tuple[str, str] | None:
    """Why no publisher reaches a reader of this type and QoS, and what to do; None if one does.

    depth: whether the topic is one of depth.
    """
    if kind not in {publisher.type for publisher in publishers}:
        types = ", ".join(sorted({publisher.type for publisher in publishers}))
        return f"{topic} has the type {types}, expected {kind}", (
            "name another topic" if depth else "name another topic, or set image_transport"
        )
    here = type_hash(MESSAGES[kind])
    if all(publisher.type_hash == NO_HASH for publisher in publishers if publisher.type == kind):
        return (
            f"{topic} is published by ROS 2 Humble, whose messages over Zenoh no later ROS 2 receives",
            "use one distribution, or DDS on both sides",
        )
    if all(publisher.type_hash not in ("", here) for publisher in publishers if publisher.type == kind):
        return (
            f"{topic} is a {kind} of another definition than here: its messages cannot be read",
            "let both sides use ROS 2's own definition of this message",
        )
    if reliable and not any(publisher.reliable for publisher in publishers if publisher.type == kind):
        return (
            f"{topic} is published best effort, but the node asks for reliable: they never match",
            f"set {'depth_reliability' if depth else 'image_reliability or camera_info_reliability'} to best_effort, "
            "which accepts both",
        )
    return None


def near_misses(seen: Seen, topic: str, types: tuple[str, ...]) -> str:
    there = sorted({publisher.topic for publisher in seen.publishers if publisher.type in types})
    if not there:
        return f"no topic of {' or '.join(types)} is published in domain {seen.domain}: start the camera"
    near = difflib.get_close_matches(topic, there, n=1, cutoff=0.6)
    guess = f"did you mean {near[0]}? " if near else ""
    return f"{guess}published are: {', '.join(there)}"


def check_clock(seen: Seen) -> Finding:
    check = "clock"
    skews = [(arrival.at - arrival.stamp) / NANOSECONDS for arrival in seen.images]
    skew = statistics.median(skews)
    if abs(skew) < SKEW:
        return ok(check, f"images are stamped {skew * 1000:.0f} ms before they arrive")
    simulated = bool(seen.of("/clock"))
    if simulated or seen.images[-1].stamp < SIMULATED:
        text = f"images are stamped {seen.images[-1].stamp / NANOSECONDS:.1f} s, which is not this machine's time"
        if simulated:
            return warn(check, text, "/clock is published: set use_sim_time for all nodes that use the poses")
        return warn(check, text, "the camera counts since it was switched on: let its driver stamp with system time")
    side = "behind" if skew > 0 else "ahead of"
    return warn(
        check,
        f"image stamps are {abs(skew):.1f} s {side} this machine's clock",
        "tf2 will not find transforms at that time: synchronize the clocks (chrony, ptp); play a bag with --clock, and "
        "set use_sim_time",
    )


def check_frames(seen: Seen, frame_id: str, fixed_frame: str) -> Finding:
    """Whether a pose in the camera's frame can be turned into the fixed frame."""
    check = "frames"
    frame = frame_id or seen.images[-1].frame_id
    if not frame:
        return error(check, "the images have no frame_id", "set the driver's frame_id, or the parameter frame_id")
    parents: dict[str, set[str]] = {}
    for edge in seen.edges:
        parents.setdefault(edge.child, set()).add(edge.parent)
    torn = {child: found for child, found in parents.items() if len(found) > 1}
    if torn:
        child, found = next(iter(sorted(torn.items())))
        advice = "only one may publish it; give nodes a frame_prefix of their own"
        return error(check, f"{child} has several parents: {', '.join(sorted(found))}", advice)
    # The objects' poses hang below the camera's frame, so being a parent does not yet connect it to anything.
    known = set(parents) | {edge.parent for edge in seen.edges if edge.static or edge.parent != frame}
    chain = upwards(frame, parents)
    if fixed_frame:
        if upwards(fixed_frame, parents)[-1] == chain[-1] and fixed_frame in known:
            return ok(check, f"{frame} is connected to {fixed_frame}")
        missing = "is not on TF" if fixed_frame not in known else f"is not connected to {frame}"
        return error(
            check,
            f"{fixed_frame} {missing}; {frame} hangs below {chain[-1]}",
            f"publish the camera's mounting: ros2 run tf2_ros static_transform_publisher --frame-id {fixed_frame} "
            f"--child-frame-id {frame} --x ... (is robot_state_publisher running?)",
        )
    if frame in known:
        return ok(check, f"{frame} is on TF" + (f", below {chain[-1]}" if len(chain) > 1 else ""))
    return warn(
        check,
        f"{frame}, the frame of the images, is not on TF",
        "poses can be used only relative to the camera: publish its mounting (URDF, or static_transform_publisher)",
    )


def upwards(frame: str, parents: Mapping[str, set[str]]) -> list[str]:
    """The frame, its parent, and so on up to the root."""
    chain = [frame]
    while (above := parents.get(chain[-1])) and next(iter(above)) not in chain:
        chain.append(next(iter(above)))
    return chain


def check_static_transforms(seen: Seen) -> Finding:
    check = "static transforms"
    publishers = seen.of("/tf_static")
    if any(not publisher.transient_local for publisher in publishers):
        return warn(
            check,
            "a publisher of /tf_static is volatile: subscribers that come later never hear its transforms",
            "publish it transient local, as tf2's StaticTransformBroadcaster does",
        )
    return ok(check, f"{len([edge for edge in seen.edges if edge.static])} of {len(publishers)} publishers")
