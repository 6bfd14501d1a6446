"""Either node as a process of its own, against an independent participant: what goes in, what comes out."""

import numpy as np
import pytest


def test_image_in_transform_and_detection_out(start, peer):
    node = start(frame_prefix="seen/")
    peer.match()
    peer.send_info()
    peer.send_image(15, stamp=1_700_000_000)
    (transform,) = peer.take_tf()
    assert (transform.header.stamp.sec, transform.header.stamp.nanosec) == (1_700_000_000, 5)
    assert (transform.header.frame_id, transform.child_frame_id) == ("optical", "seen/crate_0")
    t, q = transform.transform.translation, transform.transform.rotation
    assert (t.x, t.y, t.z) == (0.1, -0.2, 1.5)
    np.testing.assert_allclose((q.x, q.y, q.z, q.w), (0, 0, np.sqrt(0.5), np.sqrt(0.5)), atol=1e-9)
    (message,) = peer.take(peer.detections)
    (detection,) = message.detections
    assert detection.results[0].hypothesis.class_id == "crate"
    assert detection.results[0].pose.covariance[::7] == [1, 2, 3, 4, 5, 6]
    assert (detection.bbox.size.x, detection.bbox.size.y, detection.bbox.size.z) == pytest.approx((0.2, 0.1, 0.2))

    peer.send_image(0, stamp=1_700_000_001)  # nothing to be seen
    (message,) = peer.take(peer.detections)
    assert (message.header.stamp.sec, message.detections) == (1_700_000_001, [])
    assert peer.tf.take(1) == []
    assert node.end()[0] == 0
    assert "2 received, 2 processed, none dropped" in node.text


def test_a_reliable_reader_and_other_frames(start, peer):
    start(image_reliability="reliable", frame_id="head")
    peer.match()
    peer.send_info()
    peer.send_image(20, stamp=3)
    (transform,) = peer.take_tf()
    assert (transform.header.frame_id, transform.child_frame_id) == ("head", "crate_0")


def test_overlay_is_drawn_for_readers_only(start, peer, until):
    node = start(image_reliability="reliable")
    peer.match()
    peer.send_info(width=64, height=48, k=(50.0, 0, 31.5, 0, 50, 23.5, 0, 0, 1))
    peer.send_image(10, stamp=1, width=64, height=48)
    peer.take_tf()
    reader, overlays = peer.overlay_reader(), []
    until(lambda: reader.matched_pub, "the overlay's writer")
    peer.introduce()
    peer.send_image(10, stamp=2, width=64, height=48)
    # The reader may still have come in time for the first.
    until(lambda: overlays.extend(peer.take(reader, "an overlay")) or overlays[-1].header.stamp.sec == 2, "the second")
    overlay = overlays[-1]
    assert (overlay.width, overlay.height, overlay.encoding, overlay.step) == (64, 48, "rgb8", 192)
    assert (overlay.header.stamp.sec, overlay.header.frame_id) == (2, "optical")
    assert set(overlay.data) != {10}, "something is drawn"
    assert node.end()[0] == 0
