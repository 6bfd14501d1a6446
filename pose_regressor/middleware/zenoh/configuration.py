"""How a session is configured: by rmw_zenoh_cpp's environment variables, and by its defaults without them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zenoh

from pose_regressor.middleware.kit.log import one_line
from pose_regressor.types import InputError

URI, OVERRIDE = "ZENOH_SESSION_CONFIG_URI", "ZENOH_CONFIG_OVERRIDE"
ATTEMPTS = "ZENOH_ROUTER_CHECK_ATTEMPTS"
ROUTER = "tcp/localhost:7447"
#: Where rmw_zenoh_cpp's session differs from Zenoh's own defaults; see its DEFAULT_RMW_ZENOH_SESSION_CONFIG.json5.
SESSION: dict[str, Any] = {
    "mode": "peer",
    "connect/endpoints": [ROUTER],
    # Only nodes of this machine connect to this one. Routers join machines.
    "listen/endpoints": ["tcp/localhost:0"],
    # Peers hear of each other from the router.
    "scouting/multicast/enabled": False,
    "scouting/gossip/target": {"router": ["router", "peer"], "peer": ["router"]},
    "scouting/gossip/autoconnect_strategy": {"peer": {"to_router": "always", "to_peer": "greater-zid"}},
    # For publishers that keep messages for later subscribers.
    "timestamping/enabled": True,
    "queries_default_timeout": 600_000,
    # For many nodes that start at once.
    "transport/unicast/open_timeout": 60_000,
    "transport/unicast/accept_timeout": 60_000,
    "transport/unicast/accept_pending": 10_000,
    "transport/unicast/max_sessions": 10_000,
    "transport/link/tx/lease": 60_000,
    "transport/link/tx/keep_alive": 2,
    "transport/link/tx/queue/congestion_control/block/wait_before_close": 60_000_000,
    "transport/shared_memory/enabled": False,
}
#: Where a router differs from a session.
ROUTER_ONLY: dict[str, Any] = {
    "mode": "router",
    "connect/endpoints": [],
    "scouting/gossip/autoconnect_strategy": {"router": {"to_router": "always", "to_peer": "always"}},
}
#: For peers of this machine that have no router.
WITHOUT_ROUTER = f"export {OVERRIDE}='scouting/multicast/enabled=true;scouting/multicast/interface=\"lo\"'"


@dataclass(frozen=True)
class Configuration:
    """A session's configuration.

    config: for `zenoh.open`.
    attempts: how often to look for a router before going on without, once a second; 0: until one is there; None: never.
    sources: the environment variables that it comes from.
    """

    config: zenoh.Config
    attempts: int | None
    sources: tuple[str, ...]

    @property
    def endpoints(self) -> list[str]:
        """Whom the session connects to."""
        found = json.loads(self.config.get_json("connect/endpoints"))
        found = found.get(self.mode, []) if isinstance(found, dict) else found
        return [str(endpoint) for endpoint in found]

    @property
    def mode(self) -> str:
        return str(json.loads(self.config.get_json("mode")) or "peer")

    @property
    def multicast(self) -> bool:
        """Whether the session finds peers without a router."""
        return bool(json.loads(self.config.get_json("scouting/multicast/enabled")))

    def in_words(self) -> str:
        """Whom it finds."""
        where = ", ".join(self.endpoints) or "nobody"
        peers = ", and peers by multicast" if self.multicast else ""
        return f"a {self.mode} that connects to {where}{peers}" + (
            f" ({', '.join(self.sources)})" if self.sources else ""
        )


def session_configuration(environment: Mapping[str, str] = os.environ) -> Configuration:
    """What the environment asks for. InputError: a variable cannot be used."""
    path, override = environment.get(URI, ""), environment.get(OVERRIDE, "")
    config = _from_file(path) if path else made_of(SESSION)
    for key, value in _pairs(override):
        _override(config, key, value)
    given = tuple(name for name, value in ((URI, path), (OVERRIDE, override)) if value)
    return Configuration(config, _attempts(environment.get(ATTEMPTS, "")), given)


def made_of(settings: Mapping[str, Any]) -> zenoh.Config:
    """Zenoh's defaults with these changes."""
    config = zenoh.Config()
    for key, value in settings.items():
        config.insert_json5(key, json.dumps(value))
    return config


def reason(error: zenoh.ZError) -> str:
    """What Zenoh says is wrong, in one line, without the places in its source that it goes on with."""
    text = one_line(error)
    if found := re.search(r'(?:msg: |Str\()"(.*?)"[,)]', text):
        text = found[1].replace("\\n", " ").replace('\\"', '"')
    return " ".join(re.sub(r" at /\S+:\d+\.?", "", text).split())


def _from_file(path: str) -> zenoh.Config:
    if not Path(path).is_file():
        raise InputError(f"{URI}: {path}: no such file")
    try:
        return zenoh.Config.from_file(path)
    except zenoh.ZError as error:
        raise InputError(f"{URI}: {path}: expected a configuration of Zenoh in JSON5 ({reason(error)})") from None


def _override(config: zenoh.Config, key: str, value: str) -> None:
    try:
        config.insert_json5(key, value)
    except zenoh.ZError as error:
        raise InputError(f"{OVERRIDE}: {key}={value} cannot be set ({reason(error)})") from None


def _pairs(override: str) -> list[tuple[str, str]]:
    pairs = []
    for pair in filter(None, (text.strip() for text in override.split(";"))):
        key, equals, value = pair.partition("=")
        if not equals:
            raise InputError(f"{OVERRIDE}: expected key/path=value;key/path=value, got {pair!r}")
        pairs.append((key.strip(), value.strip()))
    return pairs


def _attempts(text: str) -> int | None:
    try:
        attempts = int(text or "1")
    except ValueError:
        raise InputError(f"{ATTEMPTS}: expected a whole number, got {text!r}") from None
    return attempts if attempts >= 0 else None
