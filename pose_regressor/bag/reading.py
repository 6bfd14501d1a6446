"""Reads bags of rosbag2, in MCAP or SQLite: one file, or a folder. Needs no ROS 2."""

from __future__ import annotations

import sqlite3
import struct
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import zstandard
from mcap.exceptions import McapError
from mcap.reader import SeekingReader
from mcap.records import Channel, Chunk, McapRecord, Message, Schema
from mcap.stream_reader import StreamReader, breakup_chunk

from pose_regressor.bag import sqlite
from pose_regressor.bag.files import MAGIC, SQLITE, ZSTD, bag_files, check_head, read_head
from pose_regressor.types import NANOSECONDS, InputError

#: Exceptions of the libraries below for a damaged file.
DAMAGE = (
    *(McapError, zstandard.ZstdError, struct.error, ValueError, KeyError, RuntimeError, EOFError, MemoryError),
    OverflowError,
)
#: Longest message that is unpacked, in bytes.
LONGEST_MESSAGE = 2**30


@dataclass(frozen=True)
class Topic:
    """A topic of a bag.

    name: its full name.
    type: as sensor_msgs/msg/Image; '' if it has no schema.
    encoding: of its messages, as cdr.
    """

    name: str
    type: str
    encoding: str


@dataclass(frozen=True)
class Recorded:
    """One message of a bag, with the channel and the schema that its file gives it."""

    channel: Channel
    schema: Schema | None
    message: Message


@dataclass
class Bag:
    """A bag and what its files say of themselves.

    path: the file or folder.
    files: in the order of recording.
    profile: of the first file.
    compression: of the first chunk, lz4 or zstd; "": none.
    counts: number of messages of each topic.
    channels: for each topic one channel with its schema.
    start, end: log times of the first and last message, ns.
    qos: the QoS profiles of one topic as text, in the style of the ROS 2 that recorded it; None: not recorded.
    """

    path: Path
    files: list[Path]
    profile: str = "ros2"
    compression: str = ""
    counts: Counter[Topic] = field(default_factory=Counter)
    channels: dict[str, tuple[Channel, Schema | None]] = field(default_factory=dict)
    start: int = 0
    end: int = 0
    qos: str | None = None

    @property
    def seconds(self) -> float:
        return (self.end - self.start) / NANOSECONDS

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.stat().st_size for file in self.files)

    def records(self) -> Iterator[Recorded | McapRecord]:
        """Everything in the order of the files: messages as Recorded, all else as it is.

        Messages that rosbag2 compressed one by one are unpacked.

        InputError: a file is damaged.
        """
        for path in self.files:
            yield from _records(path)

    def first_messages(self, topics: Collection[str]) -> dict[str, bytes]:
        """By topic: the data of its first message. Topics without messages are left out.

        InputError: a file is damaged.
        """
        wanted = {topic.name for topic, count in self.counts.items() if topic.name in topics and count}
        found: dict[str, bytes] = {}
        for record in self.records() if wanted else ():
            if isinstance(record, Recorded) and record.channel.topic in wanted:
                found.setdefault(record.channel.topic, record.message.data)
                if len(found) == len(wanted):
                    break
        return found


