#!/usr/bin/env bash
# AprilTag's corners lie half a pixel right of and below those of the rest of OpenCV: in pupil-apriltags 1.0.4.post11,
# and in OpenCV 5.0.0 itself with CORNER_REFINE_APRILTAG.
#
# Seen, with tags drawn through a known camera whose first pixel has its centre at (0, 0), as OpenCV's calibration and
# CameraInfo have it. In the mean, the corners of CORNER_REFINE_SUBPIX are right to 0.05 pixels. Those of
# CORNER_REFINE_APRILTAG and of pupil-apriltags are off by 0.4 to 0.55 pixels, to the right and down: they count from
# the outer edge of the first pixel. pupil-apriltags takes the camera as it is for the pose, so the tag is off, too, by
# half of z / f each way: 0.5 mm at 0.6 m with f = 600.
# It does not average out, and it goes into each hand-eye calibration and each true pose taken from a tag. So subtract
# 0.5 from such corners, or give pupil-apriltags cx + 0.5 and cy + 0.5, as the last line does.
#
# Exits with 0 if this is still so, and with 1 if it has changed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install -q pupil-apriltags==1.0.4.post11 opencv-python-headless==5.0.0.93 2>/dev/null
cat > look.py <<'PY'
import importlib.metadata

import cv2
import numpy as np
from pupil_apriltags import Detector

WIDTH, HEIGHT, FOCAL, CENTRE, SIDE, CELLS, FINE, COUNT = 320, 240, 600.0, (159.5, 119.5), 0.08, 8, 8, 30
CAMERA = np.array([[FOCAL, 0, CENTRE[0]], [0, FOCAL, CENTRE[1]], [0, 0, 1]])
DICTIONARY = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h11)
CORNERS = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * SIDE / 2


def draw(turn, place):
    """A tag on white, each pixel the mean of FINE x FINE rays through its area. Returns it and its true corners."""
    cells = cv2.aruco.generateImageMarker(DICTIONARY, 0, CELLS, borderBits=1)
    rotation = cv2.Rodrigues(turn)[0]
    to_plane = np.linalg.inv(CAMERA @ np.column_stack([rotation[:, :2], place]))
    # The area of pixel (u, v) reaches from u - 0.5 to u + 0.5.
    u, v = (((np.arange(size * FINE) + 0.5) / FINE - 0.5) for size in (WIDTH, HEIGHT))
    x, y, z = np.tensordot(to_plane, np.stack([*np.meshgrid(u, v), np.ones((len(v), len(u)))]), 1)
    column, row = (np.floor((a / z / SIDE + 0.5) * CELLS).astype(int) for a in (x, y))
    inside = (column >= 0) & (column < CELLS) & (row >= 0) & (row < CELLS)
    fine = np.full(inside.shape, 255.0)
    fine[inside] = cells[row[inside], column[inside]]
    image = fine.reshape(HEIGHT, FINE, WIDTH, FINE).mean((1, 3)).round().astype(np.uint8)
    return image, cv2.projectPoints(CORNERS, turn, place, CAMERA, None)[0][:, 0]


def shift(found, true):
    """The mean way from each true corner to the corner found next to it."""
    return np.mean([found[np.linalg.norm(found - corner, axis=1).argmin()] - corner for corner in true], axis=0)


print(f"pupil-apriltags {importlib.metadata.version('pupil-apriltags')}, OpenCV {cv2.__version__}")
detector = Detector("tag36h11", quad_decimate=1.0)
opencv = {}
for name in ("SUBPIX", "APRILTAG"):
    parameters = cv2.aruco.DetectorParameters()
    parameters.cornerRefinementMethod = getattr(cv2.aruco, f"CORNER_REFINE_{name}")
    opencv[name] = cv2.aruco.ArucoDetector(DICTIONARY, parameters)
shifts = {"SUBPIX": [], "APRILTAG": [], "pupil-apriltags": []}
aside = {0.0: [], 0.5: []}
chance = np.random.default_rng(1)
for _ in range(COUNT):
    turn = chance.uniform(-0.4, 0.4, 3)
    place = np.array([*chance.uniform(-0.05, 0.05, 2), 0.6])
    image, true = draw(turn, place)
    for name, finder in opencv.items():
        shifts[name].append(shift(finder.detectMarkers(image)[0][0][0], true))
    for more, found in aside.items():
        camera = (FOCAL, FOCAL, CENTRE[0] + more, CENTRE[1] + more)
        (tag,) = detector.detect(image, estimate_tag_pose=True, camera_params=camera, tag_size=SIDE)
        found.append(1000 * (tag.pose_t[:2, 0] - place[:2] * tag.pose_t[2, 0] / place[2]))
    shifts["pupil-apriltags"].append(shift(tag.corners, true))

means = {name: np.mean(values, axis=0) for name, values in shifts.items()}
for name, mean in means.items():
    print(f"corners of {name}: {mean.round(2).tolist()} pixels off in the mean of {COUNT} tags")
moved = {more: np.mean(values, axis=0) for more, values in aside.items()}
for more, mean in moved.items():
    print(f"tag of pupil-apriltags, principal point + {more}: {mean.round(2).tolist()} mm aside at 600 mm")
same = [np.all(abs(means["SUBPIX"]) < 0.05)]
same += [np.all(abs(means[name] - 0.5) < 0.15) for name in ("APRILTAG", "pupil-apriltags")]
same += [np.all(abs(moved[0.0] - 0.5) < 0.1), np.all(abs(moved[0.5]) < 0.1)]
raise SystemExit(not all(same))
PY
env/bin/python look.py
