"""Bags in SQLite are read like those in MCAP. The databases are written by the tables of rosbag2_storage_sqlite3."""

import importlib.util
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("cyclonedds")
pytest.importorskip("mcap")
import zstandard

from pose_regressor.bag.reading import Recorded, open_bag
from pose_regressor.cli import main
from pose_regressor.middleware.wire import idl
from pose_regressor.middleware.wire.definitions import ros2msg
from pose_regressor.types import InputError

spec = importlib.util.spec_from_file_location("contents", Path(__file__).with_name("contents.py"))
contents = importlib.util.module_from_spec(spec)
spec.loader.exec_module(contents)

QOS = "- history: 3\n  depth: 0\n  reliability: 1\n"
#: Columns of `topics` after the four that all versions have.
VERSIONS = {
    "eloquent": "",
    "foxy": ", offered_qos_profiles TEXT NOT NULL",
    "humble": ", offered_qos_profiles TEXT NOT NULL",
    "jazzy": ", offered_qos_profiles TEXT NOT NULL, type_description_hash TEXT NOT NULL",
}


def write(path, items, version="humble", pack=lambda data: data):
    """items: (topic, type, definition, time, data)."""
    with closing(sqlite3.connect(path)) as base, base:
        base.execute(
            "CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, "
            f"serialization_format TEXT NOT NULL{VERSIONS[version]})"
        )
        base.execute(
            "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, timestamp INTEGER NOT NULL, "
            "data BLOB NOT NULL)"
        )
        base.execute("CREATE INDEX timestamp_idx ON messages (timestamp ASC)")
        if version in ("humble", "jazzy"):
            base.execute("CREATE TABLE schema(schema_version INTEGER PRIMARY KEY, ros_distro TEXT NOT NULL)")
            base.execute("INSERT INTO schema VALUES (3, ?)", (version,))
        if version == "jazzy":
            base.execute(
                "CREATE TABLE message_definitions(id INTEGER PRIMARY KEY, topic_type TEXT NOT NULL, encoding TEXT NOT "
                "NULL, encoded_message_definition TEXT NOT NULL, type_description_hash TEXT NOT NULL)"
            )
        topics = {}
        for topic, kind, definition, time, data in items:
            if topic not in topics:
                topics[topic] = len(topics) + 1
                more = {"eloquent": (), "jazzy": (QOS, "RIHS01_00")}.get(version, (QOS,))
                row = (topics[topic], topic, kind, "cdr", *more)
                base.execute(f"INSERT INTO topics VALUES ({', '.join('?' * len(row))})", row)
                if version == "jazzy":
                    values = (kind, "ros2msg", definition, "RIHS01_00")
                    base.execute("INSERT INTO message_definitions VALUES (NULL, ?, ?, ?, ?)", values)
            base.execute("INSERT INTO messages VALUES (NULL, ?, ?, ?)", (topics[topic], time, pack(data)))


def items_of(path):
    """Topic, type, definition, log time and data of each message of an MCAP file."""
    return [(topic, schema[0], schema[2].decode(), log_time, data)
            for topic, _, _, schema, log_time, *_, data in contents.messages(path)]  # fmt: skip


def plain(items):
    return [(topic, kind, time, data) for topic, kind, _, time, data in items]


def read(path):
    return [(r.channel.topic, r.schema.name, r.message.log_time, r.message.data)
            for r in open_bag(path).records() if isinstance(r, Recorded)]  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS)
def test_the_poses_are_those_of_the_same_bag_in_mcap(recorded, annotated, tmp_path, version):
    expected = items_of(annotated)
    write(tmp_path / "drive_0.db3", items_of(recorded / "raw.mcap"), version)
    before = (tmp_path / "drive_0.db3").read_bytes()
    assert main(["bag", str(tmp_path / "drive_0.db3"), str(tmp_path / "out.mcap")]) == 0
    assert plain(items_of(tmp_path / "out.mcap")) == plain(expected)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["drive_0.db3", "out.mcap"]
    assert (tmp_path / "drive_0.db3").read_bytes() == before
    # Definitions are known from the bag itself, or here.
    assert {item[1]: item[2] for item in items_of(tmp_path / "out.mcap")} == {item[1]: item[2] for item in expected}
    metadata = {topic: about for topic, _, about, *_ in contents.messages(tmp_path / "out.mcap")}
    assert ("offered_qos_profiles" in metadata["/camera/image_raw"]) == (version != "eloquent")
    assert metadata["/camera/image_raw"].get("topic_type_hash", "") == ("RIHS01_00" if version == "jazzy" else "")
    assert ("history: 1" in metadata["/tf"].get("offered_qos_profiles", "")) == (version != "eloquent")  # in its style


def test_types_that_are_not_known_here_are_copied_without_a_definition(tmp_path):
    write(tmp_path / "a.db3", [("/own", "my_msgs/msg/Own", "", 5, b"\0\1\0\0abc"), ("/tf", "tf2_msgs/msg/TFMessage", "",
                               6, idl.TFMessage().serialize())])  # fmt: skip
    bag = open_bag(tmp_path / "a.db3")
    assert (bag.start, bag.end, bag.counts.total(), bag.seconds) == (5, 6, 2, 1e-9)
    assert bag.channels["/own"][1].data == b"" and bag.channels["/own"][1].encoding == ""
    assert bag.channels["/tf"][1].data.decode() == ros2msg(idl.TFMessage)