def open_bag(path: str | Path) -> Bag:
    """The bag at `path`: a file in MCAP or SQLite, or rosbag2's folder. InputError: there is none, or it is cut off."""
    path = Path(path)
    with _reading(path):
        bag = Bag(path, bag_files(path))
    for number, file in enumerate(bag.files):
        _survey(bag, file, first=number == 0)
    if not bag.counts.total():
        raise InputError(f"{path}: expected a bag with messages, this has none")
    return bag


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turns errors within the block into an InputError that names the file."""
    try:
        yield
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    except sqlite3.Error as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: expected a whole bag in SQLite, this is damaged ({reason[:200]})") from None
    except DAMAGE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: expected a whole MCAP file, this is damaged ({reason[:200]})") from None


def _check_ends(path: Path, bag: Path) -> None:
    """Checks both ends of an MCAP file. A recording that was not closed lacks the second one."""
    check_head(path, bag)
    if _is_sqlite(path):
        return
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - len(MAGIC)))
        tail = file.read()
    if tail != MAGIC:
        raise InputError(
            f"{path}: the file is cut off (its recording was not closed, or it was copied in part); repair it with "
            "`mcap recover`"
        )


def _survey(bag: Bag, path: Path, first: bool) -> None:
    """Adds the topics, times and so on of one file to the bag."""
    with _reading(path):
        _check_ends(path, bag.path)
        if _is_sqlite(path):
            for channel, schema, count, start, end in sqlite.survey(path):
                _add_channel(bag, channel, schema, count)
                _add_times(bag, start, end, count)
            return
        with path.open("rb") as file:
            reader = SeekingReader(file, record_size_limit=path.stat().st_size)
            if first:
                bag.profile = reader.get_header().profile
            summary = reader.get_summary()
        statistics = summary.statistics if summary else None
        if summary is None or statistics is None:
            _survey_all(bag, path)
            return
        for number, channel in summary.channels.items():
            count = statistics.channel_message_counts.get(number, 0)
            _add_channel(bag, channel, summary.schemas.get(channel.schema_id), count)
        _add_times(bag, statistics.message_start_time, statistics.message_end_time, statistics.message_count)
        if first and summary.chunk_indexes:
            bag.compression = summary.chunk_indexes[0].compression


def _is_sqlite(path: Path) -> bool:
    return read_head(path).startswith(SQLITE)


def _survey_all(bag: Bag, path: Path) -> None:
    """Does the same for a file without a summary, which has to be read from end to end."""
    for record in _records(path):
        if isinstance(record, Recorded):
            _add_channel(bag, record.channel, record.schema, 1)
            _add_times(bag, record.message.log_time, record.message.log_time, 1)


def _add_channel(bag: Bag, channel: Channel, schema: Schema | None, messages: int) -> None:
    bag.counts[Topic(channel.topic, schema.name if schema else "", channel.message_encoding)] += messages
    bag.channels.setdefault(channel.topic, (channel, schema))
    bag.qos = bag.qos or channel.metadata.get("offered_qos_profiles")


def _add_times(bag: Bag, start: int, end: int, messages: int) -> None:
    if messages:
        bag.start = min(bag.start or start, start)
        bag.end = max(bag.end, end)


def _records(path: Path) -> Iterator[Recorded | McapRecord]:
    with _reading(path):
        in_sqlite = (Recorded(*parts) for parts in sqlite.messages(path))
        for record in in_sqlite if _is_sqlite(path) else _mcap_records(path):
            yield _unpacked(record) if isinstance(record, Recorded) else record


def _unpacked(record: Recorded) -> Recorded:
    """The message without zstd, if rosbag2 compressed it by itself. CDR never begins as zstd does."""
    data = record.message.data
    if record.channel.message_encoding != "cdr" or not data.startswith(ZSTD):
        return record
    if zstandard.frame_content_size(data) > LONGEST_MESSAGE:
        raise ValueError("a message that is too long")
    whole = zstandard.ZstdDecompressor().decompress(data, max_output_size=LONGEST_MESSAGE)
    return replace(record, message=replace(record.message, data=whole))


def _mcap_records(path: Path) -> Iterator[Recorded | McapRecord]:
    channels: dict[int, Channel] = {}
    schemas: dict[int, Schema] = {}
    with path.open("rb") as file:
        # Without a limit, a wrong length would be believed up to the size of the memory.
        reader = StreamReader(file, emit_chunks=True, record_size_limit=path.stat().st_size)
        for outer in reader.records:
            for record in breakup_chunk(outer, validate_crc=True) if isinstance(outer, Chunk) else (outer,):
                item: Any = record
                if isinstance(record, Schema):
                    schemas[record.id] = record
                elif isinstance(record, Channel):
                    channels[record.id] = record
                elif isinstance(record, Message):
                    channel = channels[record.channel_id]
                    item = Recorded(channel, schemas[channel.schema_id] if channel.schema_id else None, record)
                yield item
