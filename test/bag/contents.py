"""Bags as others read them (mcap's own reader, rosbags), and written with nothing of ours."""

import dataclasses

from mcap.reader import make_reader
from mcap.writer import CompressionType, Writer


def messages(path):
    """Every message in the order of the file, with all that belongs to it."""
    with path.open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        return [
            (c.topic, c.message_encoding, c.metadata, s and (s.name, s.encoding, s.data))
            + (m.log_time, m.publish_time, m.sequence, m.data)
            for s, c, m in reader.iter_messages(log_time_order=False)
        ]


def others(path):
    """Attachments and metadata records."""
    with path.open("rb") as file:
        reader = make_reader(file)
        found = [dataclasses.astuple(record) for record in reader.iter_attachments()]
        return found + [dataclasses.astuple(record) for record in reader.iter_metadata()]


def write(path, items, profile="ros2", compression=CompressionType.NONE, chunks=True, extra=lambda writer: None):
    """items: (topic, type, definition, metadata, log time, data)."""
    with path.open("wb") as file:
        writer = Writer(file, compression=compression, use_chunking=chunks, chunk_size=100_000)
        writer.start(profile)
        channels = {}
        for topic, kind, definition, metadata, log_time, data in items:
            key = (topic, kind, str(metadata))
            if key not in channels:
                schema = writer.register_schema(kind, "ros2msg", definition.encode())
                channels[key] = writer.register_channel(topic, "cdr", schema, metadata)
            writer.add_message(channels[key], log_time, data, log_time - 5, sequence=len(channels))
        extra(writer)
        writer.finish()
