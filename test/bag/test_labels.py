"""A bag is judged by its content: labels, suffixes and metadata.yaml may be wrong or missing."""

import contextlib
import gzip
import importlib.util
import json
import shutil
import sys
from pathlib import Path

import lz4.frame
import pytest

pytest.importorskip("mcap")
import zstandard

from pose_regressor.bag.reading import Recorded, open_bag
from pose_regressor.types import InputError

spec = importlib.util.spec_from_file_location("contents", Path(__file__).with_name("contents.py"))
contents = importlib.util.module_from_spec(spec)
spec.loader.exec_module(contents)


@pytest.fixture(scope="session")
def parts(recorded, tmp_path_factory):
    """The recorded bag in eleven files, as rosbag2 splits one: the tenth sorts before the second by name."""
    folder = tmp_path_factory.mktemp("parts")
    items = [
        (topic, schema[0], schema[2].decode(), {}, log_time, data)
        for topic, _, _, schema, log_time, *_, data in contents.messages(recorded / "raw.mcap")
    ]
    for number in range(11):
        contents.write(folder / f"drive_{number}.mcap", items[2 * number : 2 * number + (4 if number == 10 else 2)])
    return folder


@pytest.fixture
def folder(parts, tmp_path):
    return Path(shutil.copytree(parts, tmp_path / "drive"))


def label(folder, *names, storage="mcap", mode=""):
    about = {"storage_identifier": storage, "compression_mode": mode, "relative_file_paths": names}
    (folder / "metadata.yaml").write_text(json.dumps({"rosbag2_bagfile_information": about}))


def order(bag):
    return [path.name for path in bag.files]


NAMES = [f"drive_{number}.mcap" for number in range(11)]


@pytest.mark.parametrize("storage", ["", None, "sqlite3", "my_plugin"])
@pytest.mark.parametrize("mode", ["", "MESSAGE", "NONE"])
def test_what_the_label_says_does_not_matter(folder, storage, mode):
    label(folder, *NAMES, storage=storage, mode=mode)
    bag = open_bag(folder)
    assert order(bag) == NAMES and bag.counts.total() == 24
    assert order(open_bag(folder / "metadata.yaml")) == NAMES


@pytest.mark.parametrize("metadata", [None, "", "{", "a: 1", "rosbag2_bagfile_information: {storage_identifier: mcap}"])
def test_a_folder_without_a_usable_metadata_yaml(folder, metadata):
    """The recording was killed, or only the files were copied. They are read in the order of their numbers."""
    if metadata is not None:
        (folder / "metadata.yaml").write_text(metadata)
    (folder / "notes.txt").write_text("it rained")
    bag = open_bag(folder)
    assert order(bag) == NAMES and bag.counts.total() == 24


def test_files_that_were_renamed(folder):
    label(folder, "rosbag2_2026_11_30_0.mcap")
    assert order(open_bag(folder)) == NAMES


def test_files_without_their_suffix(folder):
    for path in list(folder.iterdir()):
        path.rename(path.with_suffix(""))
    assert order(open_bag(folder)) == [name.removesuffix(".mcap") for name in NAMES]


def test_names_with_their_folder_before_them(folder):
    """As rosbag2 of Eloquent wrote them."""
    label(folder, *(f"drive/{name}" for name in NAMES))
    assert order(open_bag(folder)) == NAMES


def test_a_part_that_is_missing_is_not_passed_over(folder):
    label(folder, *NAMES)
    (folder / "drive_3.mcap").unlink()
    with pytest.raises(InputError, match=r"drive_3.mcap: no such file, but metadata.yaml names it"):
        open_bag(folder)


def test_a_folder_of_several_recordings_is_not_one_bag(recorded, folder):
    shutil.copy(recorded / "raw.mcap", folder / "other.mcap")
    with pytest.raises(InputError, match=r"expected the files of one recording, .* give one of them: .*other.mcap"):
        open_bag(folder)


PACKERS = {
    "zstd -d": zstandard.ZstdCompressor().compress,
    "lz4 -d -m": lz4.frame.compress,
    "gunzip -k": gzip.compress,
}


@pytest.mark.parametrize("command", PACKERS)
def test_compressed_files_name_the_command_that_unpacks_them(folder, command):
    path = folder / "drive_0.mcap.zstd"
    path.write_bytes(PACKERS[command]((folder / "drive_0.mcap").read_bytes()))
    with pytest.raises(InputError, match=f"is compressed with .*; unpack it: {command} {path}"):
        open_bag(path)


def test_a_folder_that_was_unpacked_as_we_said(folder):
    """metadata.yaml goes on to name the compressed files."""
    label(folder, *(f"{name}.zstd" for name in NAMES), mode="FILE")
    for name in NAMES[:5]:
        (folder / f"{name}.zstd").write_bytes(zstandard.ZstdCompressor().compress((folder / name).read_bytes()))
    assert order(open_bag(folder)) == NAMES


def test_messages_that_are_compressed_one_by_one(recorded, tmp_path):
    whole = contents.messages(recorded / "raw.mcap")
    items = [
        (topic, schema[0], schema[2].decode(), {}, log_time, zstandard.ZstdCompressor().compress(data))
        for topic, _, _, schema, log_time, *_, data in whole
    ]
    contents.write(tmp_path / "in.mcap", items)
    bag = open_bag(tmp_path / "in.mcap")
    found = [record.message.data for record in bag.records() if isinstance(record, Recorded)]
    assert found == [row[-1] for row in whole]
    topic = "/camera/camera_info"
    assert bag.first_messages({topic}) == {topic: next(row[-1] for row in whole if row[0] == topic)}


def test_bags_of_ros_1_name_the_command_that_converts_them(tmp_path):
    path = tmp_path / "drive.bag"
    path.write_bytes(b"#ROSBAG V2.0\n" + bytes(100))
    with pytest.raises(InputError, match=f"got a bag of ROS 1; convert it: .* rosbags-convert --src {path} --dst"):
        open_bag(path)


def test_the_command_does_what_it_says(tmp_path, monkeypatch):
    """rosbags converts such bags without ROS, and the result can be read, in MCAP and in SQLite."""
    rosbags_convert = pytest.importorskip("rosbags.convert.cli").main
    from rosbags.rosbag1 import Writer
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS1_NOETIC)
    text = store.types["std_msgs/msg/String"]
    with Writer(tmp_path / "one.bag") as writer:
        connection = writer.add_connection("/chatter", "std_msgs/msg/String", typestore=store)
        writer.write(connection, 1000, store.serialize_ros1(text(data="hi"), "std_msgs/msg/String"))
    for source, storage, target in (("one.bag", "sqlite3", "two"), ("one.bag", "mcap", "a")):
        arguments = ["--src", str(tmp_path / source), "--dst", str(tmp_path / target), "--dst-storage", storage]
        monkeypatch.setattr(sys, "argv", ["rosbags-convert", *arguments])
        with contextlib.suppress(SystemExit):
            rosbags_convert()
        assert [topic.name for topic in open_bag(tmp_path / target).counts] == ["/chatter"]
