"""Videos that are written play in a browser: VP9 in .mp4 and .webm."""

import logging

import cv2
import numpy as np
import pytest

from pose_regressor import video
from pose_regressor.types import InputError
from pose_regressor.video import video_writer

#: Left red, right blue: RGB.
IMAGE = np.full((48, 64, 3), (210, 40, 30), np.uint8)
IMAGE[:, 32:] = (20, 60, 200)


def write(path, frames=6):
    with video_writer(path, 20) as add:
        for _ in range(frames):
            add(IMAGE)


def read(path):
    capture = cv2.VideoCapture(str(path))
    codec = int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").decode()
    images = []
    while (got := capture.read())[0]:
        images.append(got[1][..., ::-1])
    return codec, capture.get(cv2.CAP_PROP_FPS), images


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "VP90"), ("a.webm", "VP90"), ("a.avi", "MJPG"), ("A.MP4", "VP90")]
)
def test_what_is_written(tmp_path, name, codec, capfd, caplog):
    write(tmp_path / name)
    found, fps, images = read(tmp_path / name)
    assert (found, fps, len(images)) == (codec, 20, 6)
    assert np.abs(images[3].astype(int) - IMAGE)[:, [5, -5]].max() < 20
    assert capfd.readouterr() == ("", "") and not caplog.records
    head = (tmp_path / name).read_bytes()[:64]
    assert {"VP90": b"webm" if name.endswith("webm") else b"ftyp", "MJPG": b"RIFF"}[codec] in head


def test_an_opencv_without_vp9_says_so(tmp_path, monkeypatch, capfd, caplog):
    monkeypatch.setitem(video.CODECS, ".mp4", ("none", "mp4v"))
    with caplog.at_level(logging.WARNING):
        write(tmp_path / "a.mp4")
    assert len(read(tmp_path / "a.mp4")[2]) == 6
    (record,) = caplog.records
    assert (
        record.getMessage() == f"{tmp_path / 'a.mp4'}: this OpenCV cannot write VP9; most browsers will not play mp4v"
    )
    assert capfd.readouterr().err == ""
    monkeypatch.setitem(video.CODECS, ".mp4", ("none",))
    with pytest.raises(InputError, match="cannot be written as a video of 64x48 at 20 Hz"):
        write(tmp_path / "b.mp4")
    assert not (tmp_path / "b.mp4").exists()


def test_refused(tmp_path):
    with pytest.raises(InputError, match=r"ending in \.mp4, \.webm, \.avi"):
        write(tmp_path / "a.mkv")
    with pytest.raises(InputError, match="no frame to write"):
        write(tmp_path / "a.mp4", 0)
