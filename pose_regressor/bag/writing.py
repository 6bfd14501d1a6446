"""Writes a bag: what another one has, unchanged, and new topics as rosbag2 would have recorded them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mcap.records import Attachment, Channel, McapRecord, Metadata, Schema
from mcap.writer import CompressionType, Writer

from pose_regressor.bag.definitions import ros2msg
from pose_regressor.bag.reading import Recorded
from pose_regressor.middleware.wire.type_hash import ros_name, type_hash
from pose_regressor.types import InputError

COMPRESSIONS = {"": CompressionType.NONE, "lz4": CompressionType.LZ4, "zstd": CompressionType.ZSTD}
FOREVER = "    sec: 9223372036\n    nsec: 854775807\n"
#: Keep last, reliable, volatile, automatic: in the words of rosbag2 since Jazzy, and in the numbers of those before.
WORDS, NUMBERS = ("keep_last", "reliable", "volatile", "automatic"), ("1", "1", "2", "1")


class BagWriter:
    """Copies records and adds messages. Channels and schemas that are the same in several files become one."""

    def __init__(self, writer: Writer, qos: str | None) -> None:
        self._writer = writer
        self._qos_style = None if qos is None else NUMBERS if re.search(r"history: *\d", qos) else WORDS
        self._schemas: dict[tuple[str, str, bytes], int] = {}
        self._channels: dict[Any, int] = {}
        self._types: dict[str, int] = {}

    def copy(self, record: Recorded | McapRecord) -> None:
        """Indexes, statistics and the like are not copied: they are made anew."""
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
        """One message of `idl`. depth: of the history that its publisher would offer."""
        if topic not in self._types:
            kind: Any = type(message)
            schema = self._schema(Schema(0, ros2msg(kind).encode(), "ros2msg", ros_name(kind)))
            metadata = {"topic_type_hash": type_hash(kind)}
            if self._qos_style:
                metadata["offered_qos_profiles"] = qos_text(self._qos_style, depth)
            self._types[topic] = self._writer.register_channel(topic, "cdr", schema, metadata)
        self._writer.add_message(self._types[topic], log_time, message.serialize(), log_time)

    def continue_topic(self, channel: Channel, schema: Schema | None) -> None:
        """Messages added to this channel's topic go into the channel itself."""
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
    """One profile as rosbag2 writes it."""
    history, reliability, durability, liveliness = style
    return (
        f"- history: {history}\n  depth: {depth}\n  reliability: {reliability}\n  durability: {durability}\n"
        f"  deadline:\n{FOREVER}  lifespan:\n{FOREVER}"
        f"  liveliness: {liveliness}\n  liveliness_lease_duration:\n{FOREVER}  avoid_ros_namespace_conventions: false"
    )


@contextmanager
def bag_writer(path: Path, profile: str = "ros2", compression: str = "", qos: str | None = None) -> Iterator[BagWriter]:
    """A new bag at `path`, which is there when the block ends well. Until then it is <path>.partial.

    compression: "", lz4 or zstd; qos: a profile in the words that new ones shall be in, none for none at all.
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
        with suppress(OSError):  # gone already when all went well
            partial.unlink()


def partial_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.partial")
