"""Compressed images against OpenCV's own encoder and decoder, and against files written byte by byte."""

import struct
import zlib
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from pose_regressor.middleware.messages.compressed import frame_from_compressed, image_from_compressed
from pose_regressor.types import Camera, InputError

Y, X = np.mgrid[0:24, 0:32]
#: A gradient, which JPEG keeps nearly as it is.
SMOOTH = np.stack([100 + 2 * X, 60 + 3 * Y, 200 - 2 * X - Y], axis=-1).astype(np.uint8)
BGR = SMOOTH[..., ::-1]


@pytest.fixture
def camera():
    return Camera(32, 24, np.array([[30.0, 0, 15.5], [0, 30, 11.5], [0, 0, 1]]))


def message(data, text="bgr8; jpeg compressed bgr8", frame_id="optical"):
    header = SimpleNamespace(stamp=SimpleNamespace(sec=12, nanosec=34), frame_id=frame_id)
    return SimpleNamespace(header=header, format=text, data=data)


def encode(extension, pixels, *options):
    return cv2.imencode(extension, pixels, options)[1].tobytes()


@pytest.mark.parametrize("text", ["png", "rgb8; png compressed bgr8", ""])
def test_png_is_exact(camera, text):
    np.testing.assert_array_equal(image_from_compressed(message(encode(".png", BGR), text), camera), SMOOTH)


@pytest.mark.parametrize(
    "options",
    [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_RST_INTERVAL, 1), (cv2.IMWRITE_JPEG_OPTIMIZE, 1)],
)
def test_jpeg_is_what_opencv_reads(camera, options):
    data = encode(".jpg", BGR, *options)
    got = image_from_compressed(message(data, "jpeg"), camera)
    np.testing.assert_array_equal(got, cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1])
    assert np.abs(got.astype(int) - SMOOTH).max() < 12


def test_grey_and_sixteen_bits(camera):
    grey = SMOOTH[..., 0]
    three = np.repeat(grey[..., None], 3, axis=2)
    np.testing.assert_array_equal(image_from_compressed(message(encode(".png", grey), "mono8; png"), camera), three)
    deep = grey.astype(np.uint16) * 256 + 77
    np.testing.assert_array_equal(image_from_compressed(message(encode(".png", deep), "mono16; png"), camera), three)


def test_a_bayer_mosaic_is_sent_as_if_grey(camera):
    mosaic = mosaic_of(SMOOTH)
    got = image_from_compressed(message(encode(".png", mosaic), "bayer_rggb8; png compressed "), camera)
    inner = slice(2, -2)
    assert np.abs(got[inner, inner].astype(int) - SMOOTH[inner, inner]).max() <= 4
    with pytest.raises(InputError, match="encoding 'bayer_rgrg8' is not known, expected one of bayer_rggb8"):
        image_from_compressed(message(encode(".png", mosaic), "bayer_rgrg8; png compressed "), camera)
    deep = mosaic.astype(np.uint16) * 256 + 99
    fine = image_from_compressed(message(encode(".png", deep), "bayer_rggb16; png compressed "), camera)
    assert np.abs(fine[inner, inner].astype(int) - SMOOTH[inner, inner]).max() <= 4


def mosaic_of(rgb):
    """Its rggb mosaic."""
    mosaic = rgb[..., 1].copy()
    mosaic[0::2, 0::2], mosaic[1::2, 1::2] = rgb[0::2, 0::2, 0], rgb[1::2, 1::2, 2]
    return mosaic


@pytest.mark.parametrize("extension", [".png", ".jpg"])
@pytest.mark.parametrize("source", ["bayer_rggb8", "bayer_grbg8", "bayer_rggb16"])
def test_a_bayer_camera_whose_images_were_converted_before(camera, extension, source):
    """The format's part behind ';' says to what: they are no mosaics any more, whatever the camera's pattern is."""
    name = {".png": "png", ".jpg": "jpeg"}[extension]
    colours = image_from_compressed(message(encode(extension, BGR), f"{source}; {name} compressed bgr8"), camera)
    assert np.abs(colours.astype(int) - SMOOTH).max() < (1 if extension == ".png" else 12)
    rng = np.random.default_rng(0)
    grey = cv2.GaussianBlur(rng.integers(0, 256, (24, 32), dtype=np.uint8), (0, 0), 1)
    found = image_from_compressed(message(encode(extension, grey), f"{source}; {name} compressed mono8"), camera)
    expected = cv2.imdecode(np.frombuffer(encode(extension, grey), np.uint8), cv2.IMREAD_GRAYSCALE)
    np.testing.assert_array_equal(found, np.repeat(expected[..., None], 3, axis=2))


