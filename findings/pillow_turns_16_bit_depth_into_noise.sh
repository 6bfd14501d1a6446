#!/usr/bin/env bash
# Pillow 13.0.0 turns a 16-bit depth image (mode "I;16") into noise when it rotates or transforms it with BILINEAR or
# BICUBIC.
#
# Seen, with a depth PNG of 1000 mm at each pixel, as BOP and ROS have them. Image.open gives mode "I;16".
# - transform with EXTENT, AFFINE, PERSPECTIVE or QUAD, and rotate by 5 or by 90 degrees: no pixel has 1000 any more.
#   All are below 256, with neither an error nor a warning. The bytes are mixed as if each were a pixel: 1000 is the
#   bytes 232 and 3, and their mean, 117, is what half a pixel to the side gives all over.
# - NEAREST is right for each of them, and resize is right with all three.
# Whoever cuts objects out of depth images with EXTENT, or turns them to vary the training data, trains on noise.
# Take NEAREST, which keeps the edges of depth, too. Or convert the image to mode "I" or "F" first: then it is right.
#
# Needs Python 3.11 or later. Exits with 0 if this is still so, and with 1 if it has changed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install -q pillow==13.0.0 2>/dev/null
cat > look.py <<'PY'
import array
import warnings

import PIL
from PIL import Image
from PIL.Image import Resampling, Transform

SIZE, HALF, DEPTH, ROUND_THE_IMAGE = (640, 480), (320, 240), 1000, 0
CHANGES = {
    "resize": lambda image, how: image.resize(HALF, how),
    "transform EXTENT": lambda image, how: image.transform(HALF, Transform.EXTENT, (0, 0, *SIZE), how),
    "transform AFFINE": lambda image, how: image.transform(SIZE, Transform.AFFINE, (1, 0, 0.5, 0, 1, 0), how),
    "transform PERSPECTIVE": lambda image, how: image.transform(
        SIZE, Transform.PERSPECTIVE, (1, 0, 0.5, 0, 1, 0, 0, 0), how
    ),
    "transform QUAD": lambda image, how: image.transform(HALF, Transform.QUAD, (0, 0, 0, 480, 640, 480, 640, 0), how),
    "rotate 5": lambda image, how: image.rotate(5, how),
    "rotate 90": lambda image, how: image.rotate(90, how),
}
CODES = {"I;16": "H", "I": "i", "F": "f"}

warnings.simplefilter("error")
print("Pillow", PIL.__version__)
Image.new("I;16", SIZE, DEPTH).save("depth.png")
depth = Image.open("depth.png")


def values(image):
    """The depths of an image. What lies outside of the picture turned is 0, which is left out."""
    return sorted(set(array.array(CODES[image.mode], image.tobytes())) - {ROUND_THE_IMAGE})


print(f"depth.png, mode {depth.mode}: {values(depth)} mm")
converted = []
same = [depth.mode == "I;16", values(depth) == [DEPTH]]
for name, change in CHANGES.items():
    for how in (Resampling.NEAREST, Resampling.BILINEAR, Resampling.BICUBIC):
        found = values(change(depth, how))
        few = found if len(found) < 5 else f"{len(found)} values from {found[0]} to {found[-1]}"
        print(f"{name}, {how.name}: {few}")
        right = name == "resize" or how == Resampling.NEAREST
        same.append(found == [DEPTH] if right else found[-1] < 256)
        converted += [values(change(depth.convert(mode), how)) == [DEPTH] for mode in ("I", "F")]
print("all of these with mode I or F: only 1000:", all(converted))
raise SystemExit(not all(same + converted))
PY
env/bin/python look.py
