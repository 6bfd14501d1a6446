"""Depth images against values computed by hand, OpenCV's PNG, and an encoder of RVL that goes pixel by pixel."""

import struct
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from pose_regressor.middleware.messages.depth import depth_from_message, depth_message, is_compressed
from pose_regressor.types import Camera, InputError

CAMERA = Camera(4, 2, np.array([[100.0, 0, 1.5], [0, 110.0, 0.5], [0, 0, 1]]))
MILLIMETRES = np.array([[0, 1, 512, 1000], [65535, 700, 701, 699]], np.uint16)
METRES = (MILLIMETRES / 1000).astype(np.float32)
HEADER = SimpleNamespace(stamp=SimpleNamespace(sec=12, nanosec=34), frame_id="optical")


def image(pixels, encoding, **rest):
    fields = {
        "header": HEADER,
        "height": pixels.shape[0],
        "width": pixels.shape[1],
        "encoding": encoding,
        "is_bigendian": 0,
        "step": pixels.strides[0],
        "data": pixels.tobytes(),
    }
    return SimpleNamespace(**{**fields, **rest})


def compressed(data, text):
    return SimpleNamespace(header=HEADER, format=text, data=data)


def png(pixels):
    return cv2.imencode(".png", pixels)[1].tobytes()


def encode_rvl(values):
    """As the paper says it, one pixel after the other."""
    digits, previous, position = [], 0, 0

    def put(number):
        while number > 7:
            digits.append(number & 7 | 8)
            number >>= 3
        digits.append(number)

    values = [int(value) for value in values.ravel()]
    while position < len(values):
        for wanted in (False, True):
            end = position
            while end < len(values) and bool(values[end]) == wanted:
                end += 1
            put(end - position)
            for value in values[position:end] if wanted else ():
                put(2 * (value - previous) if value >= previous else 2 * (previous - value) - 1)
                previous = value
            position = end
    digits += [0] * (-len(digits) % 8)
    words = [sum(digit << 28 - 4 * i for i, digit in enumerate(digits[j : j + 8])) for j in range(0, len(digits), 8)]
    return struct.pack(f"<{len(words)}I", *words)


def rvl(pixels):
    return struct.pack("<iff", 0, 0.0, 0.0) + struct.pack("<II", pixels.shape[1], pixels.shape[0]) + encode_rvl(pixels)


@pytest.mark.parametrize("encoding", ["16UC1", "mono16"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bits_are_millimetres(encoding, order):
    msg = image(MILLIMETRES.astype(f"{order}u2"), encoding, is_bigendian=int(order == ">"))
    got = depth_from_message(msg, CAMERA)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, METRES, rtol=1e-6)


@pytest.mark.parametrize("order", ["<", ">"])
def test_floats_are_metres_whatever_follows_each_row(order):
    metres = METRES.copy()
    metres[0, 1:3] = np.nan, np.inf
    rows = [row.tobytes() + b"pad" for row in metres.astype(f"{order}f4")]
    msg = image(metres, "32FC1", step=19, data=b"".join(rows), is_bigendian=int(order == ">"))
    got = depth_from_message(msg, CAMERA)
    assert got.dtype == np.float32 and got.flags.c_contiguous and got.flags.aligned
    np.testing.assert_array_equal(got, metres)


def test_data_that_lies_at_any_address_is_aligned():
    memory = b"x" + METRES.tobytes()
    got = depth_from_message(image(METRES, "32FC1", data=memoryview(memory)[1:]), CAMERA)
    assert got.flags.aligned
    np.testing.assert_array_equal(got, METRES)


@pytest.mark.parametrize("text", ["16UC1; compressedDepth", "16UC1; compressedDepth png", "16UC1;compressedDepth png"])
def test_compressed_depth_in_millimetres(text):
    got = depth_from_message(compressed(struct.pack("<iff", 0, 0.0, 0.0) + png(MILLIMETRES), text), CAMERA)
    np.testing.assert_allclose(got, METRES, rtol=1e-6)


@pytest.mark.parametrize("text", ["16UC1; png compressed ", "png"])
def test_a_png_file_without_a_header(text):
    np.testing.assert_allclose(depth_from_message(compressed(png(MILLIMETRES), text), CAMERA), METRES, rtol=1e-6)


@pytest.mark.parametrize("coder", ["png", "rvl"])
def test_compressed_depth_in_metres_holds_steps_of_inverse_depth(coder):
    """With image_transport's defaults: up to 10 m, and a quantization of 100."""
    metres = np.array([[0.5, 1.0, 2.0, 9.9], [np.nan, 0.31, 0.32, 3.0]], np.float32)
    scale = 100 * 101.0
    offset = 1 - scale / 10
    steps = np.nan_to_num(scale / metres + offset).astype(np.uint16)
    steps[1, 0] = 0
    body = png(steps) if coder == "png" else rvl(steps)[12:]
    msg = compressed(struct.pack("<iff", 0, scale, offset) + body, f"32FC1; compressedDepth {coder}")
    got = depth_from_message(msg, CAMERA)
    assert got[1, 0] == 0
    measured = np.isfinite(metres)
    # One step of inverse depth, 1 / 10100, is so many metres at each depth.
    assert (np.abs(got - metres)[measured] <= metres[measured] ** 2 / scale * 1.1).all()


@pytest.mark.parametrize("shape", [(2, 4), (48, 64)])
def test_rvl(shape):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 65536, shape).astype(np.uint16) * (rng.random(shape) < 0.7)
    for values in (pixels, np.zeros_like(pixels), np.full_like(pixels, 65535), MILLIMETRES):
        camera = Camera(values.shape[1], values.shape[0], CAMERA.matrix)
        got = depth_from_message(compressed(rvl(values), "16UC1; compressedDepth rvl"), camera)
        np.testing.assert_allclose(got, values * 1e-3, rtol=1e-6)