@pytest.mark.parametrize("text", ["bayer_grbg8; jpeg compressed ", "bayer_grbg8; png compressed", "bayer_rggb8; jpeg"])
def test_what_has_colours_is_no_mosaic(camera, text):
    np.testing.assert_array_equal(image_from_compressed(message(encode(".png", BGR), text), camera), SMOOTH)


def test_the_mosaics_own_name_counts(camera):
    data = encode(".png", mosaic_of(SMOOTH))
    found = image_from_compressed(message(data, "bayer_bggr8; png compressed bayer_rggb8"), camera)
    np.testing.assert_array_equal(found, image_from_compressed(message(data, "bayer_rggb8; png compressed"), camera))


def test_depth_is_no_picture(camera):
    deep = np.full((24, 32), 1500, np.uint16)
    with pytest.raises(InputError, match="not depth, got '16UC1'"):
        image_from_compressed(message(encode(".png", deep), "16UC1; png compressed "), camera)


def test_the_rotation_that_a_file_asks_for_is_not_done(camera):
    """The camera info is of the pixels as they are."""
    data = encode(".jpg", BGR)
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
    turned = data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]
    assert cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR).shape[:2] == (32, 24), "OpenCV would"
    np.testing.assert_array_equal(
        image_from_compressed(message(turned), camera), image_from_compressed(message(data), camera)
    )


@pytest.mark.parametrize("container", [bytes, bytearray, lambda raw: np.frombuffer(raw, np.uint8), list])
def test_any_container_of_bytes(camera, container):
    data = container(encode(".png", BGR))
    np.testing.assert_array_equal(image_from_compressed(message(data, "png"), camera), SMOOTH)


def test_frame(camera):
    frame = frame_from_compressed(message(encode(".png", BGR)), camera, index=5)
    assert (frame.stamp, frame.frame_id, frame.index) == (12_000_000_034, "optical", 5)
    assert frame_from_compressed(message(encode(".png", BGR)), camera, "head").frame_id == "head"
    with pytest.raises(InputError, match="expected a frame_id"):
        frame_from_compressed(message(encode(".png", BGR), frame_id=""), camera)


def bomb(width, height):
    """A PNG of any size that is all zeros, made of a few bytes: what unpacks it runs out of memory."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "expected JPEG or PNG, got 0 bytes"),
        (b"GIF89a", "expected JPEG or PNG, got 6 bytes that begin with"),
        (bytes(100), "expected JPEG or PNG"),
        (encode(".png", BGR)[:18], "bytes that end before the size"),
        (encode(".jpg", BGR)[:40], "bytes that end before the size"),
        (encode(".png", BGR)[:60], "bytes that are not whole"),
        (b"\xff\xd8\xff\xe0\x00\x04ab" + b"x" * 20, "a JPEG file without a frame"),
        (encode(".png", BGR[:10]), "size differs from its camera info, got 32x10, expected 32x24"),
        (encode(".jpg", BGR[:10]), "size differs from its camera info, got 32x10"),
        (bomb(60_000, 60_000), "size differs from its camera info, got 60000x60000"),
        (bomb(32, 24), "bytes that are not whole"),
    ],
)
def test_what_is_no_image_of_this_camera(camera, data, words):
    with pytest.raises(InputError, match=words):
        image_from_compressed(message(data), camera)


@pytest.mark.parametrize("extension", [".png", ".jpg"])
def test_random_damage_never_does_more_than_raise(camera, extension):
    rng = np.random.default_rng(0)
    good = np.frombuffer(encode(extension, BGR), np.uint8)
    for _ in range(500):
        raw = good.copy()
        raw[rng.integers(0, len(raw), 3)] = rng.integers(0, 256, 3)
        try:
            assert image_from_compressed(message(raw.tobytes()), camera).shape == (24, 32, 3)
        except InputError:
            continue
