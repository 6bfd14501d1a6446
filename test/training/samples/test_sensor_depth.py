"""Simulated sensors against the figures of the papers that they are taken from."""

import numpy as np
import pytest

from pose_regressor.color import srgb_from_linear
from pose_regressor.types import InputError
from pose_regressor_training.samples.sensor_depth import KINDS, RANGE, SensorDepth, guessed_albedo, incidence, shadow

K = np.array([[580.0, 0, 80], [0, 580, 60], [0, 0, 1]])
SHAPE = (120, 160)


def wall(distance, slope=0.0):
    """A plane z = distance + slope * x."""
    x = (np.arange(SHAPE[1]) - K[0, 2]) / K[0, 0]
    return np.broadcast_to(distance / (1 - slope * x), SHAPE).astype(np.float32)


def measured(kind, depth, **options):
    sensor = SensorDepth(kind, **{"holes": 0.0, "bias": 0.0, **options})
    return sensor.measure(depth, K, np.random.default_rng(0))


@pytest.mark.parametrize("kind", KINDS)
def test_noise_grows_with_distance_and_has_no_bias(kind):
    spreads = []
    for distance in (0.6, 1.2, 2.4):
        depth = measured(kind, wall(distance))
        error = depth[depth > 0] - distance
        assert abs(np.median(error)) < 0.01 * distance**2
        spreads.append(error.std())
    growth = spreads[2] / spreads[1]
    # Linearly, or with the square; quantization blurs the latter.
    assert 1.7 < growth < 2.3 if kind == "time_of_flight" else 2.5 < growth < 6
    assert spreads[0] < spreads[1] < spreads[2] < 0.03


def test_structured_light_comes_in_the_steps_of_its_disparity():
    """2.85 mm at 1 m, 11.4 mm at 2 m (Khoshelham and Elberink 2012)."""
    for distance in (1.0, 2.0):
        values = np.unique(measured("structured_light", wall(distance, 0.5)))
        near = values[np.abs(values - distance) < 0.05]
        np.testing.assert_allclose(np.diff(near).min(), 2.85e-3 * distance**2, rtol=0.2)


def test_the_angle_of_incidence():
    np.testing.assert_allclose(np.degrees(incidence(wall(1.0), K)[60, 80]), 0, atol=1.5)
    np.testing.assert_allclose(np.degrees(incidence(wall(1.0, np.sqrt(3)), K)[60, 80]), 60, atol=1.5)


@pytest.mark.parametrize("kind", KINDS)
def test_steep_surfaces_and_dark_ones_have_no_depth(kind):
    assert (measured(kind, wall(1.0, 8.0))[:, 60:100] == 0).mean() > 0.9
    dark = np.ones(SHAPE, np.float32)
    dark[:60] = 0.0
    sensor = SensorDepth(kind, holes=0.0)
    depth = sensor.measure(wall(1.0), K, np.random.default_rng(0), dark)
    assert (depth[:60] == 0).all() and (depth[60:] > 0).mean() > 0.95


def test_the_second_view_sees_nothing_behind_a_near_edge():
    """A shadow is as wide as the disparities differ: f b (1 / near - 1 / far)."""
    depth = wall(2.0).copy()
    depth[:, 80:] = 1.0
    hidden = shadow(depth, 580 * 0.075)
    width = 580 * 0.075 * (1 / 1.0 - 1 / 2.0)
    np.testing.assert_allclose(hidden[60].sum(), width, atol=1.5)
    assert hidden[60, 80 - int(width) : 80].all()
    assert not shadow(wall(1.0, 0.5), 580 * 0.075).any()


def test_flying_pixels_lie_between_two_surfaces_only_for_time_of_flight():
    depth = wall(2.0).copy()
    depth[:, 80:] = 1.0
    between = {kind: ((d := measured(kind, depth)) > 1.2) & (d < 1.8) for kind in KINDS}
    assert between["time_of_flight"].any() and not between["structured_light"].any()


@pytest.mark.parametrize("kind", KINDS)
def test_the_edge_of_a_scene_without_a_background(kind):
    """Where nothing is behind a surface, there is nothing to read or to mix: no depth comes near 0 or goes far."""
    depth = np.zeros(SHAPE, np.float32)
    depth[30:90, 40:120] = 0.5
    found = measured(kind, depth)
    assert not found[depth == 0].any()
    assert np.abs(found[found > 0] - 0.5).max() < 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_holes_and_what_is_not_there(kind):
    depth = wall(1.0).copy()
    depth[:10] = 0
    empty = measured(kind, depth, holes=0.1) == 0
    assert empty[:10].all()
    np.testing.assert_allclose(empty[20:, 10:].mean(), 0.1, atol=0.04)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_out_of_range_is_not_measured(kind):
    assert not measured(kind, wall(RANGE + 1)).any()


def test_an_images_depths_are_wrong_together():
    sensor = SensorDepth("structured_light", holes=0.0, bias=0.01)
    medians = [np.median(sensor.measure(wall(1.0), K, np.random.default_rng(seed))) for seed in range(30)]
    assert 0.006 < np.std(medians) < 0.014


def test_a_mixed_sensor_is_another_kind_in_each_image():
    made = [SensorDepth("mixed").measure(wall(1.0), K, np.random.default_rng(seed)) for seed in range(20)]
    kinds = []
    for seed, depth in enumerate(made):
        rng = np.random.default_rng(seed)
        rng.integers(3)
        state = rng.bit_generator.state
        for kind in KINDS:
            rng.bit_generator.state = state
            if np.array_equal(SensorDepth(kind).measure(wall(1.0), K, rng), depth):
                kinds.append(kind)
    assert len(kinds) == 20 and set(kinds) == set(KINDS)


def test_stereo_keeps_slanted_surfaces():
    """On this slope, dilation by one pixel would bring depths nearer by 1.7 mm."""
    depth = wall(1.0, slope=1.0)[:, 60:100]
    off = [
        SensorDepth("stereo", 0.0, bias=0.0).measure(depth, K, np.random.default_rng(seed)) - depth for seed in range(9)
    ]
    assert abs(np.median(off)) < 3e-4


def test_stereo_fattens_edges():
    near = np.arange(SHAPE[1]) < 80
    depth = measured("stereo", np.where(near, wall(0.5), wall(1.0)))
    assert abs(np.median(depth[:, 80]) - 0.5) < 0.02
    assert abs(np.median(depth[:, 83]) - 1.0) < 0.02


def test_unknown_sensors_are_refused():
    with pytest.raises(InputError, match="structured_light, stereo, time_of_flight or mixed, got 'radar'"):
        SensorDepth("radar")
    with pytest.raises(InputError, match="share of holes"):
        SensorDepth(holes=1.0)


def test_albedo_is_guessed_from_the_picture_whatever_its_exposure():
    """A surface that sends back half the light of the brightest one is half as white, also in a dimmer picture."""
    light = np.tile(np.array([0.0, 0.5, 1.0], np.float32).repeat(40)[:, None], (120, 1, 3))
    for exposure in (1.0, 0.2):
        albedo = guessed_albedo(srgb_from_linear(exposure * light))
        np.testing.assert_allclose(np.unique(albedo), [0, 0.5, 1], atol=0.02)
    assert guessed_albedo(np.zeros((4, 5, 3), np.uint8)).max() == 0
