#!/usr/bin/env bash
# rosbags-image 0.10.4 cuts a 16-bit depth PNG to 8 bits, and reads padded rows as if they had no padding.
#
# Seen, both without a warning:
# - A CompressedImage "16UC1; png compressed", depth in millimetres through image_transport's "compressed" set to PNG.
#   message_to_cvimage gives uint8, the value divided by 256: 500 mm becomes 1, 1000 mm becomes 3. It refuses to give
#   "16UC1".
# - An Image whose step, the length of a row in bytes, is more than its pixels take, which is valid. It is passed over:
#   each row starts where the pixels of the row before it end, and the picture is sheared.
# So decode the PNG with cv2.IMREAD_UNCHANGED, and cut the rows by step, before anything else sees the picture.
#
# Exits with 0 if this is still so, and with 1 if it has changed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install -q rosbags-image==0.10.4 rosbags==0.11.9 opencv-python-headless==5.0.0.93 2>/dev/null
cat > look.py <<'PY'
import importlib.metadata

import cv2
import numpy as np
from rosbags.image import ImageConversionError, message_to_cvimage
from rosbags.typesys import Stores, get_typestore

types = get_typestore(Stores.ROS2_JAZZY).types
header = types["std_msgs/msg/Header"](types["builtin_interfaces/msg/Time"](1, 0), "camera")
names = ("rosbags-image", "rosbags", "opencv-python-headless")
print(*(f"{name} {importlib.metadata.version(name)}" for name in names), sep=", ")

depth = np.array([[500, 1000], [1001, 40000]], np.uint16)
png = cv2.imencode(".png", depth)[1].ravel()
assert np.array_equal(cv2.imdecode(png, cv2.IMREAD_UNCHANGED), depth)
compressed = types["sensor_msgs/msg/CompressedImage"](header, "16UC1; png compressed", png)
got = message_to_cvimage(compressed)
print("depth", depth.tolist(), "comes back as", got.dtype, got.tolist())
try:
    message_to_cvimage(compressed, "16UC1")
    refused = False
except ImageConversionError as error:
    refused = True
    print("asked for 16UC1:", error)

picture = np.array([[1, 2, 3], [1, 2, 3], [1, 2, 3]], np.uint8)
rows = np.zeros((3, 4), np.uint8)  # one byte of padding behind each row
rows[:, :3] = picture
image = types["sensor_msgs/msg/Image"](header, 3, 3, "mono8", 0, 4, rows.ravel())
sheared = message_to_cvimage(image)
print("rows", picture.tolist(), "of step 4 come back as", sheared.tolist())

same = [
    got.dtype == np.uint8,
    np.array_equal(got, depth // 256),
    refused,
    np.array_equal(sheared, [[1, 2, 3], [0, 1, 2], [3, 0, 1]]),
]
raise SystemExit(not all(same))
PY
env/bin/python look.py
