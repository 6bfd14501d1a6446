import importlib
from functools import partial
from types import SimpleNamespace

import pytest

from pose_regressor.middleware import program

PACKAGES = {"dds": "cyclonedds", "zenoh": "zenoh"}


@pytest.fixture(scope="session", params=["dds", "zenoh"])
def kind(request):
    """Which of the participants; over both the nodes, players and listeners must do the same."""
    pytest.importorskip(PACKAGES[request.param])
    return request.param


@pytest.fixture(scope="session")
def network(kind):
    """What speaks over this middleware.

    Participant, TfListener, collect, outlet; player: what starts a player as a process; main: its command line.
    """
    module = f"pose_regressor.middleware.{kind}.player"
    return SimpleNamespace(
        Participant=importlib.import_module(f"pose_regressor.middleware.{kind}.participant").Participant,
        TfListener=program(kind, "listener", "TfListener"),
        collect=program(kind, "listener", "collect"),
        outlet=program(kind, "player", "outlet"),
        player=["-m", module],
        main=partial(program(kind, "player", "main"), module),
    )
