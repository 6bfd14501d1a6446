"""Python modules as processes of one ROS domain."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pose_regressor.types import InputError

STOP_TIMEOUT = 3.0  # seconds from SIGTERM to SIGKILL


@contextmanager
def own_network(middleware: str) -> Iterator[None]:
    """A ROS domain of our own, on this machine only, so that nobody's robot is disturbed; over Zenoh also a router.

    What the user chose in the environment stays as it is.
    """
    before = dict(os.environ)
    with ExitStack() as stack:
        stack.callback(_restore, before)
        if not before.get("ROS_DOMAIN_ID"):
            os.environ["ROS_DOMAIN_ID"] = str(random.randint(1, 101))  # higher ones meet Linux's ephemeral ports
            os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
        if middleware == "zenoh":
            from pose_regressor.middleware.zenoh.configuration import OVERRIDE, URI
            from pose_regressor.middleware.zenoh.router import router

            if not before.get(OVERRIDE) and not before.get(URI):
                endpoint = f"tcp/127.0.0.1:{_free_port()}"
                stack.enter_context(router(endpoint))
                os.environ[OVERRIDE] = f'connect/endpoints=["{endpoint}"]'
        yield


def _restore(environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Processes:
    """Python modules as processes, each with a log; all are ended when the block is left, however it is left."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            _wait_or_kill(process)

    def start(self, name: str, module: str, *arguments: str) -> None:
        with (self._logs / f"{name}.log").open("wb") as log:
            command = [sys.executable, "-m", module, *arguments]
            self._processes[name] = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def check(self, name: str) -> None:
        """Raises InputError with the last line of its log when a process that should run has ended."""
        if (status := self._processes[name].poll()) is not None:
            self._failed(name, status)

    def running(self, name: str) -> bool:
        """False when it has ended well; InputError when it has not."""
        status = self._processes[name].poll()
        if status:
            self._failed(name, status)
        return status is None

    def _failed(self, name: str, status: int) -> None:
        log = self._logs / f"{name}.log"
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "no output")
        reason = last.rpartition("error: ")[2].strip()
        raise InputError(f"demo: the {name} ended with exit code {status}: {reason} (log: {log})")


def _wait_or_kill(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
