"""Tables of declared fields as documents: ROS 2 parameter files and Markdown."""

from __future__ import annotations

from pose_regressor.settings.config import Config


def as_yaml(config: type[Config]) -> str:
    """A node's table with its defaults as a ROS 2 parameter file: the text of config/<node>.yaml."""
    lines = [
        f"# Every parameter of the {config.node_name} node and its default. Those marked live may be changed while it "
        "runs.",
        "# Written from the node's table in pose_regressor/middleware; a test compares them.",
        "/**:",
        "  ros__parameters:",
    ]
    for p in config.table():
        lines.append(f"    # {p.description}")
        notes = [f"{word}: {note}" for word, note in (("unit", p.unit), ("allowed", p.constraint)) if note]
        if notes := ["live"] * p.live + notes:
            lines.append(f"    # [{'; '.join(notes)}]")
        lines.append(f"    {p.name}: {_yaml_value(p.default)}")
    return "\n".join(lines) + "\n"


def _yaml_value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{item}"' for item in value or ("",)) + "]"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def as_markdown(*configs: type[Config]) -> str:
    """Tables as one Markdown table with a row for each field. Keys begin with the scope of their table."""
    lines = ["| key | default | allowed | unit | meaning |", "|---|---|---|---|---|"]
    for config in configs:
        prefix = config.scope if config.scope.endswith(".") else ""
        for p in config.table():
            allowed = p.constraint or ("true or false" if p.kind == "bool" else "")
            lines.append(f"| `{prefix}{p.name}` | `{as_text(p.default)}` | {allowed} | {p.unit} | {p.description} |")
        for name, section in config.sections().items():
            lines.append(f"| `{prefix}{name}` | | a mapping | | {section.description} |")
    return "\n".join(lines) + "\n"


def as_text(value: object) -> str:
    """A value as YAML has it, numbers as short as can be."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(as_text, value))}]"
    if isinstance(value, bool) or value is None:
        return "null" if value is None else str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
