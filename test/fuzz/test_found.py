"""What `make fuzz` has found, each kept as small as it was."""

import json
import struct
import zlib

import numpy as np
import pytest

from pose_regressor.files.bop import read_scene_gt
from pose_regressor.middleware.messages.compressed import image_from_compressed
from pose_regressor.middleware.messages.images import frame_from_image
from pose_regressor.network.bundle import Bundle
from pose_regressor.types import Camera, InputError

pytest.importorskip("cyclonedds")
from fuzz import memory

from pose_regressor.middleware.wire import idl

CAMERA = Camera(8, 6, np.array([[50.0, 0, 3.5], [0, 50, 2.5], [0, 0, 1]]))


def chunk(name, content, length=None):
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content) if length is None else length) + name + content + struct.pack(">I", checksum)


@pytest.mark.parametrize("length", [0xFFFFFF30, 0xAC800000, 200])
def test_a_chunk_that_says_it_is_of_gigabytes(length):
    """OpenCV took 4 GB and 15 seconds for 120 bytes."""
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 6, 8, 2, 0, 0, 0))
    data = start + chunk(b"IDAT", bytes(40), length)
    with pytest.raises(InputError, match="bytes that are not whole"):
        image_from_compressed(idl.CompressedImage(data=np.frombuffer(data, np.uint8)), CAMERA)


@pytest.mark.parametrize("nanosec", [10**9, 2**32 - 1])
def test_a_stamp_that_no_clock_shows(nanosec):
    """With the largest second it did not fit into the answer."""
    header = idl.Header(idl.Time(2**31 - 1, nanosec), "camera")
    message = idl.Image(header, 6, 8, "rgb8", 0, 24, np.zeros(144, np.uint8))
    with pytest.raises(InputError, match="expected a stamp of less than"):
        frame_from_image(message, CAMERA)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("width", 99999992),
        ("blocks", [2, 2, 2, 10**9]),
        ("crop_size", 32 * 10**9),
        ("width", 256),  # of an allowed size, but the weights are not there: no memory for what is only said
        ("crop_margin", float("inf")),
        ("crop_margin", float("nan")),
        ("mean", [0.5, 0.5, float("nan")]),
    ],
)
def test_a_bundle_whose_network_would_fill_the_memory(tiny_bundle, tmp_path, name, value):
    path = tmp_path / "bundle.safetensors"
    tiny_bundle.save(path)
    rewrite(path, lambda about: about["network"].update({name: value}))
    with pytest.raises(InputError, match=f"network.{name}" if name != "width" or value != 256 else "expected shape"):
        Bundle.load(path)


def rewrite(path, change):
    """What the bundle says of itself, changed."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    about = json.loads(header["__metadata__"]["pose_regressor"])
    change(about)
    header["__metadata__"]["pose_regressor"] = json.dumps(about)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])


def test_nesting_without_end(tiny_bundle, tmp_path):
    path = tmp_path / "bundle.safetensors"
    tiny_bundle.save(path)
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    header["__metadata__"]["pose_regressor"] = "[" * 100_000
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])
    with pytest.raises(InputError, match="header is not that of a pose_regressor bundle"):
        Bundle.load(path)


def test_vertices_of_two_numbers(tmp_path):
    mesh = pytest.importorskip("pose_regressor_training.meshes.mesh")
    path = tmp_path / "flat.obj"
    path.write_text("v 0 0\nv 1 0\nv 0 1\nf 1 2 3\n")
    with pytest.raises(InputError, match=r"flat\.obj"):
        mesh.load_mesh(path)


@pytest.mark.parametrize("field", ["uncompressed size", "length of the data"])
def test_a_bag_whose_chunk_says_it_is_larger_than_any_memory(tmp_path, field):
    pytest.importorskip("mcap")
    from pose_regressor.bag.reading import open_bag
    from pose_regressor.bag.writing import bag_writer

    path = tmp_path / "bag.mcap"
    with bag_writer(path, compression="zstd") as writer:
        writer.add("/tf", idl.TFMessage(), 1, 100)
    data = bytearray(path.read_bytes())
    chunk = 8 + 9 + struct.unpack_from("<Q", data, 8 + 1)[0]  # after the file's header
    assert data[chunk] == 6
    # Both times, size, checksum and the compression's name come before the data's length.
    place = chunk + 9 + (16 if field == "uncompressed size" else 8 + 8 + 8 + 4 + 4 + len("zstd"))
    data[place : place + 8] = b"\xff" * 8
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"bag\.mcap: expected a whole MCAP file, this is damaged"):
        list(open_bag(path).records())


def test_a_whole_number_larger_than_any_float(tmp_path):
    """Text has them of any length, and numpy's refusal is neither a TypeError nor a ValueError."""
    path = tmp_path / "scene_gt.json"
    pose = {"cam_R_m2c": [10**400, 0, 0, 0, 1, 0, 0, 0, 1], "cam_t_m2c": [0, 0, 1], "obj_id": 1}
    path.write_text(json.dumps({"0": [pose]}))
    with pytest.raises(InputError, match=r"cam_R_m2c.*too large"):
        read_scene_gt(path)


def test_bundles_that_are_read_again_and_again(tiny_bundle, tmp_path):
    """safetensors' safe_open lost 9 kB at each."""
    path = tmp_path / "bundle.safetensors"
    tiny_bundle.save(path)

    def grown_by(times):
        before = memory()
        for _ in range(times):
            Bundle.load(path)
        return memory() - before

    grown_by(50)
    assert grown_by(200) < 1.0  # MB; it was 1.8
