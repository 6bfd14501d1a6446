"""Names of objects, made of the names of files, and options that are given once or for each mesh."""

from pathlib import Path

import pytest

from pose_regressor.types import InputError
from pose_regressor_training.meshes.objects import object_names, one_for_each, valid_name


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("box", "box"),
        ("003_cracker_box", "object_003_cracker_box"),
        ("my mug (v2)", "my_mug_v2"),
        ("gear-left.final", "gear_left_final"),
        ("obj_000010", "obj_000010"),
        ("größe", "größe"),
        ("---", "object_"),
        ("42", "object_42"),
    ],
)
def test_names_are_made_valid(stem, name):
    assert valid_name(stem) == name and name.isidentifier()


def test_a_changed_name_is_said_with_the_remedy():
    paths = [Path("003_cracker_box.obj"), Path("mug.ply")]
    with pytest.warns(UserWarning, match=r"003_cracker_box.obj: its object is named object_003_cracker_box; --name"):
        assert object_names(paths) == ["object_003_cracker_box", "mug"]
    assert object_names(paths, ["cracker", "mug"]) == ["cracker", "mug"]
    with pytest.raises(InputError, match=r"--name '3d': expected letters.*such as object_3d"):
        object_names(paths, ["3d", "mug"])
    with pytest.raises(InputError, match="--name: expected one for each of the 2 meshes, got 1"):
        object_names(paths, ["cracker"])


def test_one_for_all_or_one_for_each():
    paths = [Path("a.obj"), Path("b.obj")]
    assert one_for_each(paths, "unit", ["mm"]) == ["mm", "mm"]
    assert one_for_each(paths, "unit", ["mm", "in"]) == ["mm", "in"]
    assert one_for_each(paths, "unit", []) == [None, None]
