"""The plane that objects stand on, from TF, over the wire to either node."""

import math
from itertools import count

import pytest


def table(wire, height, tilt):
    """The frame of a table as /tf_static has it: so many metres from the camera, turned about x by so many radians."""
    shift = wire.Triple(0.3, 0.0, height)
    turn = wire.Quaternion(math.sin(tilt / 2), 0.0, 0.0, math.cos(tilt / 2))
    header = wire.Header(wire.Time(0, 0), "optical")
    return wire.TFMessage([wire.TransformStamped(header, "table", wire.Transform(shift, turn))])


def test_the_frame_of_the_table(start, peer, wire, until):
    node = start(support_frame="table", image_reliability="reliable")
    static = peer.writer("rt/tf_static", wire.TFMessage, wire.STATIC_QOS)
    until(lambda: static.matched_sub, "the node's transforms")
    peer.match()
    peer.send_info()
    peer.send_image(10, stamp=1)
    peer.pose_at(1, 1.0)  # as far as the stand-in sees it without a plane
    until(lambda: "image without its support plane: support_frame" in node.text, "the reason in the log")
    assert "table is not known in optical" in node.text
    tilt = math.radians(150)
    stamps = count(2)

    def away():
        """As the node says of the next image; it hears of the table at any time."""
        peer.send_image(10, stamp=(stamp := next(stamps)))
        return peer.transform_at(stamp).transform.translation.z

    static.write(table(wire, 2.0, tilt))
    until(lambda: away() == pytest.approx(-2.0 * math.cos(tilt)), "the table")
    static.write(table(wire, 2.0, 0.0))
    until(lambda: away() == 1.0, "the table upside down")
    until(lambda: "the camera is below table, expected the z axis to point up" in node.text, "the reason in the log")
    assert node.end()[0] == 0
    assert "Traceback" not in node.text
