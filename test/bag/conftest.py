from itertools import islice

import pytest

# mcap may not be here: then the test modules are left out, and nothing of it is asked for.
from pose_regressor.assets import demo_folder
from pose_regressor.cli import main
from pose_regressor.files.cameras import load_camera
from pose_regressor.sources import Source, open_source

FRAMES = 12
START = 1_700_000_000_000_000_000


class Clip(Source):
    """The first frames of another source."""

    def __init__(self, source, frames):
        self.name, self.fps, self.source, self.frames = source.name, source.fps, source, frames

    def __iter__(self):
        return islice(iter(self.source), self.frames)


@pytest.fixture(scope="session")
def clip():
    """The beginning of the demo clip."""
    demo = demo_folder()
    return Clip(open_source(demo / "box.mp4", load_camera(demo / "camera.json")), FRAMES)


@pytest.fixture(scope="session")
def recorded(clip, tmp_path_factory):
    """A bag of it, raw and compressed: two cameras' names in one folder."""
    from pose_regressor.bag.record import record

    folder = tmp_path_factory.mktemp("bags")
    record(clip, folder / "raw.mcap", start=START)
    record(clip, folder / "compressed.mcap", compressed=True, start=START)
    return folder


@pytest.fixture(scope="session")
def annotated(recorded):
    """The raw bag with poses."""
    assert main(["bag", str(recorded / "raw.mcap"), str(recorded / "poses.mcap")]) == 0
    return recorded / "poses.mcap"
