import threading
import time

import numpy as np
import pytest

from pose_regressor.middleware.kit.counts import SUPERSEDED
from pose_regressor.middleware.kit.worker import RateLimit, Worker
from pose_regressor.types import InputError


def until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "took too long"
        time.sleep(0.001)


def test_only_the_newest_waits(log):
    gate, done = threading.Event(), []

    def handle(item):
        done.append(item)
        gate.wait(60)

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
            raise InputError("image: expected more of it", f"got {item}, {item} and {item}")

    worker = Worker(handle, log)
    for item in range(10):
        worker.submit(item)
        until(lambda item=item: worker.counts.processed + worker.counts.dropped.total() == item + 1)
    worker.stop()
    counts = worker.counts
    assert (counts.processed, counts.dropped) == (5, {"image: expected more of it": 5})
    assert log.of("warning") == ["frame dropped: image: expected more of it, got 1, 1 and 1"]


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


def test_reasons_do_not_grow_without_end(log):
    worker = Worker(lambda _: None, log)
    for number in range(500):
        worker.reject(InputError(f"reason {number}"))
    worker.stop()
    assert len(worker.counts.dropped) <= 65
    assert worker.counts.dropped.total() == worker.counts.received == 500
    assert worker.counts.dropped["other reasons"] > 400


def test_stop_ends_an_idle_thread_at_once_and_a_busy_one_in_time(log):
    idle = Worker(lambda _: None, log)
    assert idle.stop()
    idle.submit(1)
    assert idle.counts.dropped == {"stopped": 1}

    gate = threading.Event()
    busy = Worker(lambda _: gate.wait(60), log)
    busy.submit(0)
    until(lambda: not busy._waiting)
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


def test_a_reason_that_is_returned_drops_without_a_word(log):
    worker = Worker(lambda item: "not wanted" if item else None, log)
    for item in (0, 1):
        worker.submit(item)
        assert worker.wait_idle(60)
    worker.skip("too many")
    worker.stop()
    counts = worker.counts
    assert (counts.received, counts.processed) == (3, 1)
    assert counts.dropped == {"not wanted": 1, "too many": 1}
    assert log.said == []


def test_wait_idle_waits_for_what_is_in_work_and_what_waits(log):
    gate, done = threading.Event(), []

    def handle(item):
        gate.wait(60)
        done.append(item)

    worker = Worker(handle, log)
    worker.submit(0)
    until(lambda: not worker._waiting)
    worker.submit(1)
    assert not worker.wait_idle(0.05)
    gate.set()
    assert worker.wait_idle(60)
    assert done == [0, 1]
    worker.stop()


def test_clear_drops_what_waits_and_leaves_the_thread(log):
    gate, done = threading.Event(), []

    def handle(item):
        done.append(item)
        gate.wait(60)

    worker = Worker(handle, log)
    worker.submit(0)
    until(lambda: done == [0])
    worker.submit(1)
    worker.clear("paused")
    gate.set()
    assert worker.wait_idle(60)
    worker.submit(2)
    assert worker.wait_idle(60)
    assert done == [0, 2]
    assert worker.counts.dropped == {"paused": 1}
    worker.stop()


@pytest.mark.parametrize(
    ("camera", "rate", "passed"),
    [(30, 0, 300), (30, 30, 300), (30, 20, 200), (30, 10, 100), (30, 7, 70), (30, 100, 300), (60, 0.5, 5)],
)
@pytest.mark.parametrize("jitter", [0.0, 0.15])
def test_rate_limit(camera, rate, passed, jitter):
    """Three hundred images of a camera whose period varies a little: as many pass as the rate allows, evenly."""
    rng = np.random.default_rng(0)
    times = (np.arange(300) + rng.uniform(-jitter, jitter, 300)) / camera
    limit = RateLimit(rate)
    kept = [t for t in times if limit.passes(t)]
    assert abs(len(kept) - passed) <= 1 + 0.02 * passed
    if rate:
        gaps = np.diff(kept)
        assert gaps.min() >= 0.24 / rate
        for n in (10, 50):
            if len(kept) > n:
                spans = np.asarray(kept[n:]) - np.asarray(kept[:-n])
                assert spans.min() >= (n - 1) / rate, "no more than the rate over any stretch"


def test_rate_limit_after_a_pause_lets_no_burst_pass():
    limit = RateLimit(10.0)
    assert limit.passes(0.0)
    assert sum(limit.passes(100 + n / 1000) for n in range(200)) <= 4


def test_a_rate_that_is_raised_counts_at_once():
    limit = RateLimit(0.05)
    assert limit.passes(0.0) and not limit.passes(1.0)
    limit.rate = 30.0
    assert sum(limit.passes(1 + n / 60) for n in range(60)) == pytest.approx(30, abs=2)
