"""Scores, covariances and distances that are set to what synthetic frames show."""

import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from pose_regressor.network.bundle import Bundle
from pose_regressor.network.calibration import RGBD_CALIBRATION, Calibration
from pose_regressor.types import InputError, PoseEstimate
from pose_regressor_training.bop.ply_writer import ply_files
from pose_regressor_training.calibrate import calibrate
from pose_regressor_training.calibrate.calibrate import calibration_of, score_map
from pose_regressor_training.calibrate.trial import RAW, Found, Trial
from pose_regressor_training.cli import add_commands
from pose_regressor_training.evaluate.reliability import reliability
from pose_regressor_training.samples.sensor_depth import SensorDepth


def draw(rng, count):
    """Raw scores, and poses that are right with the cube of them as probability."""
    raw = rng.random(count)
    return raw, rng.random(count) < raw**3


def test_the_map_finds_the_probability_again():
    knots = score_map(*draw(np.random.default_rng(0), 4000))
    calibration = Calibration(knots)
    assert len(knots) <= calibrate.GROUPS + 2
    for raw in (0.3, 0.5, 0.7, 0.9):
        assert calibration.probability(raw) == pytest.approx(raw**3, abs=0.06)


def test_scores_mean_what_they_say_on_other_samples():
    trials = []
    for seed in (1, 2):
        pairs = zip(*draw(np.random.default_rng(seed), 2000), strict=True)
        trials.append(Trial(tuple(Found(0, raw, 0.05, bool(right)) for raw, right in pairs), (1,), 1))
    calibration = calibration_of(trials[0])
    before, after = (reliability(trials[1].scored(c)).ece for c in (RAW, calibration))
    assert before > 0.2 and after < 0.05


@pytest.mark.parametrize("right", [0.0, 1.0])
def test_nothing_is_certain_and_ties_are_no_trouble(right):
    """All right, all wrong, all of the same score: still a strictly increasing map."""
    for raw in (np.linspace(0, 1, 200), np.full(200, 0.7), np.ones(200), np.zeros(200)):
        shares = np.array(Calibration(score_map(raw, np.full(200, right > 0))).score)[:, 1]
        assert shares[-1] < 1
        assert (np.diff(shares) > 0).all()


def test_a_map_of_falling_shares_is_pooled():
    raw = np.linspace(0, 1, 400)
    knots = score_map(raw, np.arange(400) % 400 < 200)  # the lower half is right, the upper is not
    assert len(knots) == 3 and knots[1] == pytest.approx((0.5, 0.5), abs=0.01)


def test_the_covariance_is_scaled_to_hold_what_it_says():
    distances = 3.0 * np.random.default_rng(3).chisquare(6, 4000)
    trial = Trial(tuple(Found(0, 0.5, 0.05, True, mahalanobis=float(d)) for d in distances), (4000,), 4000)
    calibration = calibration_of(trial)
    assert calibration.covariance_scale == pytest.approx(3, rel=0.05)
    assert trial.inside(0.5, calibration) == pytest.approx(0.5, abs=0.03)


def test_too_few_poses_change_nothing():
    assert calibration_of(Trial((Found(0, 0.5, 0.05, True, mahalanobis=1.0),) * 20, (20,), 20)) == Calibration()


def test_calibrating_sets_what_it_measured(tiny_bundle, brick, monkeypatch):
    """Scores are fitted on raw ones, whatever the bundle's calibration was; distances first, unless they are kept."""
    raw, right = draw(np.random.default_rng(0), 400)
    trial = Trial(tuple(Found(0, r, 0.05, bool(ok)) for r, ok in zip(raw, right, strict=True)), (400,), 16)

    def try_out(bundle, *_):
        assert bundle.calibration == RAW and bundle.depth_scale == expected
        return trial

    monkeypatch.setattr(calibrate, "try_out", try_out)
    monkeypatch.setattr(calibrate, "distance_factor", lambda *_: 0.95)
    tiny_bundle.depth_scale, expected = 0.9, 0.9
    kept = calibrate.calibrate(tiny_bundle, [brick], 3, 16, keep_distances=True)
    assert kept.depth_scale == tiny_bundle.depth_scale == 0.9 and kept.trial is trial
    assert tiny_bundle.calibration == calibration_of(trial) != Calibration()
    expected = 0.95
    assert calibrate.calibrate(tiny_bundle, [brick], 3, 16).depth_scale == tiny_bundle.depth_scale == 0.95


