#!/usr/bin/env bash
# trimesh 5.2.0 cuts a concave polygon of an OBJ, OFF or PLY file into a fan of triangles from its first corner.
#
# Seen: an L of 7 square units, as one polygon of six corners, has an area of 7 or of 16. It depends on the corner that
# the file names first: from a corner other than the inner one and the one opposite, the fan covers the notch, too, and
# some of its triangles lie twice. There is no warning. CAD programs and Blender write such polygons.
# So we cut polygons by ear clipping before trimesh sees them.
#
# Exits with 0 if this is still so, and with 1 if it has changed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install -q trimesh==5.2.0 2>/dev/null
cat > look.py <<'PY'
import trimesh

CORNERS = [(0, 0), (4, 0), (4, 1), (1, 1), (1, 4), (0, 4)]
OBJ = "{points}f 1 2 3 4 5 6\n"
OFF = "OFF\n6 1 0\n{points}6 0 1 2 3 4 5\n"
PLY = (
    "ply\nformat ascii 1.0\nelement vertex 6\nproperty float x\nproperty float y\nproperty float z\n"
    "element face 1\nproperty list uchar int vertex_indices\nend_header\n{points}6 0 1 2 3 4 5\n"
)


def area(name, text, start, word):
    points = "".join(f"{word}{x} {y} 0\n" for x, y in CORNERS[start:] + CORNERS[:start])
    with open(name, "w") as file:
        file.write(text.format(points=points))
    return float(trimesh.load(name, force="mesh", process=False).area)


print("trimesh", trimesh.__version__)
seen = {}
for name, text, word in (("l.obj", OBJ, "v "), ("l.off", OFF, ""), ("l.ply", PLY, "")):
    seen[name] = [area(name, text, start, word) for start in range(6)]
    print(f"{name}: area of the L (7) by the corner that comes first: {seen[name]}")
raise SystemExit(any(areas != [7, 16, 16, 7, 16, 16] for areas in seen.values()))
PY
env/bin/python look.py
