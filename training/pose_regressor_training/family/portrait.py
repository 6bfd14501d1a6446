"""``python -m pose_regressor_training.family.portrait PICTURE``: the first members of the family, one side of each."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from pose_regressor_training.family.draw import draw_member
from pose_regressor_training.test_objects.portrait import portraits

COLUMNS, ROWS, SIDE = 9, 4, 160
#: Degrees around the object and above it.
VIEW = (35, 30)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pose_regressor_training.family.portrait", description=__doc__)
    parser.add_argument("picture", type=Path, metavar="PICTURE", help="a .png or .jpg")
    parser.add_argument("--seed", type=int, default=0, help="of the members (%(default)s)")
    arguments = parser.parse_args()
    path: Path = arguments.picture
    meshes = [draw_member(arguments.seed, number).mesh for number in range(COLUMNS * ROWS)]
    pictures = [portraits(mesh, (VIEW,), SIDE) for mesh in meshes]
    rows = [np.concatenate(pictures[first : first + COLUMNS], axis=1) for first in range(0, len(pictures), COLUMNS)]
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), np.concatenate(rows)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88]):
        parser.exit(1, f"error: cannot write {path}\n")


if __name__ == "__main__":
    main()