def test_depth_becomes_a_message_and_comes_back(types):
    depth = METRES.copy()
    depth[1] = np.nan, 70.0, np.inf, -1.0
    msg = depth_message(types, depth, 12_000_000_034, "optical")
    assert (msg.encoding, msg.width, msg.height, msg.step, len(msg.data)) == ("16UC1", 4, 2, 8, 16)
    assert (msg.header.stamp.sec, msg.header.stamp.nanosec, msg.header.frame_id) == (12, 34, "optical")
    got = depth_from_message(msg, CAMERA)
    np.testing.assert_allclose(got[0], METRES[0], rtol=1e-6)
    assert not got[1].any()


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("/camera/depth/image_raw", False),
        ("/camera/depth/image_raw/compressedDepth", True),
        ("depth/compressed", True),
        ("/compressed_depth", False),
    ],
)
def test_which_topics_are_compressed(topic, expected):
    assert is_compressed(topic) == expected


HUGE = struct.pack(">II", 100_000, 100_000)
TO_BREAK = struct.pack("<iff", 0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("msg", "expected"),
    [
        (image(METRES, "rgb8"), "depth: unknown encoding, got 'rgb8', expected one of 16UC1, mono16, 32FC1"),
        (image(METRES, "32FC1", width=5), "depth: size differs from the image, got 5x2, expected 4x2; take the topic"),
        (image(METRES, "32FC1", width=0), "depth: expected at least one pixel, got 0x2"),
        (
            image(METRES, "32FC1", step=15),
            "depth: the step is shorter than a row, expected a step of at least 16",
        ),
        (image(METRES, "32FC1", data=b"123"), "depth: too little data, expected 32 bytes of data"),
        (compressed(png(MILLIMETRES), "32FC1; png compressed"), "expected compressedDepth, got a PNG file of 32FC1"),
        (compressed(TO_BREAK + png(MILLIMETRES), "bgr8; compressedDepth"), "depth: unknown encoding, got 'bgr8'"),
        (compressed(TO_BREAK[:9], "16UC1; compressedDepth"), r"expected compressedDepth \(PNG or RVL\), got 9 bytes"),
        (compressed(TO_BREAK, "16UC1; compressedDepth"), "got 0 bytes that begin with nothing"),
        (compressed(TO_BREAK + b"\xff\xd8\xff", "16UC1; compressedDepth"), "got 3 bytes that begin with ffd8ff"),
        (compressed(TO_BREAK + png(MILLIMETRES)[:60], "16UC1; compressedDepth"), "that are not whole"),
        (compressed(TO_BREAK + png(MILLIMETRES)[:18], "16UC1; compressedDepth"), "that end before the size"),
        (
            compressed(TO_BREAK + png(MILLIMETRES)[:16] + HUGE + png(MILLIMETRES)[24:], "16UC1; compressedDepth"),
            "depth: size differs from the image, got 100000x100000",
        ),
        (
            compressed(TO_BREAK + png(MILLIMETRES.astype(np.uint8)), "16UC1; compressedDepth"),
            "expected one channel of 16 bits, got a PNG file of 1 of uint8",
        ),
        (
            compressed(struct.pack("<iff", 0, np.nan, 1) + png(MILLIMETRES), "32FC1; compressedDepth"),
            "expected finite numbers in compressedDepth's header, got nan and 1",
        ),
        (compressed(TO_BREAK + b"1234", "16UC1; compressedDepth rvl"), "got 4 bytes that end before the size"),
        (
            compressed(TO_BREAK + struct.pack("<II", 2**31, 2**31), "16UC1; compressedDepth rvl"),
            "depth: size differs from the image, got 2147483648x2147483648",
        ),
        (compressed(rvl(MILLIMETRES)[:-8], "16UC1; compressedDepth rvl"), "got RVL data that is not whole"),
        (compressed(rvl(MILLIMETRES)[:20] + b"\xff" * 40, "16UC1; compressedDepth rvl"), "not whole"),
        (compressed(rvl(MILLIMETRES)[:20] + b"\0" * 40, "16UC1; compressedDepth rvl"), "runs of 0 and 0 pixels"),
    ],
)
def test_what_is_no_depth_image_is_refused(msg, expected):
    with pytest.raises(InputError, match=expected):
        depth_from_message(msg, CAMERA)


def test_unaligned_depth_has_the_size_of_its_own_camera():
    with pytest.raises(InputError, match=r"depth: size differs from its camera info, got 4x2, expected 5x2; is"):
        depth_from_message(image(METRES, "32FC1"), Camera(5, 2, CAMERA.matrix), aligned=False)
