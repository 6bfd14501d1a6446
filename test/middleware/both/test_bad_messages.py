"""Messages that cannot be used, sent to either node as a process of its own."""

import re


def test_bad_messages_cost_a_frame_and_never_the_node(start, peer, until):
    node = start(image_reliability="reliable")
    peer.match()

    def dropped(reason):
        until(lambda: reason in node.text, f"{reason!r} in the log")

    peer.send_image(1, stamp=1)
    dropped("frame dropped: no camera info yet")
    for changes, reason in (
        ({"k": (0.0,) * 9}, "camera info: expected a calibrated camera matrix K"),
        ({"k": (float("nan"),) * 9}, "camera info: expected a calibrated camera matrix K"),
        ({"model": "omni", "d": (0.1,) * 4}, "unknown distortion model, 'omni' is not known"),
        ({"width": 640, "height": 480}, "image: size differs from its camera info, got 8x6, expected 640x480"),
    ):
        peer.send_info(**changes)
        peer.send_image(1, stamp=1)
        dropped(reason)
    peer.send_info()
    for changes, reason in (
        ({"width": 0, "height": 0}, "expected at least one pixel, got 0x0"),
        ({"encoding": "h264"}, "encoding 'h264' is not known, expected one of rgb8, bgr8"),
        ({"data": [1] * 10}, "expected 144 bytes of data (step 24 x height 6), got 10"),
        ({"step": 7}, "expected a step of at least 24"),
    ):
        peer.send_image(1, stamp=1, **changes)
        dropped(reason)
    peer.send_image(255, stamp=1)
    dropped("internal error RuntimeError")

    peer.send_image(30, stamp=2)
    peer.pose_at(2, 3.0)
    assert node.end()[0] == 0
    assert "Traceback" not in node.text


def test_the_same_fault_is_said_once_and_counted(start, peer):
    node = start(image_reliability="reliable")
    peer.match()
    peer.send_info()
    for _ in range(20):
        peer.send_image(1, stamp=1, encoding="h264")
        peer.state()  # an answer in between, so that some have arrived
    node.end()
    assert node.text.count("[WARN]") + node.text.count("WARNING") == 1
    received, processed, dropped = map(
        int, re.search(r"(\d+) received, (\d+) processed, (\d+) dropped", node.text).groups()
    )
    assert 1 < received == dropped  # a busy node misses those that its queue had no room for
    assert processed == 0
