"""`pose-regressor preview`: one picture of what a configuration yields, or one line of what is wrong."""

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from pose_regressor.types import InputError
from pose_regressor_training.cli import add_commands
from pose_regressor_training.test_objects import make_box


@pytest.fixture(scope="module")
def arguments(tmp_path_factory):
    folder = tmp_path_factory.mktemp("preview")
    config = folder / "few.yaml"
    config.write_text("background: {random: false, pictures: 8}\nclutter: {random: false}\ncamera: {random: false}\n")
    return ["preview", "--mesh", str(make_box(folder)), "--config", str(config), "--out"]


def run(arguments: list[str]):
    app = typer.Typer()
    add_commands(app)
    return CliRunner().invoke(app, arguments)


def test_windows_and_frames_in_one_picture(arguments, tmp_path):
    pictures = []
    for name, extra in (("a.png", []), ("b.png", []), ("c.png", ["--labels"]), ("d.jpg", ["--seed", "3"])):
        result = run([*arguments, str(tmp_path / "new" / name), *extra])
        assert result.exit_code == 0, result.output
        assert f"{name}: 1024x1024" in result.output.replace("\n", "")
        pictures.append(cv2.imread(str(tmp_path / "new" / name)))
    plain, again, labelled, other = pictures
    assert plain.shape == other.shape == (1024, 1024, 3)
    np.testing.assert_array_equal(plain, again)
    assert 0.001 < (plain != labelled).any(2).mean() < 0.2  # only lines are drawn
    assert (plain != other).any(2).mean() > 0.2
    wall = (plain == 188).all(2).mean()
    assert 0.4 < wall < 0.95  # the grey wall, in its own colour, behind everything


def test_what_cannot_be_used_is_said_in_one_line(arguments, tmp_path):
    result = run([*arguments, str(tmp_path / "a.txt")])
    assert isinstance(result.exception, InputError) and "a.txt: cannot be written as a picture" in str(result.exception)
    assert not list(tmp_path.iterdir())
    result = run([*arguments[:4], "nothing", *arguments[5:], str(tmp_path / "a.png")])
    assert "nothing: no such file, nor one of the shipped ones" in str(result.exception)
