"""Broken images through a real session to the node as a process; test/fuzz has many more of them in one process."""

import random
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "fuzz"))
import fuzz_messages
from fuzz_mutations import mutate

TRIES = 300


def test_every_one_is_counted(start_zenoh, peer, wire):
    node = start_zenoh(image_reliability="reliable")
    peer.match()
    peer.calibrate()
    rng = random.Random(0)
    for number in range(TRIES):
        data = fuzz_messages.image(rng).serialize()
        peer.images.put(mutate(rng, data) if number % 2 else data)
        peer.state()  # an answer in between: a queue of five is what the node has, so that a busy one misses some
    peer.send_image(30, stamp=2)
    peer.pose_at(2, 3.0)
    assert node.end()[0] == 0
    text = node.text
    received, processed, dropped = map(int, re.search(r"(\d+) received, (\d+) processed, (\d+) dropped", text).groups())
    assert received == processed + dropped
    assert received > TRIES / 2
    assert dropped > received / 3
    assert "Traceback" not in text
    for reason in re.findall("internal error.*", text):
        assert "internal error RuntimeError" in reason  # the stand-in's own, for a white pixel


STRANGE = (
    *("nonsense", "a/b/c/NN/%/%/x", "ab/0/1/MP/%/%/x/%image/type/hash/qos", "ab/0/1/XX/%/%/x/%image/type/hash/::,7:"),
    "a" * 9999,
)


def test_tokens_and_samples_that_are_none(start_zenoh, peer, wire):
    """What others may put beside ROS 2's: the node goes on."""
    node = start_zenoh(image_reliability="reliable")
    peer.match()
    session, prefix = peer.session, f"@ros2_lv/{peer.domain}"
    kept = [session.liveliness().declare_token(f"{prefix}/{rest}") for rest in STRANGE]
    session.delete(peer.images.key)
    session.put(peer.images.key, b"")
    session.put(peer.images.key, "text", attachment=b"no attachment")
    peer.calibrate()
    peer.send_image(30, stamp=2)
    peer.pose_at(2, 3.0)
    assert len(kept) == len(STRANGE)
    assert node.end()[0] == 0
    assert "Traceback" not in node.text
