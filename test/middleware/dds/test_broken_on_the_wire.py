"""Broken images through a real participant to the node as a process; test/fuzz has many more of them without."""

import contextlib
import random
import re
import sys
from pathlib import Path

import pytest

pytest.importorskip("cyclonedds")
from cyclonedds.core import DDSException

sys.path.insert(0, str(Path(__file__).parents[2] / "fuzz"))
import fuzz_messages
from fuzz_mutations import mutate

#: Images are read from a queue of five: AT_ONCE broken ones and a whole one fit.
TRIES, AT_ONCE = 300, 4
#: Stamps of the whole ones, seconds.
WHOLE = 2_000_000_000


def test_every_one_is_counted(start_dds, peer, wire):
    node = start_dds(image_reliability="reliable")
    peer.match()
    peer.calibrate()
    rng, sent = random.Random(0), 0
    sample = wire.Image(wire.Header(wire.Time(0, 0), ""), 0, 0, "", 0, 0, [])
    for number in range(TRIES):
        data = fuzz_messages.image(rng).serialize()
        data = mutate(rng, data) if number % 2 else data
        sample.serialize = lambda *_, raw=data, **__: raw  # the bytes as they are
        with contextlib.suppress(DDSException):  # not even a header: Cyclone does not send it
            peer.images.write(sample)
            sent += 1
        if number % AT_ONCE == AT_ONCE - 1:  # the node has taken all before it once it answers a whole one
            stamp = WHOLE + number
            peer.send_image(30, stamp=stamp)
            peer.pose_at(stamp, 3.0)
    assert node.end()[0] == 0
    text = node.text
    received, processed, dropped = map(int, re.search(r"(\d+) received, (\d+) processed, (\d+) dropped", text).groups())
    assert received == processed + dropped
    assert received > sent + TRIES // AT_ONCE  # calibrate sends some, too
    assert sent > TRIES / 2
    assert dropped > sent / 3
    assert "Traceback" not in text
    for reason in re.findall("internal error.*", text):
        assert "internal error RuntimeError" in reason  # the stand-in's own, for a white pixel
