#!/usr/bin/env bash
# pycollada 0.9.3 drops the polygons with holes (<ph>) of a COLLADA file, and lists no error.
#
# Seen: a plate of one polygon <p> and one polygon with a hole <ph>. The Polygons of the mesh have one polygon, the one
# with the hole is gone, and Collada.errors is empty. COLLADA 1.4 allows both side by side in <polygons>.
# So we look for <ph> ourselves and refuse such a file.
#
# Exits with 0 if this is still so, and with 1 if it has changed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install -q pycollada==0.9.3 2>/dev/null
cat > look.py <<'PY'
import importlib.metadata
import io

import collada

FILE = """<?xml version="1.0"?>
<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1">
<asset><created>2026-01-01T00:00:00Z</created><modified>2026-01-01T00:00:00Z</modified></asset>
<library_geometries><geometry id="plate"><mesh>
<source id="points"><float_array id="numbers" count="30">0 0 0  4 0 0  4 4 0  0 4 0  1 1 0  1 3 0  3 3 0  3 1 0  8 0 0  8 4 0
</float_array><technique_common><accessor source="#numbers" count="10" stride="3">
<param name="X" type="float"/><param name="Y" type="float"/><param name="Z" type="float"/>
</accessor></technique_common></source>
<vertices id="vertices"><input semantic="POSITION" source="#points"/></vertices>
<polygons count="2"><input semantic="VERTEX" source="#vertices" offset="0"/>
<p>1 8 9 2</p><ph><p>0 1 2 3</p><h>4 5 6 7</h></ph></polygons>
</mesh></geometry></library_geometries>
</COLLADA>"""

print("pycollada", importlib.metadata.version("pycollada"))
file = collada.Collada(io.BytesIO(FILE.encode()))
found = [len(primitive) for primitive in file.geometries[0].primitives]
print("polygons in the file: 2; read:", found, "; errors:", file.errors)
raise SystemExit(found != [1] or bool(file.errors))
PY
env/bin/python look.py
