"""`pose-regressor preview`: one picture of what a configuration yields, or one line of what is wrong."""

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from pose_regressor.types import InputError
from pose_regressor_training.cli import add_commands
from pose_regressor_training.generate.preview import six_sides
from pose_regressor_training.meshes.mesh import load_mesh
from pose_regressor_training.raytracer.renderer import Raytracer
from pose_regressor_training.test_objects import make_box


@pytest.fixture(scope="module")
def arguments(tmp_path_factory):
    folder = tmp_path_factory.mktemp("preview")
    config = folder / "few.yaml"
    config.write_text(
        "background: {random: false, pictures: 4}\nclutter: {random: false, shapes: 4}\ncamera: {random: false}\n"
    )
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
        assert f"{name}: 1706x1024" in result.output.replace("\n", "")
        assert "triangles, 1 part: picture box.png" in result.output
        pictures.append(cv2.imread(str(tmp_path / "new" / name)))
    assert all(picture.shape == (1024, 1706, 3) for picture in pictures)
    np.testing.assert_array_equal(pictures[0][:, :682], pictures[2][:, :682])  # the object by itself
    plain, again, labelled, other = (picture[:, 682:] for picture in pictures)
    np.testing.assert_array_equal(plain, again)
    assert 0.001 < (plain != labelled).any(2).mean() < 0.2  # only lines are drawn
    assert (plain != other).any(2).mean() > 0.2
    wall = (plain == 188).all(2).mean()
    assert 0.4 < wall < 0.95  # the grey wall, in its own colour, behind everything


def test_photographs_of_the_users_own_are_behind_the_object(arguments, tmp_path):
    (tmp_path / "photos").mkdir()
    cv2.imwrite(str(tmp_path / "photos" / "red.png"), np.full((40, 50, 3), (20, 10, 200), np.uint8))
    result = run([*arguments, str(tmp_path / "a.png"), "--photos", str(tmp_path / "photos")])
    assert result.exit_code == 0, result.output
    images = cv2.imread(str(tmp_path / "a.png"))[:, 682:]
    assert 0.4 < (np.abs(images.astype(int) - (20, 10, 200)) < 3).all(2).mean() < 0.95
    result = run([*arguments, str(tmp_path / "b.png"), "--photos", str(tmp_path / "nowhere")])
    assert isinstance(result.exception, InputError) and "nowhere: expected an existing folder" in str(result.exception)


def test_what_cannot_be_used_is_said_in_one_line(arguments, tmp_path):
    result = run([*arguments, str(tmp_path / "a.txt")])
    assert isinstance(result.exception, InputError) and "a.txt: cannot be written as a picture" in str(result.exception)
    assert not list(tmp_path.iterdir())
    result = run([*arguments[:4], "nothing", *arguments[5:], str(tmp_path / "a.png")])
    assert "nothing: no such file, nor one of the shipped ones" in str(result.exception)


@pytest.fixture
def painted(tmp_path):
    """A box of 80 x 60 x 40 mm with a colour for each side, as OBJ with a name as YCB's."""
    sides = {"+x": (255, 0, 0), "-x": (0, 255, 0), "-y": (0, 0, 255), "+y": (255, 255, 0), "+z": (255, 0, 255)}
    sides["-z"] = (0, 255, 255)
    lines = ["mtllib box.mtl", *(f"v {x} {y} {z}" for x in (-40, 40) for y in (-30, 30) for z in (-20, 20))]
    quads = {"+x": "5 7 8 6", "-x": "1 2 4 3", "+y": "3 4 8 7", "-y": "1 5 6 2", "+z": "2 6 8 4", "-z": "1 3 7 5"}
    for side, quad in quads.items():
        lines += [f"usemtl {side}", f"f {quad}"]
    (tmp_path / "box.mtl").write_text(
        "".join(f"newmtl {side}\nKd {r / 255} {g / 255} {b / 255}\n" for side, (r, g, b) in sides.items())
    )
    (tmp_path / "003_cracker_box.obj").write_text("\n".join(lines))
    return tmp_path / "003_cracker_box.obj", list(sides.values())


def test_six_sides_of_the_object_itself(painted):
    path, colors = painted
    mesh = load_mesh(path, "mm")
    pictures = six_sides(Raytracer([mesh]), mesh, 100)
    for picture, color in zip(pictures, colors, strict=True):
        np.testing.assert_allclose(picture[50, 50], color, atol=2)
        assert (picture[2, 2] == 188).all()
    wide = [(picture[50] != 188).any(1).sum() for picture in pictures]
    high = [(picture[:, 50] != 188).any(1).sum() for picture in pictures]
    np.testing.assert_allclose(wide, np.array([60, 60, 80, 80, 80, 80]) * wide[0] / 60, rtol=0.12)
    np.testing.assert_allclose(high, np.array([40, 40, 40, 40, 60, 60]) * wide[0] / 60, rtol=0.12)


def test_names_units_and_colours_as_for_a_training(arguments, painted, tmp_path):
    path, _ = painted
    options = ["preview", "--mesh", str(path), *arguments[3:5], "--out", str(tmp_path / "a.png")]
    result = run([*options, "--unit", "cm", "--color", "#102030"])
    assert result.exit_code == 0, result.output
    assert "003_cracker_box.obj: 800 x 600 x 400 mm, 12 triangles, 6 parts, all #102030 as given" in result.output
    assert "its object is named object_003_cracker_box; --name chooses another name" in result.output
    result = run([*options, "--unit", "mm", "--name", "cracker"])
    assert result.exit_code == 0 and "is named" not in result.output
    result = run([*options, "--name", "3 d"])
    assert "--name '3 d': expected letters, digits and '_'" in str(result.exception)
    result = run([*options, "--unit", "ft"])
    assert "unit 'ft' is not known, expected m, mm, cm or in" in str(result.exception)
