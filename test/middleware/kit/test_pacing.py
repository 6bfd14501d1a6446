"""When frames are due, and how a player finds a rate that a node keeps up with."""

import itertools
import time
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from pose_regressor.middleware.kit.pacing import RATES, TRIES, AnswerPace, Answers, paced
from pose_regressor.sources import open_source
from pose_regressor.types import Camera

CAMERA = Camera(64, 48, np.array([[60.0, 0, 31.5], [0, 60, 23.5], [0, 0, 1]]))
SECOND = 1_000_000_000


def images(folder, count):
    for number in range(count):
        cv2.imwrite(str(folder / f"{number:06d}.png"), np.full((48, 64, 3), number, np.uint8))
    return open_source(folder, CAMERA)


def test_frames_come_when_they_are_due(tmp_path):
    source = images(tmp_path, 12)
    start, before = time.monotonic(), time.time_ns()
    frames = list(paced(source, 100.0, "eye"))
    assert time.monotonic() - start >= 11 / 100
    stamps = [frame.stamp for frame in frames]
    assert stamps == sorted(stamps)
    assert before <= stamps[0]
    assert stamps[-1] <= time.time_ns()
    assert {frame.frame_id for frame in frames} == {"eye"}
    assert [frame.index for frame in frames] == list(range(12))


@pytest.mark.parametrize("rate", [50.0, lambda: 50.0])
def test_a_loop_keeps_the_rate_from_one_round_to_the_next(tmp_path, rate):
    """One picture as a camera: without a wait between the rounds it would come as fast as it can be sent."""
    source = images(tmp_path, 1)
    start = time.monotonic()
    frames = list(itertools.islice(paced(source, rate, loop=True), 6))
    assert time.monotonic() - start >= 5 / 50
    assert [frame.index for frame in frames] == [0] * 6


def test_a_caller_that_is_late_gets_what_it_missed_at_a_fixed_rate_only(tmp_path, monkeypatch):
    clock = Clock(monkeypatch)
    source = images(tmp_path, 4)

    def taken(rate):
        times, start = [], clock.now
        for number, _ in enumerate(paced(source, rate)):
            times.append(round(clock.now - start, 6))
            clock.now += 0.25 if number == 0 else 0.0
        return times

    assert taken(10.0) == [0.0, 0.25, 0.25, 0.3]
    assert taken(lambda: 10.0) == [0.0, 0.25, 0.35, 0.45]


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr("pose_regressor.middleware.kit.pacing.time", self)

    def monotonic(self):
        return self.now

    def time_ns(self):
        return round(self.now * SECOND)

    def sleep(self, seconds):
        self.now += seconds


class Node:
    """Answers the newest image only, and takes `seconds` for each; its time is the clock's."""

    def __init__(self, clock, seconds):
        self.clock, self.seconds, self.answers = clock, seconds, Answers()
        self.work = self.waiting = None
        self.answers.wait = self.wait  # type: ignore[method-assign]

    def send(self):
        self.catch_up()
        stamp = self.clock.time_ns()
        if self.work:
            self.waiting = stamp  # in place of the one that waited
        else:
            self.work = (stamp, self.clock.now + self.seconds)
        return stamp

    def catch_up(self):
        """What it did until now."""
        while self.work and self.work[1] <= self.clock.now + 1e-9:
            stamp, end = self.work
            self.hear(stamp)
            self.work = (self.waiting, end + self.seconds) if self.waiting else None
            self.waiting = None

    def hear(self, stamp):
        time = SimpleNamespace(sec=stamp // SECOND, nanosec=stamp % SECOND)
        self.answers.on_detections(SimpleNamespace(header=SimpleNamespace(stamp=time)))

    def wait(self, stamp, timeout):
        self.clock.now += min(timeout, self.seconds)
        self.catch_up()
        return stamp in self.answers.received


@pytest.mark.parametrize(
    ("milliseconds", "rate"), [(5, 30), (32, 30), (34, 20), (60, 15), (90, 10), (150, 5), (900, 5)]
)
def test_the_first_rate_is_what_single_answers_allow(monkeypatch, milliseconds, rate):
    clock, said = Clock(monkeypatch), []
    node = Node(clock, milliseconds / 1000)
    pace = AnswerPace(node.answers, said.append)
    pace.measure(node.send)
    assert pace.rate == rate
    assert said == [f"the node answers an image in {milliseconds} ms: playing at {rate} images a second"]
    assert len(node.answers.received) == TRIES + 1


def test_without_an_answer_it_is_the_lowest(monkeypatch):
    clock, said = Clock(monkeypatch), []
    node = Node(clock, 1e6)
    pace = AnswerPace(node.answers, said.append)
    pace.measure(node.send)
    assert pace.rate == RATES[-1]
    assert said == ["no answer within 30 s: playing at 5 images a second"]


def test_it_slows_down_when_the_machine_becomes_busy(tmp_path, monkeypatch):
    clock, said = Clock(monkeypatch), []
    node = Node(clock, 0.02)
    pace = AnswerPace(node.answers, said.append)
    pace.measure(node.send)
    source, rates = images(tmp_path, 100), []
    for number, _ in enumerate(paced(source, pace)):
        if number == 40:
            node.seconds = 0.09
        node.send()
        rates.append(pace.rate)
    assert rates[:40] == [30.0] * 40
    assert rates[-1] == 10.0
    assert rates == sorted(rates, reverse=True), "it never becomes faster again"
    assert said[-1].startswith("at ") and said[-1].endswith("playing at 10")