@pytest.mark.parametrize(("method", "expected"), [("pnp", 1 / 1.05), ("regression", 1.0)])
def test_the_distance_factor_takes_back_a_common_error(tiny_bundle, brick, monkeypatch, method, expected):
    """Of a network that puts every object a twentieth too far away; without PnP it cannot be told."""
    true = calibrate.true_frames(tiny_bundle, [brick], 3 + calibrate.DISTANCE_SEED, 8)
    distances = [pose[2, 3] for frame in true for pose in frame.cam_from_obj[frame.visible]]

    def look(self, frame, places, refined):
        assert not refined
        estimates = []
        for name, box in places:
            assert name == "brick" and (box[2:] > box[:2]).all()
            pose = np.eye(4)
            pose[2, 3] = 1.05 * distances.pop(0)
            estimates.append(PoseEstimate(tiny_bundle.objects[0], pose, np.eye(6), 0.5, method, box))
        return estimates

    monkeypatch.setattr(calibrate, "LEAST_DISTANCES", 4)
    monkeypatch.setattr(calibrate.PoseEstimator, "look", look)
    assert calibrate.distance_factor(tiny_bundle, [brick], 3, 8) == pytest.approx(expected, abs=1e-4)
    assert not distances


def test_the_command_writes_what_it_measured_into_the_bundle(tiny_bundle, brick, tmp_path, monkeypatch):
    """An untrained network's scores are all worth nothing."""
    monkeypatch.setattr(calibrate, "GROUP", 4)
    path, figure = tmp_path / "brick.safetensors", tmp_path / "scores.png"
    tiny_bundle.save(path)
    path.with_suffix(".md").write_text("# brick\n")
    for name, content in ply_files(brick, "brick").items():
        (tmp_path / name).write_bytes(content)
    app = typer.Typer()
    add_commands(app)
    arguments = [
        "calibrate",
        str(path),
        "--mesh",
        str(tmp_path / "brick.ply"),
        "--unit",
        "mm",
        "--frames",
        "16",
        "--name",
        "brick",
        "--models-info",
        str(tmp_path / "models_info.json"),
    ]
    about = {"diameter": 200, **{f"{word}_{axis}": 100 for word in ("min", "size") for axis in "xyz"}}
    about["symmetries_continuous"] = [{"axis": [0, 0, 1], "offset": [0, 0, 0]}]
    (tmp_path / "models_info.json").write_text(json.dumps({str(tiny_bundle.objects[0].obj_id): about}))
    result = CliRunner().invoke(app, [*arguments, "--figure", str(figure)])
    assert result.exit_code == 0, result.output
    assert "16 synthetic frames" in result.output and figure.exists()
    calibrated = Bundle.load(path)
    assert calibrated.calibration.probability(0.3) < 0.2
    assert len(calibrated.objects[0].symmetries) == 314  # any turn
    assert "| measured on 16 synthetic frames" in path.with_suffix(".md").read_text()
    result = CliRunner().invoke(app, [*arguments, "--measure-only", "--seed", "7"])
    assert result.exit_code == 0, result.output
    again = Bundle.load(path)
    assert again.calibration == calibrated.calibration and again.depth_scale == calibrated.depth_scale
    assert again.metrics != calibrated.metrics
    for wrong in (["--unit", "m"], ["--name", "another"], ["--out", str(tmp_path)], ["--figure", "scores.pdf"]):
        assert isinstance(CliRunner().invoke(app, [*arguments, *wrong]).exception, InputError)


