"""A Zenoh session, and what is to be said of its router."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
from collections.abc import Mapping

import zenoh

from pose_regressor.middleware.zenoh.configuration import (
    WITHOUT_ROUTER,
    Configuration,
    reason,
    session_configuration,
)
from pose_regressor.types import InputError

LOG = logging.getLogger("pose_regressor")
START_ONE = "ros2 run rmw_zenoh_cpp rmw_zenohd, or python -m pose_regressor.middleware.zenoh.router"
PAUSE = 1.0  # seconds between two looks for a router
ANSWER = 0.5  # seconds for a connection to be accepted
GRACE = 2.0  # seconds more for whoever accepted one to answer as a router
#: Seconds after which Zenoh has surely tried to connect once more to an endpoint that accepts connections.
AGAIN = 6.0


class Session:
    """A session as the environment configures it. It connects again by itself whenever a connection is lost.

    InputError: the environment cannot be used, or no session can be opened.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self.configuration = session_configuration(environment)
        self.zenoh = open_session(self.configuration)
        #: Since when an endpoint accepts connections without an answer. It has just been tried.
        self._unanswered = time.monotonic() - AGAIN
        try:
            self._look_for_router()
        except BaseException:
            self.close()
            raise

    @property
    def id(self) -> str:
        return str(self.zenoh.zid())

    def _look_for_router(self) -> None:
        """Waits for a router as long as the environment asks for it. Warns if there is none."""
        attempts, tried = self.configuration.attempts, 0
        if not self.zenoh.info.routers_zid() and any(map(_accepts, self.configuration.endpoints)):
            self._wait_for_answer()  # of a router on a busy machine
        while trouble := self.trouble():
            if not tried:
                LOG.warning(trouble)
            tried += 1
            if tried == attempts:
                return
            time.sleep(PAUSE)

    def _wait_for_answer(self) -> None:
        end = time.monotonic() + GRACE
        while not self.zenoh.info.routers_zid() and time.monotonic() < end:
            time.sleep(0.02)

    def trouble(self) -> str:
        """Why this session may find nobody, and the remedy; '' if it is connected to a router or needs none."""
        found = self.configuration
        if found.attempts is None or found.multicast or self.zenoh.info.routers_zid():
            self._unanswered = time.monotonic()
            return ""
        where = ", ".join(found.endpoints) or "any address"
        answering = next(filter(_accepts, found.endpoints), "")
        if not answering:
            self._unanswered = time.monotonic()
        elif time.monotonic() - self._unanswered >= AGAIN:
            return (
                f"{answering} accepts connections, but does not answer as a router of Zenoh {zenoh_version()}; "
                "is it another program, or a router of another version? Nodes find each other through a router"
            )
        return (
            f"no Zenoh router at {where}: nodes find each other through one; start one ({START_ONE}), or for nodes of "
            f"one machine without: {WITHOUT_ROUTER}"
        )

    def close(self) -> None:
        self.zenoh.close()


def open_session(configuration: Configuration) -> zenoh.Session:
    """InputError: it cannot be opened."""
    try:
        return zenoh.open(configuration.config)
    except zenoh.ZError as error:
        raise InputError(f"Zenoh: no session as {configuration.in_words()} ({reason(error)})") from None


def zenoh_version() -> str:
    from importlib.metadata import version

    return version("eclipse-zenoh")


def _accepts(endpoint: str) -> bool:
    """Whether somebody accepts TCP connections at an endpoint such as tcp/localhost:7447."""
    protocol, _, address = endpoint.partition("/")
    host, _, port = address.partition("#")[0].partition("?")[0].rpartition(":")
    with contextlib.suppress(OSError, ValueError):
        if protocol == "tcp":
            with socket.create_connection((host.strip("[]"), int(port)), ANSWER):
                return True
    return False
