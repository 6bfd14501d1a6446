"""A short run of what `make fuzz` does for long: hypothesis chooses the faults, and makes small what it finds."""

import pytest

pytest.importorskip("cyclonedds")
pytest.importorskip("mcap")
from fuzz_cameras import CAMERAS
from fuzz_depth import DepthMessages
from fuzz_files import Files
from fuzz_messages import Messages
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.filterwarnings("ignore")  # libraries warn of what they are given here
MESSAGES = ("image", "compressed", "info")
DEPTH = ("depth", "depth registered", "depth compressed")
ZENOH = ("zenoh image", "zenoh compressed", "zenoh request")
FILES = (
    *("bundle", "calibration", "parameters", "camera", "truth", "bag", "bag zstd", "bag lz4"),
    *("bag db3", "bag folder"),
    *CAMERAS,
    *("mesh obj", "mesh mtl", "mesh png", "mesh jpeg", "mesh ply", "mesh ply binary", "mesh stl", "mesh stl text"),
    *("mesh glb", "mesh off", "mesh dae"),
)
SHORT = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
CHANCE = st.randoms(use_true_random=False)


@pytest.fixture(scope="module")
def messages():
    made = Messages()
    yield made
    made.close()


@pytest.fixture(scope="module")
def depth_messages():
    made = DepthMessages()
    yield made
    made.close()


@pytest.fixture(scope="module")
def zenoh_messages():
    pytest.importorskip("zenoh")
    from fuzz_zenoh import ZenohMessages

    made = ZenohMessages()
    yield made
    made.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return Files(tmp_path_factory.mktemp("broken"))


@pytest.mark.parametrize("kind", MESSAGES)
def test_broken_messages_are_counted_with_a_reason(messages, kind):
    @SHORT
    @given(CHANCE)
    def run(rng):
        messages.one(rng, kind)

    run()


@pytest.mark.parametrize("kind", DEPTH)
def test_broken_depth_costs_no_image(depth_messages, kind):
    @SHORT
    @given(CHANCE)
    def run(rng):
        depth_messages.one(rng, kind)

    run()


@pytest.mark.parametrize("kind", ZENOH)
def test_broken_messages_over_zenoh(zenoh_messages, kind):
    @SHORT
    @given(CHANCE)
    def run(rng):
        zenoh_messages.one(rng, kind)

    run()


@pytest.mark.parametrize("kind", FILES)
def test_broken_files_are_refused_in_one_line(files, kind):
    if kind not in files.kinds:
        pytest.skip("the training package is not here")

    @SHORT
    @given(CHANCE)
    def run(rng):
        files.one(rng, kind)

    run()
