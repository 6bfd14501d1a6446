"""What a node keeps count of: what arrived and became of it, and how long answers took."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

SUPERSEDED, STOPPED = "superseded by a newer one", "stopped"
RATE_LIMITED, INACTIVE = "over max_rate", "node not active"
#: Reasons for which something is dropped though nothing is wrong with it.
EXPECTED = {SUPERSEDED, RATE_LIMITED, INACTIVE, STOPPED}
INTERNAL_ERROR = "internal error"  # how the reason begins, when the fault is ours
#: Reasons come from messages, which anybody may send: beyond this many different ones they are counted together.
MAX_REASONS = 64
LATENCIES = 4096  # of so many answers the latency is remembered


@dataclass
class Counts:
    """received = processed + the sum of dropped + what waits or is in work."""

    received: int = 0
    processed: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    def drop(self, reason: str) -> str:
        """Count one by the part of an error's text before the values that came; under which words it was counted."""
        key = reason.split(",")[0]
        if key not in self.dropped and len(self.dropped) >= MAX_REASONS:
            key = "other reasons"
        self.dropped[key] += 1
        return key

    def copy(self) -> Counts:
        return Counts(self.received, self.processed, Counter(self.dropped))

    def __str__(self) -> str:
        reasons = "; ".join(f"{count} {reason}" for reason, count in self.dropped.most_common())
        dropped = f"{self.dropped.total()} dropped ({reasons})" if reasons else "none dropped"
        return f"{self.received} received, {self.processed} processed, {dropped}"


@dataclass(frozen=True)
class Latency:
    """Of one answer: when it was given (time.monotonic), and the seconds since what it answers had arrived."""

    at: float
    seconds: float
