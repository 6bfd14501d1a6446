"""Files: broken bundles, meshes, YAML, JSON, bags. Each is read or refused by an InputError of one line."""

import json
import shutil
import sqlite3
import struct
from contextlib import closing
from dataclasses import replace

import numpy as np
import torch
from fuzz_cameras import CAMERAS
from fuzz_messages import image, info
from fuzz_mutations import mutate

from pose_regressor.bag.reading import Recorded, open_bag
from pose_regressor.bag.topics import find_cameras
from pose_regressor.bag.writing import bag_writer
from pose_regressor.cli.node_options import read_parameters
from pose_regressor.files.bop import read_scene_gt
from pose_regressor.files.cameras import load_camera
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.middleware.wire import idl
from pose_regressor.middleware.wire.definitions import ros2msg
from pose_regressor.network.bundle import Bundle
from pose_regressor.network.config import NetworkConfig
from pose_regressor.network.network import PoseNetwork
from pose_regressor.network.weights import Weights
from pose_regressor.settings import as_yaml
from pose_regressor.types import InputError, ObjectModel

CALIBRATION = """image_width: 640
image_height: 480
camera_matrix: {rows: 3, cols: 3, data: [500.0, 0, 320, 0, 500, 240, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0.1, -0.2, 0, 0, 0]}
"""
METADATA = """rosbag2_bagfile_information:
  storage_identifier: mcap
  compression_mode: ""
  relative_file_paths: [whole.mcap]
"""


def bundle_bytes(folder):
    half = np.array([0.1, 0.05, 0.03])
    points = np.random.default_rng(0).uniform(-half, half, (20, 3))
    torch.manual_seed(0)
    known = (ObjectModel("brick", 1, 0.24, np.stack([-half, half]), points, points[:8]),)
    network = PoseNetwork(NetworkConfig(width=8, blocks=(1, 1, 1, 1), crop_size=32), 1)
    Bundle(Weights.of(network.eval()), known, {"seed": 0}, {}).save(folder / "whole.safetensors")
    return (folder / "whole.safetensors").read_bytes()


def bag_bytes(folder, compression):
    path = folder / "whole.mcap"
    with bag_writer(path, compression=compression) as writer:
        for number in range(3):
            writer.add("/camera/camera_info", info(), number, 5)
            writer.add("/camera/image_raw", image(), number, 5)
            writer.add("/depth/camera_info", info(), number, 5)
            writer.add("/depth/image_raw", replace(image(), encoding="16UC1"), number, 5)
        writer.add("/tf", idl.TFMessage(), 4, 100)
    assert ros2msg(idl.TFMessage).encode() in path.read_bytes() or compression
    return path.read_bytes()


def database_bytes(folder):
    """The bag in SQLite, as rosbag2 records one since Iron."""
    path = folder / "whole.db3"
    bag = open_bag(folder / "whole.mcap")
    with closing(sqlite3.connect(path)) as base, base:
        base.execute(
            "CREATE TABLE topics(id INTEGER PRIMARY KEY, name, type, serialization_format, type_description_hash)"
        )
        base.execute("CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER, timestamp INTEGER, data BLOB)")
        base.execute("CREATE TABLE message_definitions(topic_type, encoding, encoded_message_definition)")
        for number, (topic, (_, schema)) in enumerate(bag.channels.items()):
            base.execute("INSERT INTO topics VALUES (?, ?, ?, 'cdr', 'RIHS01_00')", (number, topic, schema.name))
            base.execute(
                "INSERT INTO message_definitions VALUES (?, 'ros2msg', ?)", (schema.name, schema.data.decode())
            )
        numbers = {topic: number for number, topic in enumerate(bag.channels)}
        for record in bag.records():
            if isinstance(record, Recorded):
                row = (numbers[record.channel.topic], record.message.log_time, record.message.data)
                base.execute("INSERT INTO messages VALUES (NULL, ?, ?, ?)", row)
    return path.read_bytes()


def load_bag(path):
    bag = open_bag(path)
    find_cameras(bag)
    for record in bag.records():
        if isinstance(record, Recorded) and record.schema and record.schema.name.endswith("CameraInfo"):
            idl.CameraInfo.deserialize(record.message.data)


def load_folder(path):
    """The file as a bag's metadata.yaml, beside a whole bag."""
    shutil.copy(path, path.parent / "folder" / "metadata.yaml")
    load_bag(path.parent / "folder")


def load_parameters(path):
    NodeConfig.from_dict(read_parameters(path))


def mutate_bundle(rng, data):
    """Of three in turn: the bytes; the header's JSON, with its length put right; what our own JSON in it says, with the
    header put right, so that this must be doubted too."""
    kind = rng.randrange(3)
    if kind == 0:
        return mutate(rng, data)
    (length,) = struct.unpack_from("<Q", data)
    text, rest = data[8 : 8 + length], data[8 + length :]
    if kind == 1:
        text = mutate(rng, text)
    else:
        header = json.loads(text)
        own = header["__metadata__"]["pose_regressor"]
        header["__metadata__"]["pose_regressor"] = mutate(rng, own.encode()).decode(errors="replace")
        text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + rest


class Files:
    """`one` writes a broken file of a kind and reads it: "" for one that was read, else why not. Any other exception
    than InputError is a fault of ours."""

    def __init__(self, folder):
        self.folder = folder
        camera = {"width": 640, "height": 480, "fx": 500.0, "fy": 500.0, "cx": 320.0, "cy": 240.0}
        truth = {"0": [{"obj_id": 1, "cam_R_m2c": [1, 0, 0, 0, 1, 0, 0, 0, 1], "cam_t_m2c": [0, 0, 500.0]}]}
        self.kinds = {
            "bundle": (".safetensors", bundle_bytes(folder), Bundle.load, mutate_bundle),
            "calibration": (".yaml", CALIBRATION.encode(), load_camera, mutate),
            "parameters": (".yaml", as_yaml(NodeConfig).encode(), load_parameters, mutate),
            "camera": (".json", json.dumps(camera).encode(), load_camera, mutate),
            "truth": (".json", json.dumps(truth).encode(), read_scene_gt, mutate),
            "bag": (".mcap", bag_bytes(folder, ""), load_bag, mutate),
            "bag zstd": (".mcap", bag_bytes(folder, "zstd"), load_bag, mutate),
            "bag lz4": (".mcap", bag_bytes(folder, "lz4"), load_bag, mutate),
            "bag db3": (".db3", database_bytes(folder), load_bag, mutate),
            "bag folder": (".yaml", METADATA.encode(), load_folder, mutate),
        }
        self.kinds |= {name: (suffix, text.encode(), load_camera, mutate) for name, (suffix, text) in CAMERAS.items()}
        (folder / "folder").mkdir()
        shutil.copy(folder / "whole.mcap", folder / "folder" / "whole.mcap")
        self._add_meshes()

    def _add_meshes(self):
        try:
            from fuzz_meshes import mesh_kinds
        except ImportError:  # the runtime alone
            return
        self.kinds |= mesh_kinds(self.folder)

    def one(self, rng, kind):
        _, data, _, change = self.kinds[kind]
        return self.read(kind, change(rng, data))

    def read(self, kind, data):
        suffix, _, load, _ = self.kinds[kind]
        path = self.folder / f"broken{suffix}"
        path.write_bytes(data)
        try:
            load(path)
        except InputError as error:
            assert "\n" not in str(error), str(error)
            assert str(error), "no reason"
            return str(error).replace(f"{path}: ", "")
        return ""
