"""Images and camera infos as plain objects with the messages' field names: the functions promise to need no more."""

import numpy as np
import pytest

from pose_regressor.geometry.camera_info import camera_from_info
from pose_regressor.middleware.messages import images
from pose_regressor.types import InputError

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8)


def smooth():
    """A gradient: what survives a Bayer mosaic and halved colour."""
    y, x = np.mgrid[0:32, 0:40]
    return np.stack([100 + 2 * x, 60 + 3 * y, 200 - 2 * x - y], axis=-1).astype(np.uint8)


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("rgb8", PIXELS),
        ("bgr8", PIXELS[..., ::-1]),
        ("rgba8", np.dstack([PIXELS, np.full((6, 8), 9, np.uint8)])),
        ("bgra8", np.dstack([PIXELS[..., ::-1], np.full((6, 8), 9, np.uint8)])),
        ("8UC3", PIXELS[..., ::-1]),
        ("8UC4", np.dstack([PIXELS[..., ::-1], np.full((6, 8), 9, np.uint8)])),
    ],
)
@pytest.mark.parametrize("gap", [0, 5])
def test_colour_encodings(image, encoding, data, gap):
    rows = np.pad(data.reshape(6, -1), ((0, 0), (0, gap)), constant_values=77)
    msg = image(encoding, 8, 6, data=rows.tobytes(), step=rows.shape[1])
    np.testing.assert_array_equal(images.image_from_message(msg), PIXELS)


@pytest.mark.parametrize("container", [bytes, bytearray, lambda raw: np.frombuffer(raw, np.uint8), list])
def test_any_container_of_bytes(image, container):
    msg = image("rgb8", 8, 6, data=container(PIXELS.tobytes()), step=24)
    np.testing.assert_array_equal(images.image_from_message(msg), PIXELS)


@pytest.mark.parametrize("big", [0, 1])
@pytest.mark.parametrize(
    ("encoding", "order"),
    [("rgb16", [0, 1, 2]), ("bgr16", [2, 1, 0]), ("16UC3", [2, 1, 0])]
    + [("rgba16", [0, 1, 2, 1]), ("bgra16", [2, 1, 0, 1]), ("16UC4", [2, 1, 0, 1])],
)
def test_colours_of_sixteen_bits(image, encoding, order, big):
    """Their high bytes."""
    wide = PIXELS[..., order].astype(np.uint16) * 256 + 77
    data = wide.astype(">u2" if big else "<u2").tobytes()
    msg = image(encoding, 8, 6, 2 * len(order), data=data, is_bigendian=big)
    np.testing.assert_array_equal(images.image_from_message(msg), PIXELS)


def test_grey_encodings(image):
    grey = PIXELS[..., 0]
    expected = np.repeat(grey[..., None], 3, axis=-1)
    for name in ("mono8", "8UC1"):
        np.testing.assert_array_equal(images.image_from_message(image(name, 8, 6, 1, data=grey.tobytes())), expected)
    wide = grey.astype(np.uint16) * 256 + 13
    for big, order in ((0, "<u2"), (1, ">u2")):
        msg = image("mono16", 8, 6, 2, data=wide.astype(order).tobytes(), is_bigendian=big)
        np.testing.assert_array_equal(images.image_from_message(msg), expected)


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_patterns_are_named_by_their_first_pixels(image, pattern):
    rgb = smooth()
    mosaic = np.zeros(rgb.shape[:2], np.uint8)
    for place, colour in enumerate(pattern):
        row, column = divmod(place, 2)
        mosaic[row::2, column::2] = rgb[row::2, column::2, "rgb".index(colour)]
    found = images.image_from_message(image(f"bayer_{pattern}8", 40, 32, 1, data=mosaic.tobytes()))
    assert np.abs(found.astype(int) - rgb)[2:-2, 2:-2].max() <= 4
    for big, order in ((0, "<u2"), (1, ">u2")):
        deep = (mosaic.astype(np.uint16) * 256 + 128).astype(order)
        msg = image(f"bayer_{pattern}16", 40, 32, 2, data=deep.tobytes(), is_bigendian=big)
        assert np.abs(images.image_from_message(msg).astype(int) - rgb)[2:-2, 2:-2].max() <= 4


def yuv_of(rgb):
    """Y, U and V of BT.601, limited range, as floats."""
    r, g, b = np.moveaxis(rgb.astype(float), -1, 0)
    y = 16 + 0.257 * r + 0.504 * g + 0.098 * b
    return y, 128 - 0.148 * r - 0.291 * g + 0.439 * b, 128 + 0.439 * r - 0.368 * g - 0.071 * b


