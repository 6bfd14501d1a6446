"""Files are written as a whole or not at all."""

import os

import pytest

from pose_regressor.files.io import read_json, replacing, write_json, write_text


def test_a_link_stays_a_link_and_a_pipe_a_pipe(tmp_path):
    (tmp_path / "other").mkdir()
    link, pipe = tmp_path / "link.txt", tmp_path / "pipe"
    link.symlink_to(tmp_path / "other" / "file.txt")
    for text in ("new", "newer"):
        write_text(link, text)
        assert link.is_symlink() and (tmp_path / "other" / "file.txt").read_text() == text
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDWR)  # else the writer waits for a reader
    write_text(pipe, "through it")
    assert os.read(end, 100) == b"through it" and pipe.is_fifo()
    os.close(end)


def test_a_failed_write_leaves_the_old_file(tmp_path, error_of):
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})

    class Interrupted(Exception):
        pass

    with pytest.raises(Interrupted), replacing(path) as temporary:
        temporary.write_text("half")
        raise Interrupted
    assert read_json(path) == {"old": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]
    assert "this is a folder" in error_of(write_text, tmp_path, "x")
    assert "cannot be written" in error_of(write_text, path / "below.txt", "x")
