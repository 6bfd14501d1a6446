import time

import pytest

from pose_regressor.middleware.pose.core import NodeCore
from pose_regressor.middleware.pose.parameters import NodeConfig


class Kept:
    """Keeps what is published."""

    def __init__(self):
        self.published, self.overlays, self.wanted = [], [], False

    def poses(self, frame, estimates):
        self.published.append((frame, estimates))

    def overlay(self, frame, estimates):
        self.overlays.append((frame, estimates))

    def overlay_wanted(self):
        return self.wanted

    def markers_wanted(self):
        return False


@pytest.fixture
def kept():
    """The class that keeps what is published."""
    return Kept


@pytest.fixture
def node(standin, log):
    """Makes a NodeCore whose `published` keeps what it publishes; `send` waits until the image is dealt with."""
    cores = []

    def make(**parameters):
        output = Kept()
        core = NodeCore(NodeConfig(**parameters), standin.StandIn(), output, log)
        core.published, core.output = output.published, output
        core.start()

        def send(msg):
            before = core.counts.processed + core.counts.dropped.total()
            core.on_image(msg)
            end = time.monotonic() + 60
            while core.counts.processed + core.counts.dropped.total() == before:
                assert time.monotonic() < end
                time.sleep(0.001)

        core.send = send
        cores.append(core)
        return core

    yield make
    for core in cores:
        core.stop()
