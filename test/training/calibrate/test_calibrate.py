"""What is learnt of scores and covariances from synthetic frames."""

from dataclasses import replace

import numpy as np
import pytest
import trimesh
import typer
from scipy.spatial.transform import Rotation
from scipy.stats import chi2
from typer.testing import CliRunner

from pose_regressor.network.bundle import Bundle
from pose_regressor.network.calibration import Calibration
from pose_regressor.types import InputError, PoseEstimate
from pose_regressor_training.bop.ply import ply_files
from pose_regressor_training.calibrate import calibrate
from pose_regressor_training.calibrate import crops as evaluate
from pose_regressor_training.calibrate.calibrate import RAW, Found, Trial, score_map, try_out
from pose_regressor_training.cli import add_commands
from pose_regressor_training.meshes.mesh import Mesh
from pose_regressor_training.randomize.config import RandomizeConfig

CONFIG = RandomizeConfig.from_dict({"background": {"pictures": 4}, "clutter": {"shapes": 8}})


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
        trials.append(Trial(tuple(Found(raw, 0.05, bool(right), np.nan) for raw, right in pairs), 1))
    calibration = trials[0].calibration()
    before, after = (trials[1].summary(c, 0.5)["ece"] for c in (RAW, calibration))
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
    trial = Trial(tuple(Found(0.5, 0.05, True, float(d)) for d in distances), 4000)
    assert trial.calibration().covariance_scale == pytest.approx(3, rel=0.05)
    assert trial.held(trial.calibration(), 0.5) == pytest.approx(0.5, abs=0.03)


def test_too_few_poses_change_nothing():
    assert Trial((Found(0.5, 0.05, True, 1.0),) * 20, 20).calibration() == Calibration()


def test_poses_are_judged_by_their_nearest_equal(tiny_bundle):
    """A half turn that nobody can see is right and within its ellipsoid; a second estimate for the same object is not
    right; and without an object nothing is."""
    flip = np.diag([-1.0, -1, 1, 1])
    model = replace(tiny_bundle.objects[0], symmetries=flip[None])
    truth = np.eye(4)
    truth[:3, :3] = Rotation.from_rotvec((0.3, 0.2, 0.1)).as_matrix()
    truth[:3, 3] = 0, 0, 1
    moved = truth @ flip
    moved[0, 3] += 0.01
    covariance = np.diag([0.01, 0.01, 0.01, 0.1, 0.1, 0.1]) ** 2
    estimates = [PoseEstimate(model, moved, covariance, value, "pnp", np.zeros(4)) for value in (0.9, 0.8)]
    first, second = calibrate._judged(estimates, truth[None], model)
    assert (first.raw, first.right, second.right) == (0.9, True, False)
    assert first.held == pytest.approx(1)
    assert first.share < 0.1 and first.held < chi2.ppf(0.95, 6)
    (none,) = calibrate._judged(estimates[:1], np.zeros((0, 4, 4)), model)
    assert not none.right and none.share == np.inf and np.isnan(none.held)


def brick(bundle):
    box = trimesh.creation.box(2 * bundle.objects[0].bounds[1])
    grey = np.full((8, 3), 99, np.uint8)
    return Mesh(box.vertices.astype(np.float32), box.faces.astype(np.int32), None, None, grey)


def test_a_bundle_is_tried_out_on_frames_of_its_own(tiny_bundle):
    """The same frames from the same seed; the mesh must be the bundle's."""
    mesh = brick(tiny_bundle)
    done = []
    trial = try_out(tiny_bundle, [mesh], 3, 10, CONFIG, progress=done.append)
    assert done == list(range(1, 11)) and trial.objects > 3
    again = try_out(tiny_bundle, [mesh], 3, 10, CONFIG)
    assert [f.raw for f in again.found] == [f.raw for f in trial.found] and again.objects == trial.objects
    assert tiny_bundle.calibration == Calibration()
    with pytest.raises(InputError, match="expected those of 1 objects, got 2"):
        try_out(tiny_bundle, [mesh, mesh], 3, 2, CONFIG)
    with pytest.raises(InputError, match="mesh of brick: expected the one it was trained on, of 200 x 100 x 60 mm"):
        try_out(tiny_bundle, [replace(mesh, vertices=2 * mesh.vertices)], 3, 2, CONFIG)


def test_the_command_writes_what_it_measured_into_the_bundle(tiny_bundle, tmp_path, monkeypatch):
    """An untrained network's scores are all worth nothing."""
    monkeypatch.setattr(evaluate, "RANDOMIZE", CONFIG)
    monkeypatch.setattr(calibrate, "GROUP", 4)
    path, figure = tmp_path / "brick.safetensors", tmp_path / "scores.png"
    tiny_bundle.save(path)
    for name, content in ply_files(brick(tiny_bundle), "brick").items():
        (tmp_path / name).write_bytes(content)
    app = typer.Typer()
    add_commands(app)
    arguments = ["calibrate", str(path), "--mesh", str(tmp_path / "brick.ply"), "--unit", "mm", "--frames", "16"]
    result = CliRunner().invoke(app, [*arguments, "--figure", str(figure)])
    assert result.exit_code == 0, result.output
    assert "objects, threshold 0.15" in result.output and figure.exists()
    calibration = Bundle.load(path).calibration
    assert calibration.probability(0.3) < 0.2
    for wrong in (["--unit", "m"], ["--out", str(tmp_path)], ["--figure", "scores.pdf"]):
        assert isinstance(CliRunner().invoke(app, [*arguments, *wrong]).exception, InputError)


def test_a_bundle_whose_photographs_are_elsewhere_is_calibrated(tiny_bundle):
    tiny_bundle.training["randomize"] = {"background": {"folder": "/nowhere"}, "pose": {"roll": [-10, 10]}}
    assert evaluate.randomization(tiny_bundle).pose.roll == (-10, 10)
