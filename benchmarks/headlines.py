"""The last lines of every benchmark, and its JSON file.

A headline is one figure beside a named rival of the same run:

    headline: <name> = <value> <unit> (<rival> <value> <unit>, ratio <x.x>)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Headline:
    """One figure.

    name: what was measured
    value: the figure, in `unit`
    unit: such as ms; may be empty
    rival: what it is compared with; empty if there was no rival in this run
    rival_value: the rival's figure, in `unit`
    ratio: of the two, usually how many times better the value is; None if they have none
    form: format of both figures when printed
    """

    name: str
    value: float
    unit: str = ""
    rival: str = ""
    rival_value: float | None = None
    ratio: float | None = None
    form: str = ".3g"

    def __str__(self) -> str:
        def figure(value: float) -> str:
            return f"{value:{self.form}} {self.unit}".strip()

        rest = []
        if self.rival and self.rival_value is not None:
            rest.append(f"{self.rival} {figure(self.rival_value)}")
        if self.ratio is not None:
            rest.append(f"ratio {self.ratio:.1f}" if 0.1 <= self.ratio < 1e4 else f"ratio {self.ratio:.1e}")
        return f"headline: {self.name} = {figure(self.value)}" + (f" ({', '.join(rest)})" if rest else "")

    def to_dict(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if key != "form"}


def finish(headlines: list[Headline], path: Path | None, **figures: Any) -> None:
    """Prints the headlines. With a path: also writes them and all other figures there, as JSON."""
    for headline in headlines:
        print(headline)
    if path:
        result: Mapping[str, Any] = {**figures, "headlines": [headline.to_dict() for headline in headlines]}
        path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
