#!/usr/bin/env bash
# trimesh 5.2.0 counts the relative indices of an OBJ file from the file's end, not from where the face stands.
#
# Seen: two unit cubes, 3 units apart, each a block of "v" lines and "f" lines whose indices are negative. The format says
# that -1 is the vertex named last before that line. trimesh puts all faces on the last block's vertices: the size is
# 1 x 1 x 1 instead of 4 x 1 x 1, the last cube is there twice, and the first one is gone. There is no warning.
#
# Exits with 0 if this is still so, and with 1 if it has changed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install -q trimesh==5.2.0 2>/dev/null
cat > look.py <<'PY'
import itertools

import trimesh

SIDES = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]


def cube(x, index):
    vertices = "".join(f"v {x + a} {b} {c}\n" for a, b, c in itertools.product((0, 1), repeat=3))
    return vertices + "".join(f"f {' '.join(str(index(corner)) for corner in side)}\n" for side in SIDES)


def size(name, *blocks):
    with open(name, "w") as file:
        file.write("".join(blocks))
    return trimesh.load(name, force="mesh").extents.tolist()


print("trimesh", trimesh.__version__)
absolute = size("absolute.obj", cube(0, lambda corner: corner + 1), cube(3, lambda corner: corner + 9))
relative = size("relative.obj", cube(0, lambda corner: corner - 8), cube(3, lambda corner: corner - 8))
print("size with indices from 1:", absolute)
print("size with relative indices:", relative)
raise SystemExit(absolute != [4, 1, 1] or relative != [1, 1, 1])
PY
env/bin/python look.py
