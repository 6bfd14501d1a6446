"""What a node counts: messages received, processed and dropped, and how long its answers took."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

SUPERSEDED, STOPPED = "superseded by a newer one", "stopped"
RATE_LIMITED, INACTIVE = "over max_rate", "node not active"
#: Reasons to drop a message that has nothing wrong with it.
EXPECTED = {SUPERSEDED, RATE_LIMITED, INACTIVE, STOPPED}
INTERNAL_ERROR = "internal error"
#: Some reasons hold a name that came from outside (a type of error, say), so their number is bounded: once there are
#: this many, further ones are counted as OTHER.
MAX_REASONS, OTHER = 64, "other reasons"
#: The latency of this many answers is remembered.
LATENCIES = 4096


@dataclass
class Counts:
    """Always: received = processed + all dropped + those that wait or are in work.

    received: messages that came.
    processed: messages that were answered.
    dropped: messages that were not answered, by reason.
    """

    received: int = 0
    processed: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    def drop(self, reason: str, messages: int = 1) -> str:
        """Counts dropped messages. Returns the reason that they are counted under: `reason`, or OTHER.

        reason: the same text whatever the values in the message, as `InputError.reason` is.
        """
        if reason not in self.dropped and len(self.dropped) >= MAX_REASONS:
            reason = OTHER
        self.dropped[reason] += messages
        return reason

    @property
    def internal_errors(self) -> int:
        """Messages that were dropped because our own code failed on them."""
        return sum(count for reason, count in self.dropped.items() if reason.startswith(INTERNAL_ERROR))

    def since(self, past: Counts) -> Counts:
        """What was counted after `past`, an earlier copy."""
        dropped = self.dropped - past.dropped
        return Counts(self.received - past.received, self.processed - past.processed, dropped)

    def copy(self) -> Counts:
        return Counts(self.received, self.processed, Counter(self.dropped))

    def __str__(self) -> str:
        reasons = "; ".join(f"{count} {reason}" for reason, count in self.dropped.most_common())
        dropped = f"{self.dropped.total()} dropped ({reasons})" if reasons else "none dropped"
        return f"{self.received} received, {self.processed} processed, {dropped}"


def internal_reason(error: BaseException) -> str:
    """The reason to drop a message on which our own code failed."""
    return f"{INTERNAL_ERROR} {type(error).__name__}"


@dataclass(frozen=True)
class Latency:
    """How long one answer took.

    at: when it was given (time.monotonic).
    seconds: from the arrival of the message to its answer.
    """

    at: float
    seconds: float
