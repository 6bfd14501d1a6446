"""Parameters of either node changed while it runs, over the wire."""

BOOL, DOUBLE, STRING, STRINGS = 1, 3, 4, 9


def test_a_threshold(fresh, wire):
    peer = fresh.peer
    peer.calibrate()
    peer.send_image(10, stamp=1)
    peer.pose_at(1, 1.0)
    assert peer.set_parameter("score_threshold", type=DOUBLE, double_value=0.8) == ""
    peer.send_image(10, stamp=2)
    found = []
    wire.until(lambda: found.extend(peer.detections.take(1)) or (found and found[-1].header.stamp.sec == 2), "image 2")
    assert found[-1].detections == []
    assert peer.set_parameter("score_threshold", type=DOUBLE, double_value=0.7) == ""
    peer.send_image(10, stamp=3)
    peer.pose_at(3, 1.0)


def test_the_overlay(fresh, wire):
    peer = fresh.peer
    peer.calibrate(64, 48)
    overlays = peer.overlay_reader()
    wire.until(lambda: overlays.matched_pub, "the overlay's writer")
    peer.introduce()
    peer.send_image(10, stamp=1, width=64, height=48)
    wire.until(lambda: peer.take(overlays, "an overlay")[-1].header.stamp.sec == 1, "the overlay of image 1")
    assert peer.set_parameter("overlay", type=BOOL, bool_value=False) == ""
    for stamp in (2, 3):
        peer.send_image(10, stamp, width=64, height=48)
        peer.pose_at(stamp, 1.0)
    assert peer.set_parameter("overlay", type=BOOL, bool_value=True) == ""
    peer.send_image(10, stamp=4, width=64, height=48)
    stamps = [overlay.header.stamp.sec for overlay in peer.take(overlays, "an overlay")]
    assert stamps == [4]
    overlays.__del__()


def test_the_rate(fresh, wire):
    """At one image in a thousand seconds, none after the first."""
    peer = fresh.peer
    peer.calibrate()
    assert peer.set_parameter("max_rate", type=DOUBLE, double_value=0.001) == ""
    reader = peer.diagnostics_reader()
    peer.send_image(10, stamp=10)
    peer.pose_at(10, 1.0)
    for stamp in range(11, 16):
        peer.send_image(10, stamp)

    def dropped():
        values = peer.diagnostics(reader, lambda _: True, "a report")
        return values[f"{wire.NODE}: images"].get("Dropped since startup: over max_rate") == "5"

    wire.until(dropped, "five dropped")
    assert peer.set_parameter("max_rate", type=DOUBLE, double_value=0.0) == ""
    peer.calibrate()
    reader.__del__()


def test_what_is_refused(fresh):
    peer = fresh.peer
    for name, value in (
        ("score_threshold", {"type": DOUBLE, "double_value": 1.5}),
        ("objects", {"type": STRINGS, "string_array_value": ["mug"]}),
        ("max_rate", {"type": STRING, "string_value": "fast"}),
        ("model", {"type": STRINGS, "string_array_value": ["mug"]}),
        ("device", {"type": STRING, "string_value": "cuda"}),
        ("scroe_threshold", {"type": DOUBLE, "double_value": 0.5}),
        ("follow", {}),
    ):
        assert peer.set_parameter(name, **value), f"{name} is refused, and the reason said"
    peer.calibrate()
    peer.send_image(10, stamp=20)
    peer.pose_at(20, 1.0)
