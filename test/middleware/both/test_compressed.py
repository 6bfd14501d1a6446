"""Compressed images to either node."""

import cv2
import numpy as np


def test_jpeg_and_png(start, make_peer, until):
    node = start(image_transport="compressed", image_reliability="reliable")
    peer = make_peer(compressed=True)
    peer.match()
    peer.send_info(width=64, height=48, k=(50.0, 0, 31.5, 0, 50, 23.5, 0, 0, 1))
    for stamp, extension in enumerate((".jpg", ".png"), start=1):
        data = cv2.imencode(extension, np.full((48, 64, 3), 10 * stamp, np.uint8))[1].tobytes()
        peer.send_compressed(data, stamp)
        peer.pose_at(stamp, 1.0 * stamp)
    peer.send_compressed(b"rubbish", 3)
    until(lambda: "frame dropped: image: expected JPEG or PNG" in node.text, "the reason in the log")
    peer.send_compressed(data, 4)
    peer.pose_at(4, 2.0)
    assert node.end()[0] == 0
    assert "4 received, 3 processed, 1 dropped (1 image: expected JPEG or PNG)" in node.text
