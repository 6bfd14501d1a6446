"""Photos and videos with orientation tags are taken as they are stored, as calibrations are made."""

import struct

import cv2
import numpy as np
import pytest

from pose_regressor.sources import open_source
from pose_regressor.types import Camera, InputError

WIDTH, HEIGHT = 64, 48
#: Left and right halves differ: RGB.
STORED = np.full((HEIGHT, WIDTH, 3), (200, 30, 20), np.uint8)
STORED[:, WIDTH // 2 :] = (20, 60, 210)
#: Rotation of a video's track: a, b, c, d of its matrix.
TURNS = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}


def camera(width=WIDTH, height=HEIGHT):
    return Camera(width, height, np.array([[60.0, 0, width / 2], [0, 60, height / 2], [0, 0, 1]]))


def photo(path, orientation):
    """A JPEG with this EXIF orientation (TIFF's tag 274)."""
    data = cv2.imencode(".jpg", STORED[..., ::-1])[1].tobytes()
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0" + bytes([orientation]) + bytes(6)
    path.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:])
    return path


def video(path, degrees):
    """An MP4 whose track header has the matrix that phones write."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (WIDTH, HEIGHT))
    for _ in range(5):
        writer.write(np.ascontiguousarray(STORED[..., ::-1]))
    writer.release()
    data = bytearray(path.read_bytes())
    track = data.index(b"tkhd")
    place = track + 8 + (32 if data[track + 4] == 1 else 20) + 16
    a, b, c, d = (value << 16 for value in TURNS[degrees])
    size = {90: (HEIGHT, 0), 180: (WIDTH, HEIGHT), 270: (0, WIDTH)}[degrees]
    data[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, size[0] << 16, size[1] << 16, 1 << 30)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_as_stored(tmp_path, orientation):
    path = photo(tmp_path / "photo.jpg", orientation)
    (frame,) = open_source(path, camera())
    assert np.abs(frame.image.astype(int) - STORED)[:, [5, -5]].max() < 12
    with pytest.raises(InputError) as caught:
        open_source(path, camera(HEIGHT, WIDTH))
    assert "is 64x48, but its camera is for 48x64" in str(caught.value)
    assert ("orientation tag" in str(caught.value)) == (orientation >= 5)  # those that swap width and height


@pytest.mark.parametrize("degrees", TURNS)
def test_videos_are_as_stored(tmp_path, degrees):
    path = video(tmp_path / "clip.mp4", degrees)
    turned = cv2.VideoCapture(str(path)).read()[1]
    assert turned.shape[:2] != (HEIGHT, WIDTH) or turned[5, 5, 0] > 150, "OpenCV would turn it"
    frames = list(open_source(path, camera()))
    assert len(frames) == 5
    assert np.abs(frames[0].image.astype(int) - STORED)[:, [5, -5]].max() < 16
    with pytest.raises(InputError) as caught:
        open_source(path, camera(HEIGHT, WIDTH))
    assert ("orientation tag" in str(caught.value)) == (degrees != 180)


def test_swapped_sizes_without_a_tag(tmp_path):
    path = tmp_path / "plain.png"
    cv2.imwrite(str(path), STORED)
    with pytest.raises(InputError) as caught:
        open_source(path, camera(HEIGHT, WIDTH))
    assert "orientation" not in str(caught.value)
