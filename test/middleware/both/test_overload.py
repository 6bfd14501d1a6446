"""Sixty images a second to a node that takes a twentieth of one over each: the short form of benchmarks/overload.py."""

import re
import time


def test_every_image_is_accounted_for(start, peer, until):
    node = start(delay=0.05, image_reliability="reliable")
    peer.match()
    peer.calibrate()
    frames, answered = 120, []

    def last_is_answered():
        answered.extend(t.header.stamp.sec for m in peer.tf.take(100) for t in getattr(m, "transforms", ()))
        return answered[-1:] == [frames]

    begin = time.monotonic()
    for number in range(1, frames + 1):
        last_is_answered()
        time.sleep(max(0.0, begin + number / 60 - time.monotonic()))
        peer.send_image(10, stamp=number)
        peer.state()  # an answer in between: no more than the queue holds, whatever else this machine does
    until(last_is_answered, "the answer to the last image")
    assert node.end()[0] == 0
    counts = re.search(r"(\d+) received, (\d+) processed, (\d+) dropped \((\d+) superseded", node.text)
    received, processed, dropped, superseded = map(int, counts.groups())
    assert received == processed + dropped
    answered = [number for number in answered if number]  # without those of calibrate
    assert answered == sorted(set(answered))
    assert 0 < len(answered) < frames
    assert superseded >= frames - len(answered)
