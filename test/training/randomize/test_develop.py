"""What the batched camera does to pictures, against OpenCV, libjpeg and closed forms."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from pose_regressor_training.randomize.camera import NONE, CameraPart, Shots, draw_shots, plain_shots
from pose_regressor_training.randomize.develop import photograph, point_spread
from pose_regressor_training.randomize.jpeg import compress
from pose_regressor_training.randomize.pictures import random_picture

SIZE = 64


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """(4, SIZE, SIZE, 3) uint8 with edges and texture."""
    drawn = [random_picture(np.random.default_rng((7, i)), 4 * SIZE) for i in range(4)]
    return np.stack([cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for picture in drawn])


def linear(pictures: np.ndarray) -> torch.Tensor:
    """sRGB decoded, by the formula of IEC 61966-2-1."""
    value = pictures.astype(np.float64) / 255
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return torch.from_numpy(light).float()


def shown(image: torch.Tensor) -> np.ndarray:
    """(B, H, W, 3) float64, 0 to 255."""
    return image.permute(0, 2, 3, 1).numpy().astype(np.float64)


def sharp(count: int, **changes) -> Shots:
    """A camera without blur, but for the changes."""
    return replace(plain_shots(count), sigma=np.full(count, 1e-3), **changes)


def decoded(image: torch.Tensor) -> np.ndarray:
    return linear(image.permute(0, 2, 3, 1).numpy()).numpy()


def inner(images: np.ndarray, margin: int = 8) -> np.ndarray:
    return images[:, margin:-margin, margin:-margin]


def test_an_ideal_camera_shows_textures_as_they_are(pictures):
    np.testing.assert_array_equal(shown(photograph(linear(pictures), sharp(4))), pictures)


def test_blur_is_gaussian(pictures):
    light = linear(pictures)
    taken = photograph(light, replace(plain_shots(4), sigma=np.full(4, 1.1)))
    expected = np.stack([cv2.GaussianBlur(image, (11, 11), 1.1) for image in light.numpy()])
    # Half a grey level of rounding, in linear light.
    np.testing.assert_allclose(inner(decoded(taken)), inner(expected), atol=0.006)


def test_motion_spreads_along_its_direction():
    angle, length, sigma = 0.6, 6.0, 0.9
    shots = replace(
        plain_shots(1), sigma=np.array([sigma]), motion_length=np.array([length]), motion_angle=np.array([angle])
    )
    spread = point_spread(shots)[0, 1]
    at = np.arange(-5, 6)
    x, y = np.meshgrid(at, at)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    assert spread.sum() == pytest.approx(1)
    # Variances of a segment and a Gaussian add up; the kernel's edge cuts off some of the tail.
    assert (spread * along**2).sum() == pytest.approx(length**2 / 12 + sigma**2, rel=0.05)
    assert (spread * across**2).sum() == pytest.approx(sigma**2, rel=0.05)


def test_chromatic_error_shifts_red_and_blue_apart():
    shift = np.array([[[0.4, -0.2], [-0.4, 0.2]]])
    spread = point_spread(replace(plain_shots(1), sigma=np.array([1.0]), chromatic=shift))[0]
    at = np.arange(-5, 6)
    centres = [[(channel.sum(0) * at).sum(), (channel.sum(1) * at).sum()] for channel in spread]
    np.testing.assert_allclose(centres, [[0.4, -0.2], [0, 0], [-0.4, 0.2]], atol=0.01)


@pytest.mark.parametrize("detail", [0.5, 0.75])
def test_lost_detail_is_area_averaging_and_linear_enlargement(pictures, detail):
    light = linear(pictures)
    taken = photograph(light, sharp(4, detail=np.full(4, detail)))
    small = [cv2.resize(image, None, fx=detail, fy=detail, interpolation=cv2.INTER_AREA) for image in light.numpy()]
    stored = torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2)
    encoded = shown(photograph(stored.permute(0, 2, 3, 1), sharp(4))).astype(np.float32)
    expected = np.stack([cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR) for image in encoded])
    assert np.abs(shown(taken) - expected).max() < 1.5  # both round to 8 bits, twice


@pytest.mark.parametrize("quality", [20, 35, 60, 75, 90, 96])
def test_jpeg_is_libjpeg_s(pictures, quality):
    ours = compress(torch.from_numpy(pictures).permute(0, 3, 1, 2).float(), torch.full((4,), quality))
    theirs = []
    for picture in pictures:
        data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        theirs.append(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])
    difference = np.abs(shown(ours) - np.stack(theirs))
    loss = np.abs(pictures.astype(float) - np.stack(theirs))
    # libjpeg calculates in whole numbers; a coefficient on the verge of two steps may go either way, and where next to
    # nothing is lost, the rounding of its transforms and of its colours to grey levels is what remains.
    assert difference.mean() < 0.2 * loss.mean() + 0.25
    assert np.percentile(difference, 99) < 0.2 * np.percentile(loss, 99)


def test_jpeg_of_any_size_and_of_grey():
    grey = torch.full((2, 3, 37, 50), 99.0)
    # At quality 5 the mean of a block is kept in steps of 160 / 8.
    torch.testing.assert_close(compress(grey, torch.tensor([5, 95])), grey, atol=10, rtol=0)
    assert compress(grey, torch.tensor([100, 100])).unique().tolist() == [99.0]


def test_mosaic_is_interpolated_as_opencv_does(pictures):
    # OpenCV names a mosaic by the second and third pixel of its second row.
    codes = [cv2.COLOR_BayerBG2RGB, cv2.COLOR_BayerGB2RGB, cv2.COLOR_BayerGR2RGB, cv2.COLOR_BayerRG2RGB]
    shots = sharp(4, bayer=np.arange(4))
    # Values whose tone curve is undone exactly enough: compare in linear light.
    light = linear(pictures)
    taken = decoded(photograph(light, shots))
    for pattern, code in enumerate(codes):
        raw = np.zeros((SIZE, SIZE), np.uint16)
        values = (light[pattern].numpy() * 65535).round().astype(np.uint16)
        row, column = divmod(pattern, 2)
        raw[:] = values[..., 1]
        raw[row::2, column::2] = values[row::2, column::2, 0]
        raw[1 - row :: 2, 1 - column :: 2] = values[1 - row :: 2, 1 - column :: 2, 2]
        expected = cv2.cvtColor(raw, code) / 65535
        np.testing.assert_allclose(inner(taken[pattern][None]), inner(expected[None]), atol=0.005)


def test_noise_grows_with_the_root_of_the_light():
    levels = np.array([0.02, 0.2, 0.6])
    light = torch.from_numpy(levels).float()[:, None, None, None].expand(3, 128, 128, 3).contiguous()
    shots = sharp(3, shot=np.full(3, 0.05), read=np.full(3, 0.01), noise_start=np.array([0, 0.4, 0.9]))
    noise = decoded(photograph(light, shots)) - levels[:, None, None, None]
    np.testing.assert_allclose(noise.std((1, 2, 3)), np.sqrt(0.01**2 + 0.05**2 * levels), rtol=0.05)
    assert np.abs(noise.mean((1, 2, 3))).max() < 2e-3
    assert abs(np.corrcoef(noise[1].ravel(), noise[2].ravel())[0, 1]) < 0.02


def test_exposure_balance_and_bands():
    light = torch.full((1, SIZE, SIZE, 3), 0.2)
    gain = np.array([[1.5, 1.0, 0.5]])
    shots = sharp(1, gain=gain, band_depth=np.array([0.1]), band_turns=np.array([2.0]))
    taken = decoded(photograph(light, shots))[0]
    wave = 1 + 0.1 * np.sin(2 * np.pi * 2 * np.arange(SIZE) / SIZE)
    np.testing.assert_allclose(taken[:, 5], 0.2 * gain * wave[:, None], atol=0.004)


def test_gamma_and_sharpening(pictures):
    light = linear(pictures)
    taken = shown(photograph(light, sharp(4, gamma=np.full(4, 1.2))))
    np.testing.assert_allclose(taken, 255 * (pictures / 255.0) ** 1.2, atol=0.51)
    taken = shown(photograph(light, sharp(4, sharpening=np.full(4, 0.8))))
    blurred = np.stack([cv2.GaussianBlur(image, (7, 7), 1.2) for image in pictures.astype(np.float64)])
    expected = (pictures + 0.8 * (pictures - blurred)).clip(0, 255)
    np.testing.assert_allclose(inner(taken), inner(expected), atol=0.6)


def test_flare_adds_light():
    flare = np.array([[0.1, 0.05, 0.0]])
    light = torch.full((1, SIZE, SIZE, 3), 0.2)
    taken = decoded(photograph(light, sharp(1, gain=np.full((1, 3), 0.5), flare=flare)))
    np.testing.assert_allclose(taken[0, 5, 5], 0.1 + flare[0], atol=0.004)


@pytest.mark.parametrize("factor", [0.0, 0.7, 1.3])
def test_colorfulness_is_the_distance_from_grey_and_keeps_the_mean(factor):
    color = np.array([0.3, 0.4, 0.2])
    light = torch.from_numpy(color).float().expand(1, SIZE, SIZE, 3).contiguous()
    taken = decoded(photograph(light, sharp(1, colorfulness=np.array([factor]))))
    np.testing.assert_allclose(taken[0, 5, 5], 0.3 + factor * (color - 0.3), atol=0.004)


def test_colors_come_after_the_sensor_which_ends_at_white():
    light = torch.tensor([8.0, 1.0, 0.0]).expand(1, SIZE, SIZE, 3).contiguous()
    taken = decoded(photograph(light, sharp(1, colorfulness=np.array([0.5]))))
    np.testing.assert_allclose(taken[0, 5, 5], [5 / 6, 5 / 6, 1 / 3], atol=0.004)


@pytest.mark.parametrize("share", [-0.2, 0.6])
def test_contrast_is_an_s_shaped_curve(pictures, share):
    taken = shown(photograph(linear(pictures), sharp(4, contrast=np.full(4, share))))
    before = pictures / 255.0
    curve = before * before * (3 - 2 * before)
    np.testing.assert_allclose(taken, 255 * (before + share * (curve - before)), atol=0.51)


def test_unknown_distortion_moves_the_corner_and_not_the_middle():
    ramp = torch.linspace(0, 0.8, SIZE)[None, None, :, None].expand(1, SIZE, SIZE, 3).contiguous()
    step = 0.8 / (SIZE - 1)
    taken = decoded(photograph(ramp, sharp(1, distortion=np.array([2.0]))))[0, ..., 0]
    moved = (taken - ramp[0, ..., 0].numpy()) / step
    # Two pixels along the diagonal are the root of two in x.
    assert moved[4, 4] == pytest.approx(-(2**0.5) * (1 - 4.5 / 32) ** 3, abs=0.4)
    assert abs(moved[SIZE // 2, SIZE // 2]) < 0.35


def test_off_it_is_an_ideal_camera_and_on_it_keeps_to_its_ranges():
    detail = np.array([0.4, 1.0, 0.7])
    fixed = draw_shots(CameraPart(random=False), np.random.default_rng(0), detail)
    for name, value in vars(plain_shots(3)).items():
        np.testing.assert_array_equal(getattr(fixed, name), value)
    part = CameraPart(jpeg=1.0, motion=1.0, bayer=1.0, blur=(0.6, 0.7), motion_length=(3, 4), jpeg_quality=(50, 60))
    drawn = draw_shots(part, np.random.default_rng(0), np.ones(500))
    assert ((drawn.sigma >= 0.6) & (drawn.sigma <= 0.7)).all()
    assert ((drawn.motion_length >= 3) & (drawn.motion_length <= 4)).all()
    assert ((drawn.quality >= 50) & (drawn.quality <= 60)).all() and (drawn.bayer != NONE).all()
    assert set(drawn.bayer) == {0, 1, 2, 3}
    assert ((drawn.flare >= 0) & (drawn.flare <= 1.2 * 0.12)).all() and 0.4 < (drawn.flare > 0).all(1).mean() < 0.6
    assert ((drawn.contrast >= -0.2) & (drawn.contrast <= 0.6)).all()
    assert ((drawn.colorfulness >= 0.7) & (drawn.colorfulness <= 1.3)).all()
