"""Unpacks BOP's webdataset layout (shard-000000.tar) or imagewise layout into numbered folders of scenes.

    python -m pose_regressor_training.bop.unpack train_pbr_web train_pbr

Each image of those layouts has files of its own, such as 000002_000017.rgb.jpg and 000002_000017.gt.json: the numbers
of scene and image, and what the file holds.
"""

from __future__ import annotations

import json
import re
import sys
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pose_regressor.files.io import write_text
from pose_regressor.types import InputError
from pose_regressor_training.bop.coco import decode_rle
from pose_regressor_training.bop.reader import SCENE_GT, mask_path, scene_folder
from pose_regressor_training.bop.records import one_line_each

MEMBER = re.compile(r"(?:.*/)?(\d+)_(\d+)\.(\w+)\.(\w+)")
#: Files of a scene by what an image's file holds; the last one is written last, for it says that the scene is complete.
SCENE_FILES = {"camera": "scene_camera.json", "gt_info": "scene_gt_info.json", "gt": SCENE_GT}
MASKS = {"mask": False, "mask_visib": True}  # whether visible


def unpack(source: Path, target: Path) -> int:
    """Write the scenes of `source` to `target`, a new folder. Returns the number of images.

    Raises InputError if `source` has neither layout or is damaged, or if `target` exists.
    """
    if target.exists():
        raise InputError(f"{target}: exists already, expected a new folder")
    entries: dict[int, dict[str, dict[int, Any]]] = {}
    for name, scene_id, im_id, kind, suffix, data in _members(source):
        folder = scene_folder(target, scene_id)
        try:
            if kind in SCENE_FILES:
                entries.setdefault(scene_id, {}).setdefault(kind, {})[im_id] = json.loads(data)
            elif kind in MASKS:
                for index, rle in json.loads(data).items():
                    path = mask_path(folder, im_id, int(index), MASKS[kind])
                    image = decode_rle(rle).astype(np.uint8) * 255
                    path.parent.mkdir(parents=True, exist_ok=True)
                    cv2.imwrite(str(path), image)
            elif suffix != "json":
                path = folder / kind / f"{im_id:06d}.{suffix}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{source}: {name}: expected a file of BOP's {kind} ({error!r})") from None
    if not entries:
        raise InputError(f"{source}: expected shard-*.tar or files such as 000002_000017.gt.json, found none")
    for scene_id, kinds in entries.items():
        for kind in (kind for kind in SCENE_FILES if kind in kinds):
            by_image = {str(im_id): entry for im_id, entry in sorted(kinds[kind].items())}
            write_text(scene_folder(target, scene_id) / SCENE_FILES[kind], one_line_each(by_image))
    return sum(len(kinds.get("camera", ())) for kinds in entries.values())


def _members(source: Path) -> Iterator[tuple[str, int, int, str, str, bytes]]:
    """Each file: its name, scene, image, what it holds, suffix, content."""
    for name, data in _contents(source):
        if match := MEMBER.fullmatch(name):
            scene_id, im_id, kind, suffix = match.groups()
            yield name, int(scene_id), int(im_id), kind, suffix, data


def _contents(source: Path) -> Iterator[tuple[str, bytes]]:
    shards = sorted(source.glob("shard-*.tar"))
    for path in sorted(source.iterdir()) if source.is_dir() and not shards else ():
        if path.is_file():
            yield path.name, path.read_bytes()
    for shard in shards:
        yield from _contents_of_shard(shard)


def _contents_of_shard(shard: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(shard) as tar:
            for member in tar:
                if file := tar.extractfile(member):
                    yield member.name, file.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise InputError(f"{shard}: expected a whole tar file ({error})") from None


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 2:
        print("usage: python -m pose_regressor_training.bop.unpack FOLDER NEW_FOLDER", file=sys.stderr)
        return 2
    source, target = map(Path, arguments)
    try:
        print(f"{target}: {unpack(source, target)} images")
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
