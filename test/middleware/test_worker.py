import threading
import time

import pytest

from pose_regressor.middleware.worker import SUPERSEDED, Throttle, Worker
from pose_regressor.types import InputError


def until(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "took too long"
        time.sleep(0.001)


def test_only_the_newest_waits(log):
    gate, done = threading.Event(), []

    def handle(item):
        done.append(item)
        gate.wait(5)

    worker = Worker(handle, log)
    worker.submit(0)
    until(lambda: done == [0])
    for item in range(1, 6):  # never blocks, though the thread is busy
        worker.submit(item)
    gate.set()
    until(lambda: worker.counts.processed == 2)
    assert done == [0, 5]
    assert worker.stop()
    counts = worker.counts
    assert (counts.received, counts.processed, counts.dropped) == (6, 2, {SUPERSEDED: 4})
    assert str(counts) == "6 received, 2 processed, 4 dropped (4 superseded by a newer one)"
    assert log.said == [], "being slower than the camera is no news"


def test_a_bad_frame_is_dropped_counted_and_said_once(log):
    def handle(item):
        if item % 2:
            raise InputError(f"image: expected more of it, got {item}")

    worker = Worker(handle, log)
    for item in range(10):
        worker.submit(item)
        until(lambda item=item: worker.counts.processed + worker.counts.dropped.total() == item + 1)
    worker.stop()
    counts = worker.counts
    assert (counts.processed, counts.dropped) == (5, {"image: expected more of it": 5})
    assert log.of("warning") == ["frame dropped: image: expected more of it, got 1"]


def test_the_thread_survives_any_exception(log):
    def handle(item):
        raise ZeroDivisionError("of the model")

    worker = Worker(handle, log)
    for item in range(3):
        worker.submit(item)
        until(lambda item=item: worker.counts.dropped.total() == item + 1)
    assert worker.stop()
    assert worker.counts.dropped == {"internal error ZeroDivisionError": 3}
    assert log.of("error") == ["frame dropped: internal error ZeroDivisionError: of the model"]


def test_throttle_says_how_often():
    said = []
    throttle = Throttle(said.append, period=0.05)
    for _ in range(3):
        throttle("a", "a happened")
    throttle("b", "b happened")
    assert said == ["a happened", "b happened"]
    time.sleep(0.06)
    throttle("a", "a happened again")
    assert said[2:] == ["a happened again (3 times since last said)"]


def test_reasons_do_not_grow_without_end(log):
    worker = Worker(lambda _: None, log)
    for number in range(500):
        worker.reject(f"reason {number}")
    worker.stop()
    assert len(worker.counts.dropped) <= 65
    assert worker.counts.dropped.total() == worker.counts.received == 500


def test_stop_ends_an_idle_thread_at_once_and_a_busy_one_in_time(log):
    idle = Worker(lambda _: None, log)
    start = time.monotonic()
    assert idle.stop()
    assert time.monotonic() - start < 1
    idle.submit(1)
    assert idle.counts.dropped == {"stopped": 1}

    gate = threading.Event()
    busy = Worker(lambda _: gate.wait(10), log)
    busy.submit(0)
    time.sleep(0.05)
    busy.submit(1)
    assert not busy.stop(timeout=0.1)
    gate.set()
    assert busy.counts.dropped == {"stopped": 1}


@pytest.mark.parametrize("count", [1, 7])
def test_every_received_item_is_accounted_for(log, count):
    worker = Worker(lambda _: time.sleep(0.002), log)
    threads = [threading.Thread(target=lambda: [worker.submit(i) for i in range(200)]) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    worker.stop()
    counts = worker.counts
    assert counts.received == 200 * count == counts.processed + counts.dropped.total()
