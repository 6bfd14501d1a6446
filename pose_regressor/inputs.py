"""Values that come from outside: the error that refuses one, and arrays of numbers, checked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


class InputError(ValueError):
    """Something that the user or another program gave cannot be used. ``str(error)`` is one line: "<reason>, <detail>".

    reason: what is wrong, a fixed text without values. Counters and diagnostics use it as their key.
    detail: what came, what was expected and the remedy; '' if the reason says it all.

    Errors that are never counted (of files, options and the like) may put everything into one text, the reason.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail

    def __str__(self) -> str:
        return f"{self.reason}, {self.detail}" if self.detail else self.reason

    def of(self, what: str) -> InputError:
        """The same error with "<what>: " put before its reason; `what` is a fixed text, too."""
        return InputError(f"{what}: {self.reason}", self.detail)


def float_array(name: str, value: object, shape: tuple[int | None, ...], whose: str = "") -> FloatArray:
    """A read-only float64 copy of `value`.

    name: of the field, the same for all values; shape: a ``None`` in it accepts any length; whose: ends the error's
    detail, for fields of something that has a name of its own.
    """
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{name}: expected numbers", f"got {value!r}{whose}") from error
    if array.ndim != len(shape) or any(want not in (None, got) for want, got in zip(shape, array.shape, strict=True)):
        expected = "x".join("n" if want is None else str(want) for want in shape)
        got = "x".join(map(str, array.shape)) or "a single number"
        raise InputError(f"{name}: expected shape {expected}", f"got {got}{whose}")
    if not np.isfinite(array).all():
        raise InputError(f"{name}: expected finite numbers", f"got {array.tolist()}{whose}")
    array.flags.writeable = False
    return array