def test_symmetries_are_taken_from_a_models_info(tiny_bundle, tmp_path):
    path = tmp_path / "models_info.json"
    about = {"diameter": 200, **{f"{word}_{axis}": 100 for word in ("min", "size") for axis in "xyz"}}
    half_turn = [-1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    (known,) = tiny_bundle.objects
    path.write_text(json.dumps({str(known.obj_id): about | {"symmetries_discrete": [half_turn]}}))
    calibrate.take_symmetries(tiny_bundle, path)
    np.testing.assert_allclose(tiny_bundle.objects[0].symmetries, [np.reshape(half_turn, (4, 4))])
    path.write_text(json.dumps({str(known.obj_id): about}))
    calibrate.take_symmetries(tiny_bundle, path)
    assert not len(tiny_bundle.objects[0].symmetries)
    path.write_text(json.dumps({"77": about}))
    with pytest.raises(InputError, match=rf"expected one of the bundle's objects \({known.obj_id}\), got 77"):
        calibrate.take_symmetries(tiny_bundle, path)


def test_poses_with_depth_are_calibrated_apart(monkeypatch, tiny_bundle, brick):
    """Each from its own trial; the one with depth leaves out poses that depth said nothing of."""
    rng = np.random.default_rng(5)

    def found(scale, depth):
        raw, right = draw(rng, 400)
        chi = scale * rng.chisquare(6, 400)
        return [
            Found(0, r, 0.05, bool(ok), mahalanobis=float(d), depth=depth)
            for r, ok, d in zip(raw, right, chi, strict=True)
        ]

    def trial(bundle, meshes, seed, frames, config, device, threshold, progress, sensor=None):
        return Trial(tuple(found(2.0, True) + found(50.0, False) if sensor else found(9.0, False)), (400,), frames)

    monkeypatch.setattr(calibrate, "try_out", trial)
    calibrate.calibrate(tiny_bundle, [brick], 1, 16, keep_distances=True)
    assert tiny_bundle.rgbd_calibration == RGBD_CALIBRATION
    calibrate.calibrate(tiny_bundle, [brick], 1, 16, keep_distances=True, sensor=SensorDepth())
    assert tiny_bundle.calibration.covariance_scale == pytest.approx(9, rel=0.2)
    assert tiny_bundle.rgbd_calibration.covariance_scale == pytest.approx(2, rel=0.2)
    assert tiny_bundle.rgbd_calibration.at_most == RGBD_CALIBRATION


def test_only_poses_with_depth_are_calibrated(tiny_bundle, brick, tmp_path):
    """All else in the bundle stays, bit by bit; the figures with depth stand beside those of the image."""
    tiny_bundle.calibration, tiny_bundle.depth_scale = Calibration(((0.0, 0.0), (1.0, 0.9)), 2.0), 1.01
    tiny_bundle.metrics = {"frames": 320, "objects": 400, "found_within_0.1d": 0.5}
    path = tmp_path / "brick.safetensors"
    tiny_bundle.save(path)
    before = path.read_bytes()
    for name, content in ply_files(brick, "brick").items():
        (tmp_path / name).write_bytes(content)
    app = typer.Typer()
    add_commands(app)
    mesh = str(tmp_path / "brick.ply")
    arguments = ["calibrate", str(path), "--mesh", mesh, "--unit", "mm", "--frames", "16", "--only-depth"]
    assert isinstance(CliRunner().invoke(app, arguments).exception, InputError)
    assert path.read_bytes() == before
    done = CliRunner().invoke(app, [*arguments, "--sensor", "mixed"])
    assert done.exit_code == 0, done.output
    after = Bundle.load(path)
    assert (after.calibration, after.depth_scale) == (tiny_bundle.calibration, tiny_bundle.depth_scale)
    assert after.metrics.pop("rgbd")["frames"] == 16 and after.metrics == tiny_bundle.metrics
    header = 8 + int.from_bytes(before[:8], "little")
    after.metrics = tiny_bundle.metrics
    after.rgbd_calibration = RGBD_CALIBRATION
    after.save(path)
    assert path.read_bytes()[header:] == before[header:]


def test_the_factor_that_poses_with_depth_get_is_told(tiny_bundle, brick, tmp_path):
    """A measured factor below 1 stays in the bundle, but covariances with depth are not scaled down."""
    tiny_bundle.rgbd_calibration = Calibration(covariance_scale=0.5)
    path = tmp_path / "brick.safetensors"
    tiny_bundle.save(path)
    for name, content in ply_files(brick, "brick").items():
        (tmp_path / name).write_bytes(content)
    app = typer.Typer()
    add_commands(app)
    arguments = ["calibrate", str(path), "--mesh", str(tmp_path / "brick.ply"), "--unit", "mm", "--frames", "16"]
    done = CliRunner().invoke(app, [*arguments, "--only-depth", "--measure-only", "--sensor", "mixed"])
    assert "covariance x 1 (measured: 0.5)" in " ".join(done.output.split())
    assert Bundle.load(path).rgbd_calibration.covariance_scale == 0.5
