"""The networks of several bundles: which bundles share one, and how several run at the same time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from pose_regressor.network.bundle import Bundle
from pose_regressor.network.runners import Execution, Runner, open_runner
from pose_regressor.network.shared import differ_in_last_layers_only, joined

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Network:
    """One network, ready to run.

    bundles: numbers of the bundles whose objects it knows; all have the same configuration and the same turns
    first_channels: for each of them, the channel of its first object
    runner: runs it
    """

    bundles: tuple[int, ...]
    first_channels: tuple[int, ...]
    runner: Runner


def open_networks(bundles: Sequence[Bundle], executions: Sequence[Execution]) -> list[Network]:
    """As few networks as serve all bundles: those that differ in the last layers of their heads only share one.

    executions: how each bundle's network is run
    """
    groups: list[list[int]] = []
    for number, bundle in enumerate(bundles):
        for group in groups:
            other = bundles[group[0]]
            alike = executions[number] == executions[group[0]] and bundle.quantization == other.quantization
            if alike and bundle.turns == other.turns and differ_in_last_layers_only(other.weights, bundle.weights):
                group.append(number)
                break
        else:
            groups.append([number])
    networks = []
    for group in groups:
        counts = [len(bundles[number].objects) for number in group]
        first = tuple(sum(counts[:place]) for place in range(len(counts)))
        weights = joined([bundles[number].weights for number in group])
        runner = open_runner(weights, executions[group[0]], bundles[group[0]].quantization)
        networks.append(Network(tuple(group), first, runner))
    return networks


class Parallel:
    """Runs calls at the same time, each in a thread of its own. Engines compute without holding Python's lock.

    most: calls that run at a time; 1: each runs when its result is asked for, in the caller's thread
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0

    def results(self, calls: Sequence[Callable[[], T]]) -> Iterator[T]:
        """The calls' results in their order. While one is used, later calls run."""
        if self._most <= 1:
            return (call() for call in calls)
        # A fork copies the pool without its threads.
        if self._pool is None or self._process != os.getpid():
            self._pool, self._process = ThreadPoolExecutor(self._most, "network"), os.getpid()
        running = [self._pool.submit(call) for call in calls]
        return (call.result() for call in running)
