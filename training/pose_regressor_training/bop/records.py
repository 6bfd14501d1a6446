"""JSON as BOP's files have it: one line for each entry, so that people can read them and line tools can cut them."""

from __future__ import annotations

import json
from collections.abc import Mapping


def one_line_each(entries: Mapping[str, object]) -> str:
    """The text of a JSON object, a line for each key, in the order given."""
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in entries.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"
