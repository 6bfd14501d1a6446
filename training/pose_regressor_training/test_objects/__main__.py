"""``python -m pose_regressor_training.test_objects toy OUTDIR``: writes a test object's mesh, material and texture."""

from __future__ import annotations

import argparse
from pathlib import Path

from pose_regressor_training.test_objects import make_box, make_knob, make_symmetric, make_toy

MAKERS = {"box": make_box, "knob": make_knob, "symmetric": make_symmetric, "toy": make_toy}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pose_regressor_training.test_objects", description=__doc__)
    parser.add_argument("object", choices=sorted(MAKERS), help="which object")
    parser.add_argument("folder", type=Path, metavar="OUTDIR", help="folder to write to, made if missing")
    arguments = parser.parse_args()
    try:
        print(MAKERS[arguments.object](arguments.folder))
    except OSError as error:
        parser.exit(1, f"error: cannot write to {arguments.folder}: {error.strerror}\n")


if __name__ == "__main__":
    main()
