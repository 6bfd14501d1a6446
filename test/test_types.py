"""Errors: what counters go by stays the same, whatever the values are."""

import pickle

import numpy as np
import pytest

from pose_regressor.types import Camera, Frame, InputError, ObjectModel

K = [[100.0, 0, 1.5], [0, 110.0, 0.5], [0, 0, 1]]
CORNERS = np.array([[-1.0, -1, -1], [1, 1, 1]])


def camera(matrix=K, width=4, height=2, distortion=(), model="plumb_bob"):
    return Camera(width, height, matrix, distortion, model)


def frame(image=None, depth=None, **rest):
    image = np.zeros((2, 4, 3), np.uint8) if image is None else image
    return Frame(image, rest.get("camera", camera()), depth=depth)


def metres(value, shape=(2, 4)):
    return np.full(shape, value, np.float32)


def model(name="crate", diameter=1.0, **rest):
    return ObjectModel(name, 1, diameter, rest.pop("bounds", CORNERS), CORNERS, CORNERS, **rest)


def test_one_line_of_reason_and_detail():
    error = InputError("image: too large", "got 3, expected at most 2")
    assert (error.reason, error.detail) == ("image: too large", "got 3, expected at most 2")
    assert str(error) == "image: too large, got 3, expected at most 2"
    again = pickle.loads(pickle.dumps(error))
    assert (again.reason, again.detail) == (error.reason, error.detail)


def test_one_text_is_all_reason():
    error = InputError("box.yaml: no such file, expected a bundle")
    assert (error.reason, error.detail, str(error)) == (str(error), "", "box.yaml: no such file, expected a bundle")


def test_what_it_is_about_goes_before_the_reason():
    error = InputError("expected nine numbers", "got 8").of("camera info")
    assert (error.reason, str(error)) == (
        "camera info: expected nine numbers",
        "camera info: expected nine numbers, got 8",
    )


@pytest.mark.parametrize(
    ("make", "one", "other"),
    [
        (camera, {"width": 0}, {"height": -3}),
        (camera, {"matrix": "a"}, {"matrix": "b"}),
        (camera, {"matrix": [1, 2]}, {"matrix": np.zeros((4, 4))}),
        (camera, {"matrix": np.full((3, 3), np.nan)}, {"matrix": np.full((3, 3), np.inf)}),
        (camera, {"matrix": np.zeros((3, 3))}, {"matrix": -np.eye(3)}),
        (camera, {"matrix": np.diag([1, 1, 2])}, {"matrix": np.diag([2, 3, 4])}),
        (camera, {"width": True}, {"height": 2.5}),
        (camera, {"width": float("nan")}, {"height": None}),
        (camera, {"width": "4"}, {"height": np.True_}),
        (camera, {"model": "double_sphere"}, {"model": "omni"}),
        (camera, {"model": None}, {"model": 3}),
        (camera, {"model": "none", "distortion": [0.1]}, {"model": "", "distortion": [0.2] * 5}),
        (camera, {"model": "equidistant"}, {"model": "fisheye", "distortion": [0.1] * 6}),
        (camera, {"distortion": [1, 2]}, {"distortion": [1] * 7}),
        (frame, {"image": np.zeros((2, 4))}, {"image": "pixels"}),
        (frame, {"camera": None}, {"camera": np.eye(3)}),
        (frame, {"image": np.zeros((0, 4, 3), np.uint8)}, {"image": np.zeros((2, 0, 3), np.uint8)}),
        (frame, {"image": np.zeros((6, 8, 3), np.uint8)}, {"image": np.zeros((1, 1, 3), np.uint8)}),
        (frame, {"depth": np.ones((2, 4))}, {"depth": np.ones((2, 4), np.uint16)}),
        (frame, {"depth": metres(1, (2, 4, 1))}, {"depth": "near"}),
        (frame, {"depth": metres(1, (4, 2))}, {"depth": metres(1, (3, 4))}),
        (frame, {"depth": metres(800)}, {"depth": metres(0.0008)}),
        (model, {"name": "a b"}, {"name": ""}),
        (model, {"diameter": 0}, {"name": "cup", "diameter": np.inf}),
        (model, {"bounds": CORNERS[::-1]}, {"name": "cup", "bounds": 0 * CORNERS}),
        (model, {"bounds": np.nan * CORNERS}, {"name": "cup", "bounds": np.inf * CORNERS}),
        (model, {"faces": [[0, 1, 2]]}, {"name": "cup", "faces": [[-1, 0, 0]]}),
        (model, {"surface": np.zeros((2, 6))}, {"name": "cup", "surface": np.zeros((1, 6))}),
        (
            model,
            {"surface": np.zeros((1, 6)), "colors": -np.ones((1, 1, 3))},
            {"surface": np.zeros((2, 6)), "colors": -2 * np.ones((2, 1, 3))},
        ),
    ],
)
def test_a_reason_is_the_same_whatever_the_values(make, one, other):
    errors = []
    for values in (one, other):
        with pytest.raises(InputError) as caught:
            make(**values)
        errors.append(caught.value)
    assert errors[0].reason == errors[1].reason
    assert errors[0].detail and errors[1].detail and str(errors[0]) != str(errors[1])
    assert not any("\n" in str(error) for error in errors)


def test_a_camera_keeps_its_size_as_plain_integers():
    made = camera(width=np.int64(4), height=np.uint32(2))
    assert (type(made.width), type(made.height)) == (int, int)


@pytest.mark.parametrize(
    "depth",
    [metres(0.02), metres(90), metres(0), metres(np.nan), metres(np.inf), metres([[np.nan, 0, -np.inf, 1]] * 2)],
)
def test_depth_may_be_missing_anywhere(depth):
    """Only what was measured says what its unit is."""
    assert frame(depth=depth).depth is depth


def test_a_wrong_unit_is_named_with_its_remedy():
    depth = metres(800)
    depth[0] = np.nan
    with pytest.raises(InputError, match=r"expected metres.*got a median of 800.*divide millimetres by 1000"):
        frame(depth=depth)
