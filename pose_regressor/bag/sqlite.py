"""Reads bags in SQLite (.db3), which rosbag2 records by default up to Humble, as records of an MCAP file.

The tables are those of rosbag2_storage_sqlite3: `topics` and `messages`, since Iron also `message_definitions`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from mcap.records import Channel, Message, Schema

from pose_regressor.middleware.wire import idl
from pose_regressor.middleware.wire.definitions import ros2msg
from pose_regressor.types import InputError

#: Columns that each table must have. `topics` has more since Foxy.
TABLES = {"topics": ("id", "name", "type", "serialization_format"), "messages": ("topic_id", "timestamp", "data")}
#: What newer bags say of topics, with the names that rosbag2 gives it in MCAP.
MORE = {"offered_qos_profiles": "offered_qos_profiles", "type_description_hash": "topic_type_hash"}
#: Classes of the messages whose definitions are known here: older bags hold none.
KNOWN = {kind.ros_type: kind for kind in vars(idl).values() if hasattr(kind, "ros_type")}
#: MCAP's times are whole numbers of 64 bits.
LATEST = 2**64 - 1


def survey(path: Path) -> Iterator[tuple[Channel, Schema, int, int, int]]:
    """Each topic with its schema, its number of messages, and the times of its first and last one in ns.

    InputError: there are no tables of rosbag2. sqlite3.Error: the file is damaged.
    """
    with closing(_open(path)) as base:
        topics = _topics(base, path)
        rows = base.execute("SELECT topic_id, count(*), min(timestamp), max(timestamp) FROM messages GROUP BY topic_id")
        found = {number: (count, _time(start, path), _time(end, path)) for number, count, start, end in rows}
        for number, (channel, schema) in topics.items():
            yield channel, schema, *found.get(number, (0, 0, 0))


def messages(path: Path) -> Iterator[tuple[Channel, Schema, Message]]:
    """Every message in the order of recording. Errors: as for `survey`."""
    with closing(_open(path)) as base:
        topics = _topics(base, path)
        for number, time, data in base.execute("SELECT topic_id, timestamp, data FROM messages ORDER BY rowid"):
            if number not in topics or not isinstance(data, bytes):
                raise InputError(f"{path}: expected a whole bag in SQLite, a message has no topic or no data")
            channel, schema = topics[number]
            stamp = _time(time, path)
            yield channel, schema, Message(channel.id, stamp, data, stamp, 0)


def _open(path: Path) -> sqlite3.Connection:
    """A connection that writes nothing. What a recorder left in a log beside the file is read, too."""
    log = path.with_name(f"{path.name}-wal")
    mode = "mode=ro" if log.is_file() and log.stat().st_size else "immutable=1"
    return sqlite3.connect(f"file:{quote(str(path.absolute()))}?{mode}", uri=True)


def _topics(base: sqlite3.Connection, path: Path) -> dict[int, tuple[Channel, Schema]]:
    """The channel and the schema of each topic, by its number."""
    for table, wanted in TABLES.items():
        kind = base.execute("SELECT type FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        missing = [name for name in wanted if name not in _columns(base, table)]
        if kind != ("table",) or missing:
            raise InputError(
                f"{path}: expected a bag of rosbag2 in SQLite, with a table '{table}' of {', '.join(wanted)}"
            )
    definitions = _definitions(base)
    more = [name for name in MORE if name in _columns(base, "topics")]
    names = ", ".join((*TABLES["topics"], *more))
    found = {}
    for number, name, kind, encoding, *rest in base.execute(f"SELECT {names} FROM topics ORDER BY id"):
        if not isinstance(number, int) or not all(isinstance(text, str) for text in (name, kind, encoding)):
            raise InputError(f"{path}: expected a whole bag in SQLite, a topic lacks its name, type or format")
        about = {MORE[key]: str(value) for key, value in zip(more, rest, strict=True) if value}
        text = definitions.get(kind) or (ros2msg(KNOWN[kind]) if kind in KNOWN else "")
        schema = Schema(number + 1, text.encode(), "ros2msg" if text else "", kind)  # 0 would mean none
        found[number] = Channel(number, name, encoding, about, schema.id), schema
    return found


def _definitions(base: sqlite3.Connection) -> dict[str, str]:
    """The definitions in .msg files by message type, since Iron."""
    if not {"topic_type", "encoding", "encoded_message_definition"} <= _columns(base, "message_definitions"):
        return {}
    rows = base.execute(
        "SELECT topic_type, encoded_message_definition FROM message_definitions WHERE encoding='ros2msg'"
    )
    return {str(kind): str(text) for kind, text in rows}


def _columns(base: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in base.execute(f"PRAGMA table_info({table})")}


def _time(value: object, path: Path) -> int:
    if isinstance(value, int) and 0 <= value <= LATEST:
        return value
    raise InputError(f"{path}: expected a whole bag in SQLite, with times in nanoseconds, got {str(value)[:40]!r}")
