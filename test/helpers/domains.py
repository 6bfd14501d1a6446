"""ROS domains of the tests' own: no two tests share one, in other workers, runs and checkouts of this machine too.

A domain also has a port for a Zenoh router of its own: the one by which it is claimed, but of TCP.
"""

import contextlib
import fcntl
import random
import socket
import time
from pathlib import Path

#: Of a DDS domain, by the RTPS standard: its first port, and those of its participants after it.
BASE, GAIN, FIRST, PARTICIPANTS = 7400, 250, 10, 33
#: A port of the domain that RTPS leaves alone. Who holds it has the domain.
CLAIM = 200
#: Above the ports that Linux gives out by itself; and below them, for a machine on which those are all taken.
DOMAINS, MORE_DOMAINS = range(215, 231), range(40, 101)
#: Seconds. A lock file that is younger may be of a process that is about to lock it.
YOUNG = 0.2
#: Written out, and not taken from the package: the network of the tests is theirs alone.
CYCLONE = (
    "<General><MaxMessageSize>65500B</MaxMessageSize><FragmentSize>60000B</FragmentSize>"
    '<Interfaces><NetworkInterface address="127.0.0.1"/></Interfaces><AllowMulticast>false</AllowMulticast></General>'
    '<Internal><SocketReceiveBufferSize min="default" max="4MB"/></Internal>'
    "<Discovery><ParticipantIndex>auto</ParticipantIndex><MaxAutoParticipantIndex>32</MaxAutoParticipantIndex>"
    '<Peers><Peer address="localhost"/></Peers></Discovery>'
)
#: Of Fast DDS 3, which otherwise now and then never matches an endpoint of Cyclone DDS on a busy machine: docs/dds.md.
FAST_DDS = Path(__file__).parents[2] / "config" / "fast_dds.xml"


def _bind(port):
    """A socket that holds the port of the loopback, or None if somebody else does."""
    held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        held.bind(("127.0.0.1", port))
    except OSError:
        held.close()
        return None
    return held


def _claim(domain):
    """A socket that holds the domain; None if it is held, or if somebody is there without."""
    first = BASE + GAIN * domain
    if (claim := _bind(first + CLAIM)) is None:
        return None
    for port in range(first + FIRST, first + FIRST + PARTICIPANTS * 2, 2):
        if (probe := _bind(port)) is None:
            claim.close()
            return None
        probe.close()
    return claim


def _claim_one():
    """The number of a domain that was free, and the socket that holds it; None if all are taken."""
    numbers = [*random.sample(DOMAINS, len(DOMAINS)), *random.sample(MORE_DOMAINS, len(MORE_DOMAINS))]
    return next(((number, claim) for number in numbers if (claim := _claim(number))), None)


def zenoh_router(domain):
    """Where the domain's Zenoh router is."""
    return f"tcp/127.0.0.1:{BASE + GAIN * domain + CLAIM}"


@contextlib.contextmanager
def own_domain():
    """A domain of one's own on the loopback, held for the block: its number, and the environment that leads there."""
    end = time.monotonic() + 60
    while (found := _claim_one()) is None:
        assert time.monotonic() < end, "all DDS domains are taken: do many tests run beside these?"
        time.sleep(0.1)
    number, claim = found
    environment = {
        "ROS_DOMAIN_ID": str(number),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "CYCLONEDDS_URI": CYCLONE,
        "ZENOH_CONFIG_OVERRIDE": f'connect/endpoints=["{zenoh_router(number)}"]',
        "FASTDDS_DEFAULT_PROFILES_FILE": str(FAST_DDS),
    }
    with claim:
        try:
            yield number, environment
        finally:
            _remove_shared_memory_of_the_dead()


def _remove_shared_memory_of_the_dead():
    """Removes what processes of Fast DDS that were killed have left in /dev/shm, whose locks nobody holds."""
    for lock in Path("/dev/shm").glob("fastdds_*_el"):
        with contextlib.suppress(OSError), lock.open() as file:
            if time.time() - lock.stat().st_mtime < YOUNG:
                continue
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            name = lock.name.removesuffix("_el")
            for left in (name, f"{name}_el", f"{name}_sl", f"sem.{name}_mutex"):
                lock.with_name(left).unlink(missing_ok=True)