def test_a_folder_of_several_files_and_what_it_is_labelled(recorded, tmp_path):
    items = items_of(recorded / "raw.mcap")
    folder = tmp_path / "drive"
    folder.mkdir()
    names = [f"drive_{number}.db3" for number in range(11)]
    for number, name in enumerate(names):
        write(folder / name, items[2 * number : 2 * number + (4 if number == 10 else 2)])
    assert read(folder) == plain(items)
    about = {"storage_identifier": "sqlite3", "relative_file_paths": names}
    (folder / "metadata.yaml").write_text(json.dumps({"rosbag2_bagfile_information": about}))
    assert read(folder) == read(folder / "metadata.yaml") == plain(items)
    shutil.copy(folder / names[0], tmp_path / "renamed.mcap")
    assert read(tmp_path / "renamed.mcap") == plain(items[:2])


def test_messages_that_are_compressed_one_by_one(recorded, tmp_path):
    items = items_of(recorded / "raw.mcap")
    write(tmp_path / "a.db3", items, pack=zstandard.ZstdCompressor().compress)
    assert read(tmp_path / "a.db3") == plain(items)
    claims = zstandard.ZstdCompressor().compress(bytes(300)).replace(b"\x60\x2c\x01", b"\xe0" + b"\xff" * 7 + b"\x7f")
    write(tmp_path / "b.db3", [("/tf", "tf2_msgs/msg/TFMessage", "", 6, claims[:12])])
    with pytest.raises(InputError, match=r"b.db3: .*damaged"):
        read(tmp_path / "b.db3")


def test_what_a_recorder_left_in_its_log_is_read(recorded, tmp_path):
    """SQLite's log stays if a recording is killed."""
    items = items_of(recorded / "raw.mcap")
    write(tmp_path / "a.db3", items[:-1])
    topic, _, _, time, data = items[-1]
    with closing(sqlite3.connect(tmp_path / "a.db3")) as base:
        base.execute("PRAGMA journal_mode=WAL")
        base.execute("INSERT INTO messages SELECT NULL, id, ?, ? FROM topics WHERE name = ?", (time, data, topic))
        base.commit()
        for name in ("a.db3", "a.db3-wal"):
            shutil.copy(tmp_path / name, tmp_path / name.replace("a.", "killed."))
    assert read(tmp_path / "killed.db3") == plain(items)


def test_rosbags_writes_what_is_read(recorded, tmp_path):
    """An independent writer of such bags."""
    rosbag2 = pytest.importorskip("rosbags.rosbag2")
    if not hasattr(rosbag2, "StoragePlugin"):
        pytest.skip("an older rosbags")
    items = items_of(recorded / "raw.mcap")
    with rosbag2.Writer(tmp_path / "drive", version=9, storage_plugin=rosbag2.StoragePlugin.SQLITE3) as writer:
        connections = {}
        for topic, kind, definition, time, data in items:
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, msgdef=definition, rihs01="RIHS01_00")
            writer.write(connections[topic], time, data)
    assert read(tmp_path / "drive") == plain(items)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("DROP TABLE topics", "expected a bag of rosbag2 in SQLite, with a table 'topics' of id, name, type"),
        ("DROP TABLE messages", "expected a bag of rosbag2 in SQLite, with a table 'messages' of topic_id, timestamp"),
        ("ALTER TABLE messages RENAME COLUMN data TO other", "with a table 'messages' of topic_id, timestamp, data"),
        ("DELETE FROM messages", "expected a bag with messages, this has none"),
        ("UPDATE messages SET timestamp = -1", "with times in nanoseconds, got '-1'"),
        ("UPDATE messages SET timestamp = 'noon'", "with times in nanoseconds, got 'noon'"),
        ("UPDATE messages SET data = 'text' WHERE id = 5", "a message has no topic or no data"),
        ("UPDATE messages SET topic_id = 99 WHERE id = 5", "a message has no topic or no data"),
        ("UPDATE topics SET type = CAST(x'ff0a66' AS TEXT)", "this is damaged .Could not decode to UTF-8"),
        ("UPDATE topics SET name = x'ff00'", "a topic lacks its name, type or format"),
        (
            "DROP TABLE messages; CREATE VIEW messages AS SELECT 1 AS topic_id, 2 AS timestamp, 3 AS data",
            "with a table",
        ),
    ],
)
def test_databases_that_are_no_bag(recorded, tmp_path, statement, message):
    write(tmp_path / "a.db3", items_of(recorded / "raw.mcap"))
    with closing(sqlite3.connect(tmp_path / "a.db3")) as base:
        base.executescript(statement)
    with pytest.raises(InputError, match=message) as error:
        read(tmp_path / "a.db3")
    assert str(error.value).startswith(f"{tmp_path / 'a.db3'}: ") and "\n" not in str(error.value)


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9])
def test_files_that_are_cut_off(recorded, tmp_path, share):
    write(tmp_path / "a.db3", items_of(recorded / "raw.mcap"))
    data = (tmp_path / "a.db3").read_bytes()
    (tmp_path / "a.db3").write_bytes(data[: int(share * len(data))])
    with pytest.raises(InputError, match=r"a.db3: expected a whole bag in SQLite, this is damaged") as error:
        read(tmp_path / "a.db3")
    assert "\n" not in str(error.value)
