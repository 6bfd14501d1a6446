"""ROS 2's variables of discovery have the effect that they have on nodes over rmw_cyclonedds_cpp."""

import os
import re

import pytest

from pose_regressor.types import InputError

pytest.importorskip("cyclonedds")
from pose_regressor.doctor import Level
from pose_regressor.doctor.dds import check_reach
from pose_regressor.doctor.seen import Seen
from pose_regressor.middleware.dds.discovery import TYPES_BY_NAME, cyclone_uri, discovery
from pose_regressor.middleware.dds.participant import Participant
from pose_regressor.middleware.wire import idl

#: A user's own configuration: the loopback interface, without multicast and without peers.
LOOPBACK = (
    '<General><Interfaces><NetworkInterface address="127.0.0.1"/></Interfaces><AllowMulticast>false</AllowMulticast>'
    '</General><Discovery><Peers AddLocalhost="false"/></Discovery>'
)
RANGE, PEERS, ONLY = "ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_STATIC_PEERS", "ROS_LOCALHOST_ONLY"


@pytest.fixture
def environment(domain, monkeypatch):
    """Sets the variables for this process; all others of discovery are gone."""

    def set_variables(**variables):
        for name in (RANGE, PEERS, ONLY, "ROS_DISTRO", "CYCLONEDDS_URI"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_variables


#: `launch` takes ROS_LOCALHOST_ONLY out of the environment.
TWIN = """
import os, time
os.environ.update(VARIABLES)
from pose_regressor.middleware.dds.participant import Participant
from pose_regressor.middleware.wire import idl
with Participant("twin") as twin:
    twin.writer("chatter", idl.TFMessage, reliable=True, depth=1)
    print("here", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def meet(environment, launch, until):
    """Whether a node in a process of its own is found, both with these variables. yes: what is expected."""

    def meet(yes, **variables):
        environment(**variables)
        twin = launch("-c", TWIN.replace("VARIABLES", repr(variables)))
        until(lambda: "here" in twin.text, "the twin")
        with Participant("one") as one:
            one.writer("chatter", idl.TFMessage, reliable=True, depth=1)
            one.nodes()  # the first call begins to listen
            if yes:
                until(lambda: one.nodes() == ["/twin"], "the two to meet")
            else:
                with pytest.raises(AssertionError, match="waited"):
                    until(one.nodes, "nobody", 2.0)

    return meet


def test_localhost_holds_beside_the_users_configuration(meet):
    """Cyclone alone would have neither multicast nor a peer, and find nobody."""
    meet(True, ROS_AUTOMATIC_DISCOVERY_RANGE="LOCALHOST", CYCLONEDDS_URI=LOOPBACK)


def test_localhost_only_holds_beside_the_users_configuration(meet):
    meet(True, ROS_LOCALHOST_ONLY="1", CYCLONEDDS_URI=LOOPBACK, ROS_DISTRO="jazzy")


def test_static_peers_are_looked_for(meet):
    meet(True, ROS_STATIC_PEERS="127.0.0.1;", CYCLONEDDS_URI=LOOPBACK)


def test_without_peers_nobody_is_found(meet):
    meet(False, CYCLONEDDS_URI=LOOPBACK)


def test_off_talks_to_nobody(meet):
    """Even to a neighbour that the user's configuration names."""
    peers = '<Discovery><Peers AddLocalhost="true"><Peer address="localhost"/></Peers></Discovery>'
    meet(False, ROS_AUTOMATIC_DISCOVERY_RANGE="OFF", CYCLONEDDS_URI=f"{LOOPBACK},{peers}")


@pytest.fixture
def effective(environment, launch, tmp_path):
    """What Cyclone DDS itself says that its configuration is: key -> the values, in a process of its own."""

    def effective(**variables):
        log = tmp_path / "cyclone.log"
        trace = f"<Tracing><Category>config</Category><OutputFile>{log}</OutputFile></Tracing>"
        given = variables.pop("CYCLONEDDS_URI", "")
        environment(**variables, CYCLONEDDS_URI=",".join(filter(None, (given, trace))))
        code = (
            f"import os; os.environ.update({variables!r}); "
            "from pose_regressor.middleware.dds.participant import Participant; Participant('one').close()"
        )
        assert launch("-c", code).wait() == 0
        found = {}
        for key, value in re.findall(r"config: Domain/(\S+): (.*?) \{", log.read_text()):
            found.setdefault(key.removesuffix("/#text"), []).append(value)
        return found

    return effective


MULTICAST, PEER, TAG = "General/AllowMulticast", "Discovery/Peers/Peer[@Address]", "Discovery/Tag"


@pytest.mark.parametrize(
    ("variables", "multicast", "peers", "tagged"),
    [
        ({}, "default", [], False),
        ({RANGE: "SUBNET", PEERS: "10.0.0.7; 127.0.0.1"}, "default", ["10.0.0.7", "127.0.0.1"], False),
        ({RANGE: "LOCALHOST"}, "false", ["localhost"], False),
        ({RANGE: "LOCALHOST", PEERS: "10.0.0.7"}, "false", ["localhost", "10.0.0.7"], False),
        ({RANGE: "OFF", PEERS: "10.0.0.7"}, "false", [], True),
        ({RANGE: "SYSTEM_DEFAULT", PEERS: "10.0.0.7"}, "default", [], False),
        ({RANGE: "everybody"}, "false", ["localhost"], False),
        ({ONLY: "1"}, "false", ["localhost"], False),
        ({ONLY: "1", RANGE: "SUBNET", PEERS: "10.0.0.7"}, "false", ["localhost"], False),
        ({ONLY: "1", "ROS_DISTRO": "humble"}, "false", ["localhost"], False),
        ({ONLY: "1", "ROS_DISTRO": "kilted"}, "default", [], False),
        ({ONLY: "1", "ROS_DISTRO": "rolling", RANGE: "LOCALHOST"}, "false", ["localhost"], False),
        ({ONLY: "0", RANGE: "LOCALHOST"}, "false", ["localhost"], False),
    ],
)
def test_what_cyclone_makes_of_it(effective, variables, multicast, peers, tagged):
    found = effective(**variables)
    assert found[MULTICAST] == [multicast]
    assert found.get(PEER, []) == peers
    assert bool(re.fullmatch(r"ros_discovery_off_\d+", found[TAG][0])) == tagged


def test_the_users_configuration_overrides_ours(effective, tmp_path):
    """In a file as well, and its peers are added to ours."""
    path = tmp_path / "cyclone.xml"
    peers = '<Discovery><Peers><Peer address="10.0.0.9"/></Peers></Discovery>'
    general = "<General><AllowMulticast>spdp</AllowMulticast></General>"
    path.write_text(f"<CycloneDDS><Domain>{general}{peers}</Domain></CycloneDDS>")
    found = effective(ROS_AUTOMATIC_DISCOVERY_RANGE="LOCALHOST", CYCLONEDDS_URI=f"file://{path}")
    assert (found[MULTICAST], found[PEER]) == (["spdp"], ["localhost", "10.0.0.9"])
    assert found["General/FragmentSize"] != ["60000 B"], "packets are the user's affair, too"


def test_the_environment_stays_as_it_is(environment, monkeypatch):
    """Or children of this process would have our part twice, and a tag that is ours."""
    environment(ROS_AUTOMATIC_DISCOVERY_RANGE="OFF")
    Participant("one").close()
    assert "CYCLONEDDS_URI" not in os.environ
    monkeypatch.setenv("CYCLONEDDS_URI", LOOPBACK)
    Participant("one").close()
    assert os.environ["CYCLONEDDS_URI"] == LOOPBACK


def test_large_messages_fit_unless_the_user_has_a_configuration():
    assert "<FragmentSize>60000B</FragmentSize>" in cyclone_uri({}, discovery({}))
    assert cyclone_uri({"CYCLONEDDS_URI": "mine"}, discovery({RANGE: "SYSTEM_DEFAULT"})) == f"{TYPES_BY_NAME},mine"


@pytest.mark.parametrize(
    ("peers", "message"),
    [
        ("10.0.0.7,10.0.0.8", "expected addresses separated by ';', got '10.0.0.7,10.0.0.8'"),
        ('"/><evil', "expected addresses separated by ';'"),
        ("no.such.host.invalid", "no.such.host.invalid is not known here .* give its IP address, or remove it"),
    ],
)
def test_peers_that_cannot_be_used(environment, peers, message):
    """Cyclone DDS would end the process."""
    environment(ROS_STATIC_PEERS=peers, CYCLONEDDS_URI=LOOPBACK)
    with pytest.raises(InputError, match=f"ROS_STATIC_PEERS: {message}"):
        Participant("one")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, [("OK", "finds everybody on this subnet, by multicast")]),
        ({PEERS: "10.0.0.7"}, [("OK", "finds everybody on this subnet, by multicast, and the peers 10.0.0.7")]),
        ({RANGE: "LOCALHOST"}, [("OK", f"finds this machine only ({RANGE}=LOCALHOST)")]),
        (
            {ONLY: "1", "CYCLONEDDS_URI": "x"},
            [("OK", f"finds this machine only ({ONLY}=1); CYCLONEDDS_URI is read after that, and overrides it")],
        ),
        ({RANGE: "OFF"}, [("WARN", f"finds nobody ({RANGE}=OFF)")]),
        (
            {ONLY: "1", "ROS_DISTRO": "lyrical"},
            [
                ("WARN", f"{ONLY}=1 has no effect since ROS 2 Kilted (lyrical here)"),
                ("OK", "finds everybody on this subnet, by multicast"),
            ],
        ),
        (
            {ONLY: "1", PEERS: "10.0.0.7", RANGE: "SUBNET"},
            [
                ("WARN", f"{RANGE} has no effect beside {ONLY}=1"),
                ("WARN", f"{PEERS} has no effect beside {ONLY}=1"),
                ("OK", f"finds this machine only ({ONLY}=1)"),
            ],
        ),
        (
            {RANGE: "localhost"},
            [
                ("WARN", f"{RANGE}=localhost is not known, so LOCALHOST holds, as in ROS 2"),
                ("OK", f"finds this machine only ({RANGE}=localhost)"),
            ],
        ),
        (
            {RANGE: "SYSTEM_DEFAULT", PEERS: "10.0.0.7"},
            [
                ("WARN", f"{PEERS} has no effect beside {RANGE}=SYSTEM_DEFAULT"),
                ("OK", f"finds as Cyclone DDS is configured ({RANGE}=SYSTEM_DEFAULT)"),
            ],
        ),
    ],
)
def test_the_doctor_says_what_holds(variables, expected):
    findings = check_reach(Seen(0, 1.0, 1), variables)[:-1]  # the last is about the domain
    assert [(finding.level.name, finding.text) for finding in findings] == expected
    assert all(finding.advice for finding in findings if finding.level is Level.WARN)


def test_the_node_says_what_has_no_effect(environment, caplog):
    environment(ROS_LOCALHOST_ONLY="1", ROS_DISTRO="kilted", CYCLONEDDS_URI=LOOPBACK)
    Participant("one").close()
    assert f"{ONLY}=1 has no effect since ROS 2 Kilted (kilted here); set {RANGE}=LOCALHOST" in caplog.text
