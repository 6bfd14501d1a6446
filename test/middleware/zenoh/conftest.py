import importlib
import json

import pytest

pytest.importorskip("zenoh")
pytest.importorskip("rosbags")


@pytest.fixture(scope="session", autouse=True)
def kind():
    """By which `domain` knows that it needs a router."""
    return "zenoh"


@pytest.fixture(scope="session")
def wire():
    """The words of the peer beside the node."""
    return importlib.import_module("zenoh_peer")


@pytest.fixture
def start_zenoh(launch):
    """Starts the node with the stand-in tracker as a process: start_zenoh(frame_id="head")."""
    standin = __file__.replace("zenoh/conftest.py", "standin_node.py")
    return lambda **parameters: launch(standin, "zenoh", json.dumps(parameters))
