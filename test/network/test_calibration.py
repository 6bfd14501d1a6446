"""The map from raw scores to shares of right poses: what is refused, there and back, kept in a bundle, applied."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from pose_regressor import PoseEstimator
from pose_regressor.assets import demo_folder, find_model
from pose_regressor.files.cameras import load_camera
from pose_regressor.network.bundle import Bundle
from pose_regressor.network.calibration import RGBD_CALIBRATION, Calibration
from pose_regressor.sources import open_source
from pose_regressor.types import InputError

STEEP = Calibration(((0.0, 0.0), (0.5, 0.1), (0.9, 0.8), (1.0, 0.9)), 0.2)


def test_the_map_and_its_inverse():
    assert Calibration().probability(0.5) == pytest.approx(0.15)
    assert STEEP.probability(0.7) == pytest.approx(0.45)
    for raw in np.linspace(0, 1, 21):
        assert STEEP.raw(STEEP.probability(raw)) == pytest.approx(raw)
    assert STEEP.raw(0.95) == 1  # nothing reaches it


@pytest.mark.parametrize(
    "knots",
    [(), ((0, 0),), ((0, 0), (0.5, 1)), ((0.1, 0), (1, 1)), ((0, 0), (0.5, 0.5), (0.5, 0.6), (1, 1)),
     ((0, 0), (0.5, 0.5), (0.7, 0.5), (1, 1)), ((0, 0), (1, 2)), ((0, float("nan")), (1, 1)), (("a", 0), (1, 1))],
)  # fmt: skip
def test_what_is_no_increasing_map_is_refused(knots):
    with pytest.raises(InputError, match="increasing pairs"):
        Calibration(knots)


@pytest.mark.parametrize("scale", [0, -1, float("inf"), float("nan"), "1", True])
def test_what_is_no_scale_is_refused(scale):
    with pytest.raises(InputError, match="covariance_scale above 0"):
        Calibration(covariance_scale=scale)


def test_a_bundle_keeps_it_and_one_from_before_has_the_defaults(tmp_path, tiny_bundle):
    path = tmp_path / "brick.safetensors"
    tiny_bundle.calibration = STEEP
    tiny_bundle.save(path)
    assert Bundle.load(path).calibration == STEEP
    with safe_open(path, "pt") as file:
        header = json.loads(file.metadata()["pose_regressor"])
    for change, expected in ((lambda h: h["calibration"].pop("score"), None), (lambda h: h.pop("calibration"), STEEP)):
        change(header)
        save_file(load_file(path), path, {"pose_regressor": json.dumps(header)})
        if expected is None:
            with pytest.raises(
                InputError, match=r"brick\.safetensors: calibration: expected score and covariance_scale"
            ):
                Bundle.load(path)
        else:
            assert Bundle.load(path).calibration == Calibration()


def test_at_most_as_sure_as_another():
    """At every raw score the probability is the lower one, and `raw` is its inverse."""
    own = Calibration(((0.0, 0.0), (0.2, 0.5), (1.0, 0.9)), 2.0)
    other = Calibration(((0.0, 0.0), (0.5, 0.1), (1.0, 1.0)))
    lower = replace(own, at_most=other)
    for raw in np.linspace(0, 1, 101):
        assert lower.probability(raw) == min(own.probability(raw), other.probability(raw))
        assert lower.raw(lower.probability(raw)) == pytest.approx(raw)
    assert lower.covariance_scale == 2 and lower.to_dict() == own.to_dict()


def test_with_depth_a_middling_score_is_false_and_a_good_one_is_right():
    """As measured on path-traced and real images (docs/accuracy_log.md, False poses with depth)."""
    assert RGBD_CALIBRATION.probability(0.3) < 0.05 < 0.9 < RGBD_CALIBRATION.probability(0.6)


def test_the_estimator_reports_probabilities_and_scaled_covariances():
    """The same poses; scores by the map, covariances by the scale; the threshold is one of probabilities."""
    demo = demo_folder()
    with open_source(str(demo / "box.mp4"), load_camera(demo / "camera.json")) as source:
        frame = next(iter(source))
    plain, steep = Bundle.load(find_model("box")), Bundle.load(find_model("box"))
    plain.calibration, steep.calibration = Calibration(((0.0, 0.0), (1.0, 1.0))), STEEP
    (raw,) = PoseEstimator(plain, "cpu", 0.5).estimate(frame)
    (mapped,) = PoseEstimator(steep, "cpu", STEEP.probability(0.5)).estimate(frame)
    assert mapped.method == "pnp"
    assert mapped.score == pytest.approx(STEEP.probability(raw.score))
    np.testing.assert_allclose(mapped.cam_from_obj, raw.cam_from_obj)
    np.testing.assert_allclose(mapped.covariance, raw.covariance * 0.2)
    assert PoseEstimator(steep, "cpu", mapped.score + 0.01).estimate(frame) == []
    followed = PoseEstimator(steep, "cpu", 0.1).follow(frame, [mapped]).poses
    assert followed[0].score == pytest.approx(mapped.score, abs=0.2)
