"""What the reports say, from counters as a node has them after so many seconds."""

from collections import Counter
from types import SimpleNamespace

import pytest

from pose_regressor.middleware.kit import health as kit_health
from pose_regressor.middleware.kit.counts import SUPERSEDED, Counts, Latency
from pose_regressor.middleware.kit.diagnostics import Level
from pose_regressor.middleware.kit.lifecycle import State
from pose_regressor.middleware.pose.depth import DepthUse
from pose_regressor.middleware.pose.health import PoseHealth
from pose_regressor.middleware.pose.parameters import NodeConfig


@pytest.fixture
def node(monkeypatch):
    """A node of which `report(seconds, ...)` adds to the counters what happened in so many seconds; the statuses."""
    counts, latencies, clock = Counts(), [], [1000.0]
    monkeypatch.setattr(kit_health.time, "monotonic", lambda: clock[0])
    managed = SimpleNamespace(
        core=SimpleNamespace(counts=counts, latencies=latencies),
        lifecycle=SimpleNamespace(state=State.ACTIVE, error=""),
        config=NodeConfig(model=("a", "b")),
        device="cpu",
        last_error="",
        namesakes=lambda: 0,
        trouble=lambda: "",
    )
    health = PoseHealth(managed)

    def report(seconds=1.0, received=0, processed=0, latency=0.01, **dropped):
        clock[0] += seconds
        counts = managed.core.counts
        total = counts.dropped + Counter({name.replace("_", " "): n for name, n in dropped.items()})
        managed.core.counts = Counts(counts.received + received, counts.processed + processed, total)
        latencies.extend(Latency(clock[0], latency) for _ in range(processed))
        return {status.name: status for status in health.look()}

    managed.report = report
    report(0.0)
    return managed


def level(status):
    return (status.level, status.message)


def test_all_is_well(node):
    for _ in range(8):
        said = node.report(received=30, processed=30)
    assert level(said["node"]) == (Level.OK, "active")
    assert level(said["images"]) == (Level.OK, "30.0 Hz")
    assert level(said["poses"]) == (Level.OK, "30.0 Hz, 10 ms")
    assert said["images"].values["Events since startup"] == "240"
    assert said["images"].values["Events in window"] == "150"
    assert said["images"].values["Duration of window (s)"] == "5.0"
    assert said["images"].values["Actual frequency (Hz)"] == "30.00"


def test_what_fails_before_the_first_look_is_told(node):
    first = PoseHealth(node)
    node.report(received=1, internal_error=1)
    said = {status.name: status for status in first.look()}
    assert level(said["poses"]) == (Level.ERROR, "the network failed on 1 images")
    node.core = SimpleNamespace(counts=Counts(), latencies=[])  # as after cleanup and configure
    node.report(received=1, internal_error=1)
    said = {status.name: status for status in first.look()}
    assert level(said["poses"]) == (Level.ERROR, "the network failed on 1 images")


def test_percentiles_of_latency(node):
    node.report(received=98, processed=98, latency=0.010)
    said = node.report(received=2, processed=2, latency=0.110)
    assert said["poses"].values["Latency p50 (ms)"] == "10.0"
    assert 100 < float(said["poses"].values["Latency p99 (ms)"]) <= 110
    for _ in range(6):
        said = node.report(received=10, processed=10, latency=0.02)
    assert said["poses"].values["Latency p99 (ms)"] == "20.0", "of the last seconds only"


def test_no_images(node):
    assert level(node.report()["images"]) == (Level.WARN, "no images yet")
    for _ in range(4):
        said = node.report()
    assert level(said["images"]) == (Level.ERROR, "no images for 5 s")
    assert level(node.report(received=30, processed=30)["images"])[0] == Level.OK


def test_images_that_cannot_be_used(node):
    said = node.report(received=10, processed=8, no_camera_info=2)
    assert level(said["images"]) == (Level.WARN, "2 of 10 images cannot be used: no camera info")
    assert said["images"].values["Dropped since startup: no camera info"] == "2"
    for _ in range(6):
        said = node.report(received=10, no_camera_info=10)
    assert level(said["images"]) == (Level.ERROR, "no image can be used: no camera info")


