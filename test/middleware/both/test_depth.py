"""Depth over the wire to either node: aligned, and of another camera that TF places."""

import struct
from itertools import count

import cv2
import numpy as np
import pytest

OK, WARN = 0, 1
METRES = {"encoding": "32FC1", "size": 4, "kind": np.float32, "unit": 1.0}
MILLIMETRES = {"encoding": "16UC1", "size": 2, "kind": np.uint16, "unit": 1000.0}
RELIABLE = {"image_reliability": "reliable", "depth_reliability": "reliable"}


class DepthCamera:
    """Beside the peer's camera; its endpoints must be made before the two sides match."""

    def __init__(self, peer, wire, topic="depth", static=False):
        self.peer, self.wire = peer, wire
        kind = wire.CompressedImage if topic.endswith("compressedDepth") else wire.Image
        self.depths = peer.writer(f"rt/{topic}", kind)
        if static:
            self.infos = peer.writer("rt/depth_info", wire.CameraInfo)
            self.static = peer.writer("rt/tf_static", wire.TFMessage, wire.STATIC_QOS)

    def header(self, stamp, frame_id):
        return self.wire.Header(self.wire.Time(stamp, 5), frame_id)

    def send(self, metres, stamp, frame_id="optical", form=METRES):
        height, width = metres.shape
        data = list((metres * form["unit"]).astype(form["kind"]).tobytes())
        step = width * form["size"]
        header = self.header(stamp, frame_id)
        self.depths.write(self.wire.Image(header, height, width, form["encoding"], 0, step, data))
        self.peer.state()  # a question that is answered after what was sent before it

    def send_compressed(self, metres, stamp):
        data = struct.pack("<iff", 0, 0.0, 0.0) + cv2.imencode(".png", (1000 * metres).astype(np.uint16))[1].tobytes()
        header = self.header(stamp, "optical")
        self.depths.write(self.wire.CompressedImage(header, "16UC1; compressedDepth png", list(data)))
        self.peer.state()

    def place(self, x):
        """The depth camera, x metres to the right of the camera."""
        wire = self.wire
        shift, turn = wire.Triple(x, 0.0, 0.0), wire.Quaternion(0.0, 0.0, 0.0, 1.0)
        transform = wire.TransformStamped(self.header(0, "optical"), "infrared", wire.Transform(shift, turn))
        self.static.write(wire.TFMessage([transform]))
        k, roi = [50.0, 0, 3.5, 0, 50, 2.5, 0, 0, 1], wire.RegionOfInterest(0, 0, 0, 0, False)
        header = self.header(0, "infrared")
        self.infos.write(wire.CameraInfo(header, 6, 8, "plumb_bob", [0.0] * 5, k, [0.0] * 9, [0.0] * 12, 0, 0, roi))
        self.peer.state()


def plane(metres, height=6, width=8):
    return np.full((height, width), metres, np.float32)


@pytest.mark.parametrize("form", [METRES, MILLIMETRES], ids=["metres", "millimetres"])
def test_aligned(start, peer, wire, form, until):
    node = start(depth_topic="depth", **RELIABLE)
    camera = DepthCamera(peer, wire)
    until(lambda: camera.depths.matched_sub, "the node's depth")
    peer.match()
    peer.send_info()
    camera.send(plane(2.5), 1, form=form)
    peer.send_image(10, stamp=1)
    peer.pose_at(1, 2.5)
    peer.send_image(10, stamp=5)  # of four seconds later
    peer.pose_at(5, 1.0)
    camera.send(plane(2.5, width=10), 6, form=form)
    peer.send_image(10, stamp=6)
    peer.pose_at(6, 1.0)
    reader = peer.diagnostics_reader()
    values = peer.diagnostics(
        reader, lambda said: said["depth"] == (WARN, "2 of 3 images without depth: depth: stamps seconds apart"), "WARN"
    )[f"{wire.NODE}: depth"]
    assert values["Images with depth since startup"] == "1"
    assert values["Without depth since startup: depth: size differs from the image"] == "1"
    assert node.end()[0] == 0
    assert "image without depth: depth: size differs from the image, got 10x6, expected 8x6; take" in node.text
    assert "Traceback" not in node.text


def test_compressed_and_after_its_image(start, peer, wire, until):
    start(depth_topic="depth/compressedDepth", depth_patience=1.0, depth_tolerance=1.0, **RELIABLE)
    camera = DepthCamera(peer, wire, "depth/compressedDepth")
    until(lambda: camera.depths.matched_sub, "the node's depth")
    peer.match()
    peer.send_info()
    camera.send_compressed(plane(2.5), 1)
    peer.send_image(10, stamp=1)
    peer.pose_at(1, 2.5)


def test_of_another_camera(start, peer, wire, until):
    node = start(depth_topic="depth", depth_info_topic="depth_info", **RELIABLE)
    camera = DepthCamera(peer, wire, static=True)
    until(lambda: all(w.matched_sub for w in (camera.depths, camera.infos, camera.static)), "the node's depth")
    peer.match()
    peer.send_info()

    def show(stamp, frame_id="infrared"):
        """A step in depth between the third and the fourth column."""
        depth = plane(4.0)
        depth[:, :3] = 2.0
        camera.send(depth, stamp, frame_id)
        peer.send_image(10, stamp=stamp)

    show(1)
    peer.pose_at(1, 1.0)
    until(lambda: "image without depth: depth: no camera info yet" in node.text, "the reason in the log")
    camera.place(0.08)
    # At two metres its columns lie two of the image's to the right: the step is behind the fifth.
    stamps = count(2)

    def seen():
        """The node hears of the transform at any time."""
        show(stamp := next(stamps))
        return peer.transform_at(stamp).transform.translation.z == 2.0

    until(seen, "depth of the other camera")
    show(stamp := next(stamps), "nowhere")
    peer.pose_at(stamp, 1.0)
    until(lambda: "nowhere is not known in optical" in node.text, "the reason in the log")
    assert node.end()[0] == 0
    assert "Traceback" not in node.text
