"""A router for the tests, as rmw_zenohd is configured, on a port of the test's own domain."""

import contextlib
import json

import zenoh
from domains import zenoh_router


def open_zenoh(mode, connect=(), listen=("tcp/127.0.0.1:0",)):
    """A session as rmw_zenoh_cpp's default configuration makes it, but for its endpoints."""
    config = zenoh.Config()
    for key, value in {
        "mode": mode,
        "connect/endpoints": list(connect),
        "listen/endpoints": list(listen),
        "scouting/multicast/enabled": False,
        "scouting/gossip/target": {"router": ["router", "peer"], "peer": ["router"]},
        "timestamping/enabled": True,
    }.items():
        config.insert_json5(key, json.dumps(value))
    return zenoh.open(config)


@contextlib.contextmanager
def router(domain):
    session = open_zenoh("router", listen=[zenoh_router(domain)])
    try:
        yield session
    finally:
        session.close()