def test_overload_and_the_rate_limit(node):
    said = node.report(received=60, processed=10, **{SUPERSEDED.replace(" ", "_"): 50})
    assert level(said["images"]) == (Level.OK, "60.0 Hz"), "nothing is wrong with them"
    assert level(said["poses"]) == (Level.WARN, "overload: 10.0 images a second is all it manages")
    for _ in range(6):
        said = node.report(received=60, processed=10, over_max_rate=50)
    assert said["poses"].level == Level.OK, "as it was asked for"


def test_a_network_that_fails(node):
    said = node.report(received=10, processed=7, internal_error_RuntimeError=3)
    assert level(said["poses"]) == (Level.ERROR, "the network failed on 3 images")
    for _ in range(6):
        said = node.report(received=10, processed=10)
    assert said["poses"].level == Level.OK, "it is over"


def test_inactive_and_a_pause(node):
    node.report(received=30, processed=30)
    node.lifecycle.state = State.INACTIVE
    said = node.report()
    assert [level(said[name]) for name in ("node", "images", "poses")] == [
        (Level.OK, "inactive"),
        (Level.OK, "not active"),
        (Level.OK, "not active"),
    ]
    node.report(60.0)
    node.lifecycle.state = State.ACTIVE
    assert said["images"].level == Level.OK
    assert level(node.report(received=30, processed=30)["images"]) == (Level.OK, "30.0 Hz"), "the pause does not count"


def test_counters_that_start_again(node):
    node.report(received=30, processed=30)
    node.core = SimpleNamespace(counts=Counts(), latencies=[])
    assert level(node.report(received=10, processed=10)["images"]) == (Level.OK, "10.0 Hz")
    assert level(node.report(received=20, processed=20)["images"]) == (Level.OK, "15.0 Hz")


def test_a_failed_transition_and_a_namesake(node):
    node.namesakes = lambda: 1
    assert node.report()["node"].level == Level.WARN
    node.lifecycle.state, node.lifecycle.error = State.UNCONFIGURED, "a: no such model"
    node.core, node.device, node.last_error = None, "", "a: no such model"
    node.lifecycle.state = State.UNCONFIGURED
    health = {s.name: s for s in PoseHealth(node).look()}
    assert level(health["node"]) == (Level.ERROR, "a: no such model")
    assert health["node"].values["Device"] == "none"
    assert health["node"].values["Model"] == "a, b"
    assert health["node"].values["Last error"] == "a: no such model"


def test_depth(node):
    assert level(node.report(received=30, processed=30)["depth"]) == (Level.OK, "off")
    depth = SimpleNamespace(uses=[], counts=Counts(), messages=Counts(70, 0, Counter({"depth: broken": 2})))
    node.core.depth = depth
    assert level(node.report()["depth"]) == (Level.OK, "no images yet")

    def report(good, late):
        now = kit_health.time.monotonic()
        depth.uses += [DepthUse(now + 0.5, "", 0.004, 0.75)] * good + [DepthUse(now + 0.5, "depth: late")] * late
        counts = depth.counts
        dropped = counts.dropped + Counter({"depth: late": late})
        depth.counts = Counts(counts.received + good + late, counts.processed + good, dropped)
        return node.report(received=30, processed=30)["depth"]

    assert level(report(30, 0)) == (Level.OK, "100 % of the images with depth, 4 ms apart")
    said = report(20, 10)
    assert level(said) == (Level.WARN, "10 of 60 images without depth: depth: late")
    assert said.values == {
        "Images with depth (%)": "83.3",
        "Images with depth since startup": "50",
        "Depth messages since startup": "70",
        "Age p50 (ms)": "4.0",
        "Valid pixels p50 (%)": "75.0",
        "Without depth since startup: depth: late": "10",
        "Ignored since startup: depth: broken": "2",
    }
    for _ in range(6):
        said = report(0, 30)
    assert level(said) == (Level.WARN, "no image with depth: depth: late")
    node.lifecycle.state = State.INACTIVE
    assert level(node.report()["depth"]) == (Level.OK, "not active")
