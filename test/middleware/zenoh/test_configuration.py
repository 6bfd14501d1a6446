"""rmw_zenoh_cpp's environment variables."""

import pytest

from pose_regressor.middleware.zenoh.configuration import ATTEMPTS, OVERRIDE, URI, session_configuration
from pose_regressor.middleware.zenoh.participant import Participant
from pose_regressor.types import InputError


def test_what_holds_without_them():
    found = session_configuration({})
    assert (found.mode, found.endpoints, found.multicast, found.attempts) == ("peer", ["tcp/localhost:7447"], False, 1)
    assert found.config.get_json("listen/endpoints") == '["tcp/localhost:0"]'
    assert found.config.get_json("timestamping/enabled") == "true"
    assert found.in_words() == "a peer that connects to tcp/localhost:7447"


def test_a_file_of_json5(tmp_path):
    path = tmp_path / "session.json5"
    path.write_text('// a robot\'s\n{mode: "client", connect: {endpoints: ["tcp/10.0.0.7:7447"]},}\n')
    found = session_configuration({URI: str(path)})
    assert (found.mode, found.endpoints, found.sources) == ("client", ["tcp/10.0.0.7:7447"], (URI,))
    found = session_configuration({URI: str(path), OVERRIDE: 'mode="peer"'})
    assert found.in_words() == f"a peer that connects to tcp/10.0.0.7:7447 ({URI}, {OVERRIDE})"


def test_overrides():
    text = 'listen/endpoints=["tcp/127.0.0.1:7448"];connect/endpoints=["tcp/a:1", "tcp/b:2"];'
    found = session_configuration({OVERRIDE: text + "scouting/multicast/enabled=true"})
    assert (found.endpoints, found.multicast) == (["tcp/a:1", "tcp/b:2"], True)
    assert found.config.get_json("listen/endpoints") == '["tcp/127.0.0.1:7448"]'
    by_mode = session_configuration({OVERRIDE: 'connect/endpoints={peer: ["tcp/c:3"], client: []}'})
    assert by_mode.endpoints == ["tcp/c:3"]


@pytest.mark.parametrize(("text", "attempts"), [("", 1), ("1", 1), ("5", 5), ("0", 0), ("-1", None), ("-7", None)])
def test_attempts(text, attempts):
    assert session_configuration({ATTEMPTS: text}).attempts == attempts


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({OVERRIDE: "mode=peer"}, "ZENOH_CONFIG_OVERRIDE: mode=peer cannot be set"),
        ({OVERRIDE: "mode"}, "ZENOH_CONFIG_OVERRIDE: expected key/path=value;key/path=value, got 'mode'"),
        ({OVERRIDE: "modus=5"}, r"ZENOH_CONFIG_OVERRIDE: modus=5 cannot be set \(unknown key\)"),
        ({OVERRIDE: 'mode="tree"'}, "unknown variant `tree`"),
        ({OVERRIDE: 'connect/endpoints=["robot"]'}, "Endpoints must be of the form <protocol>/<address>"),
        ({ATTEMPTS: "often"}, "ZENOH_ROUTER_CHECK_ATTEMPTS: expected a whole number, got 'often'"),
        ({URI: "nowhere.json5"}, "ZENOH_SESSION_CONFIG_URI: nowhere.json5: no such file"),
        ({"ROS_DOMAIN_ID": "-1"}, "ROS_DOMAIN_ID: expected a whole number from 0 to 2147483647, got '-1'"),
        ({OVERRIDE: 'listen/endpoints=["tcp/192.0.2.1:1"]'}, "Zenoh: no session as a peer that connects to "),
    ],
)
def test_what_cannot_be_used_is_one_line(variables, words, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=words) as caught:
        Participant()
    assert "\n" not in str(caught.value)
    assert "/root/" not in str(caught.value)
    assert ".rs:" not in str(caught.value)


@pytest.mark.parametrize("text", ["{", '{"mode": 5}', "{nonsense: 1}", "hello", "<xml/>", "", "\0\1\2"])
@pytest.mark.parametrize("suffix", ["json5", "conf"])
def test_a_file_that_is_no_configuration(text, suffix, tmp_path):
    path = tmp_path / f"session.{suffix}"
    path.write_text(text)
    with pytest.raises(InputError, match=f"^ZENOH_SESSION_CONFIG_URI: {path}: expected a configuration of Zenoh") as e:
        session_configuration({URI: str(path)})
    assert "\n" not in str(e.value)
    assert ".rs" not in str(e.value)


def test_large_domains_have_room(monkeypatch, domain):
    monkeypatch.setenv("ROS_DOMAIN_ID", "1000")
    with Participant() as one:
        assert one.domain == 1000
