import random

import pytest

# Written out, and not taken from the package: the network of these tests is theirs alone.
CYCLONE = (
    "<General><MaxMessageSize>65500B</MaxMessageSize><FragmentSize>60000B</FragmentSize>"
    '<Interfaces><NetworkInterface address="127.0.0.1"/></Interfaces><AllowMulticast>false</AllowMulticast></General>'
    '<Internal><SocketReceiveBufferSize min="default" max="4MB"/></Internal>'
    "<Discovery><ParticipantIndex>auto</ParticipantIndex><MaxAutoParticipantIndex>32</MaxAutoParticipantIndex>"
    '<Peers><Peer address="localhost"/></Peers></Discovery>'
)


@pytest.fixture
def domain(monkeypatch):
    """A domain of its own on the loopback, for this process and those it starts."""
    pytest.importorskip("cyclonedds")
    number = random.SystemRandom().randint(100, 200)
    monkeypatch.setenv("ROS_DOMAIN_ID", str(number))
    monkeypatch.setenv("CYCLONEDDS_URI", CYCLONE)
    return number
