import threading
import time
import weakref

import numpy as np

from pose_regressor.middleware.pose.core import NodeCore
from pose_regressor.middleware.pose.parameters import NodeConfig


def pixels(brightness):
    return bytes([brightness] * 24)


def test_poses_come_out_with_the_images_stamp(node, image, info):
    core = node()
    core.on_camera_info(info())
    core.send(image(data=pixels(15)))
    ((frame, estimates),) = core.published
    assert (frame.stamp, frame.frame_id) == (12_000_000_034, "optical")
    assert estimates[0].translation[2] == 1.5


def test_nothing_found_is_published_too(node, image, info):
    core = node()
    core.on_camera_info(info())
    core.send(image(data=pixels(0)))
    ((_, estimates),) = core.published
    assert estimates == []


def test_a_failing_tracker_costs_the_frame_only(node, image, info, log):
    core = node()
    core.on_camera_info(info())
    core.send(image(data=pixels(255)))
    assert core.counts.dropped == {"internal error RuntimeError": 1}
    assert "on purpose" in log.of("error")[0]
    core.send(image())
    assert len(core.published) == 1


def test_stop_says_what_came_of_the_frames(node, image, info, log):
    core = node()
    core.on_camera_info(info())
    core.send(image())
    core.stop()
    assert log.of("info") == ["images: 1 received, 1 processed, none dropped"]


def test_at_most_so_many_a_second(node, image, info):
    core = node(max_rate=0.001)
    core.on_camera_info(info())
    core.send(image(data=pixels(10)))
    for _ in range(5):
        core.send(image(data=pixels(20)))
    assert [estimates[0].translation[2] for _, estimates in core.published] == [1.0]
    assert core.counts.dropped == {"over max_rate": 5}
    core.tune(NodeConfig(max_rate=0.0))
    core.send(image(data=pixels(30)))
    assert core.published[-1][1][0].translation[2] == 3.0


def test_the_overlay_is_drawn_when_it_is_wanted_and_read(node, image, info, until):
    core = node()
    core.on_camera_info(info())
    core.send(image(data=pixels(10)))
    core.output.wanted = True
    core.send(image(data=pixels(20)))
    until(lambda: core.output.overlays, "an overlay")
    core.tune(NodeConfig(overlay=False))
    core.send(image(data=pixels(30)))
    assert [estimates[0].translation[2] for _, estimates in core.output.overlays] == [2.0]


def test_an_overlay_that_nobody_takes_holds_up_no_pose(node, image, info):
    gate = threading.Event()
    core = node()
    core.output.overlay = lambda *_: gate.wait(60)
    core.output.wanted = True
    core.on_camera_info(info())
    for number in range(1, 21):
        core.send(image(data=pixels(number)))
    assert len(core.published) == 20
    gate.set()


def test_latency_is_from_the_arrival_to_the_answer(node, image, info):
    core = node()
    core.on_camera_info(info())
    start = time.monotonic()
    for _ in range(5):
        core.send(image(data=pixels(10)))
    end = time.monotonic()
    assert len(core.latencies) == 5
    assert all(start < latency.at < end for latency in core.latencies)
    assert all(0 < latency.seconds < end - start for latency in core.latencies)


def test_inactive_it_takes_no_images(node, image, info):
    core = node()
    core.on_camera_info(info())
    core.pause()
    core.send(image(data=pixels(10)))
    assert core.counts.dropped == {"node not active": 1}
    core.start()
    core.send(image(data=pixels(10)))
    assert len(core.published) == 1


def test_under_overload_the_newest_is_worked_on_and_no_other_is_kept(standin, kept, log, image, info):
    """Images come one after the other while the network is at work: what it begins with next is what came last."""
    begins, go_on, begun = threading.Semaphore(0), threading.Semaphore(0), []
    alive, last = [], 0  # of the images those that are held by anybody

    class Slow(standin.StandIn):
        def update(self, frame):
            begun.append(frame.stamp)
            begins.release()
            assert go_on.acquire(timeout=60)
            return super().update(frame)

    output = kept()
    output.poses = lambda frame, estimates: None
    core = NodeCore(NodeConfig(), Slow(), output, log)
    core.start()
    core.on_camera_info(info())
    for come in (1, 1, 2, 30, 400, 1, 7, 558):
        for _ in range(come):
            last += 1
            data = np.full(24, 10, np.uint8)
            alive.append(weakref.ref(data))
            message = image(data=data)
            message.header.stamp.sec, message.header.stamp.nanosec = 0, last
            core.on_image(message)
            del message, data
            alive = [reference for reference in alive if reference() is not None]
            assert len(alive) <= 3, "one in work, one waiting, one on its way"
        if begun:  # the one that was in work while these came
            go_on.release()
        assert begins.acquire(timeout=60)
        assert begun[-1] == last
    go_on.release()
    assert core.wait_idle(60)
    core.stop()
    assert last == 1000 and len(begun) == 8
    counts = core.counts
    assert (counts.received, counts.processed) == (1000, len(begun))
    assert counts.dropped == {"superseded by a newer one": 1000 - len(begun)}
