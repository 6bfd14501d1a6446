"""Which files make up a bag. Content decides: labels and suffixes are often wrong, or were never written."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from pose_regressor.files.io import read_yaml
from pose_regressor.types import InputError

MAGIC = b"\x89MCAP0\r\n"
ZSTD = b"\x28\xb5\x2f\xfd"
SQLITE = b"SQLite format 3\0"
#: Other bags, by how their files begin.
OTHER_BAGS = {b"#ROSBAG V": "a bag of ROS 1"}
#: Compressed files, by how they begin: the format, and the command that unpacks one beside itself.
COMPRESSED = {
    ZSTD: ("zstd", "zstd -d"),
    b"\x04\x22\x4d\x18": ("lz4", "lz4 -d -m"),
    b"\x1f\x8b": ("gzip", "gunzip -k"),
    b"BZh": ("bzip2", "bunzip2 -k"),
    b"\xfd7zXZ\0": ("xz", "unxz -k"),
    b"PK\x03\x04": ("zip", "unzip"),
}
HEAD = 16  # bytes that tell all of these apart
METADATA = "metadata.yaml"


def bag_files(path: Path) -> list[Path]:
    """The files of the bag at `path`, in the order of recording: the file itself, or those of rosbag2's folder.

    InputError: there are none. Whether they are bags is left to `check_head`.
    """
    if path.name == METADATA and path.is_file():
        path = path.parent
    return _files_of_folder(path) if path.is_dir() else [path]


def check_head(path: Path, bag: Path) -> None:
    """InputError if a file of the bag is neither MCAP nor SQLite: it says what it is, and the command that helps."""
    head = read_head(path)
    if head.startswith((MAGIC, SQLITE)):
        return
    for magic, (kind, command) in COMPRESSED.items():
        if head.startswith(magic):
            raise InputError(f"{path}: is compressed with {kind}; unpack it: {command} {shlex.quote(str(path))}")
    source = bag if (bag / METADATA).is_file() else path
    for magic, what in OTHER_BAGS.items():
        if head.startswith(magic):
            raise InputError(f"{path}: expected a bag of ROS 2 (MCAP or SQLite), got {what}; {conversion(source)}")
    raise InputError(
        f"{path}: expected a bag of ROS 2 (MCAP or SQLite), got a file that begins with {head[:8].hex() or 'nothing'}"
    )


def conversion(path: Path) -> str:
    """The command that converts a bag to MCAP, without ROS."""
    source = shlex.quote(str(path))
    return f"convert it: pip install rosbags && rosbags-convert --src {source} --dst NEW --dst-storage mcap"


def read_head(path: Path) -> bytes:
    """The first bytes of a file; fewer if it is shorter."""
    with path.open("rb") as file:
        return file.read(HEAD)


def _files_of_folder(folder: Path) -> list[Path]:
    names, problem = _listed(folder / METADATA)
    found = [_as_it_is_now(folder, name) for name in names]
    files = [path for path in found if path is not None]
    if names and len(files) == len(names):
        return files
    if files:
        gone = names[found.index(None)]
        raise InputError(f"{folder / gone}: no such file, but {METADATA} names it; put it back, or remove {METADATA}")
    # The recording was killed before metadata.yaml was written, or its files have other names now.
    there = _bags_in(folder)
    if not there:
        raise InputError(problem or f"{folder / names[0]}: no such file")
    if len({re.sub(r"_\d+$", "", path.stem) for path in there}) > 1:
        listed = ", ".join(path.name for path in there)
        raise InputError(f"{folder}: expected the files of one recording, NAME_0 and so on; give one of them: {listed}")
    return there


def _listed(metadata: Path) -> tuple[list[str], str]:
    """The files that a metadata.yaml names. If it names none: an empty list, and what is wrong with it."""
    if not metadata.is_file():
        return [], f"{metadata.parent}: expected a bag's folder with a {METADATA}, or a bag's file"
    try:
        content = read_yaml(metadata)
    except InputError as error:
        return [], str(error)
    about = content.get("rosbag2_bagfile_information") if isinstance(content, dict) else None
    if not isinstance(about, dict):
        return [], f"{metadata}: expected 'rosbag2_bagfile_information'"
    names = about.get("relative_file_paths")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        return [], f"{metadata}: expected 'relative_file_paths' to be a list of files"
    return names, ""


def _as_it_is_now(folder: Path, name: str) -> Path | None:
    """The file that metadata.yaml calls `name`. Early rosbag2 put the folder before it; people unpack what it names."""
    candidates = [place / Path(name).name for place in (folder / Path(name).parent, folder)]
    unpacked = [path.with_suffix("") for path in candidates if path.suffix]
    there = [path for path in (*candidates, *unpacked) if path.is_file()]
    return next((path for path in there if read_head(path).startswith((MAGIC, SQLITE))), there[0] if there else None)


def _bags_in(folder: Path) -> list[Path]:
    """The MCAP files in a folder; if there are none, those in SQLite, then files of other bags.

    Part 10 of a recording is after part 9.
    """
    heads = {path: read_head(path) for path in folder.iterdir() if path.is_file()}
    kinds: tuple[Sequence[bytes], ...] = ((MAGIC,), (SQLITE,), (*OTHER_BAGS, *COMPRESSED))
    for magics in kinds:
        if found := [path for path, head in heads.items() if head.startswith(tuple(magics))]:
            return sorted(found, key=lambda path: [(not part.isdigit(), part.zfill(20)) for part in _parts(path)])
    return []


def _parts(path: Path) -> list[str]:
    return re.findall(r"\d+|\D+", path.stem)
