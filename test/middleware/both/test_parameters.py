"""Parameters of either node changed while it runs, over the wire."""

BOOL, DOUBLE, STRING, STRINGS = 1, 3, 4, 9


def test_a_threshold(living):
    peer = living.peer
    peer.send_info()
    peer.send_image(10, stamp=1)
    peer.pose_at(1, 1.0)
    assert peer.set_parameter("score_threshold", type=DOUBLE, double_value=0.8) == ""
    peer.take(peer.detections)
    peer.send_image(10, stamp=2)
    (message,) = peer.take(peer.detections)
    assert (message.header.stamp.sec, message.detections) == (2, [])
    assert peer.set_parameter("score_threshold", type=DOUBLE, double_value=0.7) == ""
    peer.send_image(10, stamp=3)
    peer.pose_at(3, 1.0)


def test_the_overlay(living, wire):
    peer = living.peer
    peer.send_info(width=64, height=48, k=(50.0, 0, 31.5, 0, 50, 23.5, 0, 0, 1))
    overlays = peer.overlay_reader()
    wire.until(lambda: overlays.matched_pub, "the overlay's writer")
    peer.send_image(10, stamp=1, width=64, height=48)
    peer.take(overlays, "an overlay")
    assert peer.set_parameter("overlay", type=BOOL, bool_value=False) == ""
    for stamp in (2, 3):
        peer.send_image(10, stamp, width=64, height=48)
        peer.pose_at(stamp, 1.0)
    assert peer.set_parameter("overlay", type=BOOL, bool_value=True) == ""
    peer.send_image(10, stamp=4, width=64, height=48)
    stamps = [overlay.header.stamp.sec for overlay in peer.take(overlays, "an overlay")]
    assert stamps == [4]
    overlays.__del__()


def test_the_rate(living, wire):
    """At one image in a thousand seconds, none after the first."""
    peer = living.peer
    peer.send_info()
    assert peer.set_parameter("max_rate", type=DOUBLE, double_value=0.001) == ""
    reader = peer.diagnostics_reader()
    peer.send_image(10, stamp=10)
    peer.pose_at(10, 1.0)
    for stamp in range(11, 16):
        peer.send_image(10, stamp)
    key = "Dropped since startup: over max_rate"
    peer.diagnostics(reader, lambda _: True, "a report")
    wire.until(
        lambda: peer.diagnostics(reader, lambda _: True, "a report")[f"{wire.NODE}: images"].get(key) == "5", key
    )
    assert peer.set_parameter("max_rate", type=DOUBLE, double_value=0.0) == ""
    peer.send_image(10, stamp=16)
    peer.pose_at(16, 1.0)
    reader.__del__()


def test_what_is_refused(living):
    peer = living.peer
    for name, value, words in (
        ("score_threshold", {"type": DOUBLE, "double_value": 1.5}, "1.5"),
        ("objects", {"type": STRINGS, "string_array_value": ["mug"]}, "objects: expected crate, got mug"),
        ("max_rate", {"type": STRING, "string_value": "fast"}, "max_rate"),
        ("model", {"type": STRINGS, "string_array_value": ["mug"]}, "model"),
        ("device", {"type": STRING, "string_value": "cuda"}, "device"),
        ("scroe_threshold", {"type": DOUBLE, "double_value": 0.5}, "scroe_threshold"),
        ("follow", {}, "follow"),
    ):
        reason = peer.set_parameter(name, **value)
        assert words in reason or "read-only" in reason, (name, reason)
    peer.send_info()
    peer.send_image(10, stamp=20)
    peer.pose_at(20, 1.0)
