"""Writes a bag: copies records of another one unchanged, and adds topics as rosbag2 would have recorded them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mcap.records import Attachment, Channel, McapRecord, Metadata, Schema
from mcap.writer import CompressionType, Writer

from pose_regressor.bag.reading import Recorded
from pose_regressor.middleware.wire.definitions import ros2msg
from pose_regressor.middleware.wire.type_hash import type_hash
from pose_regressor.types import InputError

COMPRESSIONS = {"": CompressionType.NONE, "lz4": CompressionType.LZ4, "zstd": CompressionType.ZSTD}
FOREVER = "    sec: 9223372036\n    nsec: 854775807\n"
#: The profile keep last, reliable, volatile, automatic: in words since Jazzy, in numbers before.
WORDS, NUMBERS = ("keep_last", "reliable", "volatile", "automatic"), ("1", "1", "2", "1")


class BagWriter:
    """Copies records and adds messages. Equal channels and schemas of several files become one."""

    def __init__(self, writer: Writer, qos: str | None) -> None:
        self._writer = writer
        self._qos_style = None if qos is None else NUMBERS if re.search(r"history: *\d", qos) else WORDS
        self._schemas: dict[tuple[str, str, bytes], int] = {}
        self._channels: dict[Any, int] = {}
        self._types: dict[str, int] = {}

    def copy(self, record: Recorded | McapRecord) -> None:
        """Copies a record, except for indexes, statistics and the like, which are made anew."""
        if isinstance(record, Recorded):
            m = record.message
            channel = self._channel(record.channel, record.schema)
            self._writer.add_message(channel, m.log_time, m.data, m.publish_time, m.sequence)
        elif isinstance(record, Attachment):
            r = record
            self._writer.add_attachment(r.create_time, r.log_time, r.name, r.media_type, r.data)
        elif isinstance(record, Metadata):
            self._writer.add_metadata(record.name, record.metadata)

    def add(self, topic: str, message: Any, log_time: int, depth: int) -> None:
        """Adds a message of `idl`. log_time: ns; depth: of the history that its publisher would offer."""
        if topic not in self._types:
            kind: Any = type(message)
            schema = self._schema(Schema(0, ros2msg(kind).encode(), "ros2msg", kind.ros_type))
            metadata = {"topic_type_hash": type_hash(kind)}
            if self._qos_style:
                metadata["offered_qos_profiles"] = qos_text(self._qos_style, depth)
            self._types[topic] = self._writer.register_channel(topic, "cdr", schema, metadata)
        self._writer.add_message(self._types[topic], log_time, message.serialize(), log_time)

    def continue_topic(self, channel: Channel, schema: Schema | None) -> None:
        """From now on `add` writes messages of this channel's topic to the channel itself."""
        self._types[channel.topic] = self._channel(channel, schema)

    def _channel(self, channel: Channel, schema: Schema | None) -> int:
        number = self._schema(schema) if schema else 0
        key = (channel.topic, channel.message_encoding, number, tuple(sorted(channel.metadata.items())))
        if key not in self._channels:
            new = self._writer.register_channel(channel.topic, channel.message_encoding, number, channel.metadata)
            self._channels[key] = new
        return self._channels[key]

    def _schema(self, schema: Schema) -> int:
        key = (schema.name, schema.encoding, schema.data)
        if key not in self._schemas:
            self._schemas[key] = self._writer.register_schema(*key)
        return self._schemas[key]


def qos_text(style: tuple[str, ...], depth: int) -> str:
    """A QoS profile as rosbag2 writes it. style: WORDS or NUMBERS."""
    history, reliability, durability, liveliness = style
    return (
        f"- history: {history}\n  depth: {depth}\n  reliability: {reliability}\n  durability: {durability}\n"
        f"  deadline:\n{FOREVER}  lifespan:\n{FOREVER}"
        f"  liveliness: {liveliness}\n  liveliness_lease_duration:\n{FOREVER}  avoid_ros_namespace_conventions: false"
    )


@contextmanager
def bag_writer(path: Path, profile: str = "ros2", compression: str = "", qos: str | None = None) -> Iterator[BagWriter]:
    """A new bag at `path`. Within the block it is <path>.partial; it gets its name only if the block succeeds.

    compression: "", lz4 or zstd; qos: a profile whose style the new ones follow, None writes none.
    InputError: it cannot be written.
    """
    partial = partial_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            writer = Writer(file, compression=COMPRESSIONS[compression])
            writer.start(profile)
            yield BagWriter(writer, qos)
            writer.finish()
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        with suppress(OSError):  # if all went well it is gone already
            partial.unlink()


def partial_path(path: Path) -> Path:
    """Where the bag `path` is while it is being written."""
    return path.with_name(f"{path.name}.partial")