@pytest.mark.parametrize(("encoding", "first"), [("nv12", "u"), ("nv21", "v")])
@pytest.mark.parametrize("gap", [0, 8])
def test_luma_first_then_pairs_of_colours(image, encoding, first, gap):
    rgb = RNG.integers(40, 200, (3, 4, 3), dtype=np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    y, u, v = yuv_of(rgb)
    pairs = np.stack([u, v] if first == "u" else [v, u], -1)[::2, ::2].reshape(3, 8)
    rows = np.pad(np.vstack([y, pairs]).round().astype(np.uint8), ((0, 0), (0, gap)))
    found = images.image_from_message(image(encoding, 8, 6, data=rows.tobytes(), step=8 + gap))
    assert found.shape == (6, 8, 3) and np.abs(found.astype(int) - rgb).max() <= 4


@pytest.mark.parametrize(
    ("encoding", "places"),
    [("yuv422", (1, 0, 2)), ("uyvy", (1, 0, 2)), ("yuv422_yuy2", (0, 1, 3)), ("yuyv", (0, 1, 3))],
)
def test_yuv_encodings(image, encoding, places):
    rgb = np.repeat(RNG.integers(40, 200, (4, 4, 3), dtype=np.uint8), 2, axis=1)  # pairs of equal pixels
    y, u, v = yuv_of(rgb)
    packed = np.zeros((4, 4, 4))
    first, u_place, v_place = places
    packed[..., first], packed[..., first + 2] = y[:, ::2], y[:, 1::2]
    packed[..., u_place], packed[..., v_place] = u[:, ::2], v[:, ::2]
    data = packed.round().astype(np.uint8).tobytes()
    found = images.image_from_message(image(encoding, 8, 4, 2, data=data))
    assert np.abs(found.astype(int) - rgb).max() <= 4


def test_every_known_encoding_gives_rgb(image):
    for encoding in images.ENCODINGS:
        found = images.image_from_message(image(encoding, 8, 6, step=64, data=bytes(64 * 9)))
        assert found.shape == (6, 8, 3)
        assert found.dtype == np.uint8


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"width": 0, "height": 0}, ["at least one pixel", "0x0"]),
        ({"width": 0}, ["at least one pixel", "0x2"]),
        ({"encoding": "rgb_jpeg"}, ["'rgb_jpeg' is not known", "expected one of", "bgr8", "bayer_rggb8"]),
        ({"encoding": ""}, ["'' is not known"]),
        ({"encoding": "16UC1"}, ["not depth", "'16UC1'", "take the colour topic", "mono16"]),
        ({"encoding": "32FC1"}, ["not depth", "'32FC1'"]),
        ({"encoding": "8UC2"}, ["'8UC2' is not known"]),
        ({"encoding": "nv12", "step": 4, "data": b"1" * 11}, ["expected 12 bytes", "step 4 x height 3", "got 11"]),
        ({"encoding": "nv12", "step": 4, "height": 3, "data": bytes(20)}, ["an even width and height", "4x3"]),
        ({"data": b"\0" * 23}, ["expected 24 bytes", "step 12 x height 2", "got 23"]),
        ({"data": b""}, ["expected 24 bytes", "got 0"]),
        ({"step": 11}, ["step of at least 12", "got 11"]),
        ({"step": 0}, ["step of at least 12", "got 0"]),
        ({"width": 2**31, "height": 2**31, "step": 2**32 - 1, "data": b"1"}, ["step of at least"]),
        ({"width": 3, "encoding": "yuv422", "step": 6}, ["an even width", "3x2"]),
        ({"encoding": "bayer_rggb8"}, ["at least 3x3 pixels", "4x2"]),
    ],
)
def test_bad_images_are_refused(image, changes, words):
    with pytest.raises(InputError) as caught:
        images.image_from_message(image(**changes))
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"width": 0}, {"height": 0}),
        ({"encoding": "16UC1"}, {"encoding": "32FC1"}),
        ({"encoding": "8UC2"}, {"encoding": ""}),
        ({"step": 3}, {"step": 4, "width": 5}),
        ({"data": b"1"}, {"data": b""}),
        ({"width": 3, "encoding": "yuv422", "step": 6}, {"encoding": "bayer_rggb8"}),
    ],
)
def test_a_reason_is_the_same_whatever_the_values(image, one, other):
    errors = []
    for changes in (one, other):
        with pytest.raises(InputError) as caught:
            images.image_from_message(image(**changes))
        errors.append(caught.value)
    assert errors[0].reason == errors[1].reason and str(errors[0]) != str(errors[1])


def test_frame_keeps_stamp_and_frame_id(image, camera):
    frame = images.frame_from_image(image(), camera, index=5)
    assert (frame.stamp, frame.frame_id, frame.index) == (12_000_000_034, "optical", 5)
    assert images.frame_from_image(image(), camera, frame_id="other").frame_id == "other"


def test_frame_of_another_size_than_its_camera(image, camera):
    with pytest.raises(InputError, match="size differs from its camera info, got 8x6, expected 4x2"):
        images.frame_from_image(image(width=8, height=6, step=24, data=bytes(144)), camera)


@pytest.mark.parametrize(("given", "parameter"), [("/optical", ""), ("left/optical", "/optical")])
def test_a_leading_slash_is_taken_off_the_frame_id(image, camera, given, parameter):
    """tf2 refuses to look up frames that begin with it."""
    message = image()
    message.header.frame_id = given
    assert images.frame_from_image(message, camera, parameter).frame_id == "optical"


def test_frame_without_a_frame_id(image, camera):
    msg = image()
    msg.header.frame_id = ""
    with pytest.raises(InputError, match="frame_id"):
        images.frame_from_image(msg, camera)
    assert images.frame_from_image(msg, camera, frame_id="set").frame_id == "set"


def test_camera_info_there_and_back(types, info):
    for msg in (info(), info(distortion_model="rational_polynomial", d=[0.1] * 8), info(d=[])):
        camera = camera_from_info(msg)
        made = images.camera_info_message(types, camera, 12_000_000_034, "optical")
        made.binning_x = made.binning_y = 0
        made.roi = msg.roi
        back = camera_from_info(made)
        np.testing.assert_array_equal(back.matrix, camera.matrix)
        assert back.distortion_model == camera.distortion_model
        np.testing.assert_array_equal(back.distortion[: len(camera.distortion)], camera.distortion)
        assert (len(made.r), len(made.p)) == (9, 12)


def test_image_there_and_back(types):
    made = images.image_message(types, PIXELS, 5_000_000_006, "optical")
    assert (made.header.stamp.sec, made.header.stamp.nanosec, made.header.frame_id) == (5, 6, "optical")
    np.testing.assert_array_equal(images.image_from_message(made), PIXELS)
    turned = np.asfortranarray(PIXELS)
    np.testing.assert_array_equal(images.image_from_message(images.image_message(types, turned, 0, "optical")), PIXELS)
