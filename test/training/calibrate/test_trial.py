"""Poses found in synthetic frames are compared with the true ones, and make a bundle's figures and its card."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from scipy.stats import chi2

from pose_regressor.network.bundle import Bundle
from pose_regressor.network.calibration import Calibration
from pose_regressor.types import Camera, Frame, InputError, PoseEstimate
from pose_regressor_training.calibrate.frames import TrueFrame, randomization, true_frames
from pose_regressor_training.calibrate.metrics import measure, metrics_of, metrics_table, with_metrics
from pose_regressor_training.calibrate.trial import Found, Trial, judged, try_out
from pose_regressor_training.samples.sensor_depth import SensorDepth


def true_frame(*poses, visible=True):
    image = np.zeros((48, 64, 3), np.uint8)
    frame = Frame(image, Camera(64, 48, np.array([[60.0, 0, 32], [0, 60, 24], [0, 0, 1]])))
    count = len(poses)
    return TrueFrame(frame, np.zeros(count, int), np.array(poses).reshape(-1, 4, 4), np.full(count, visible))


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
    estimates = [PoseEstimate(model, moved, covariance, value, "pnp", np.zeros(4)) for value in (0.8, 0.9)]
    first, second = judged([model], estimates, true_frame(truth))
    assert (first.score, first.right, second.right) == (0.9, True, False)
    assert first.mahalanobis == pytest.approx(1)
    assert first.error < 0.1 and first.mahalanobis < chi2.ppf(0.95, 6)
    assert first.translation == pytest.approx(0.01) and first.rotation == pytest.approx(0, abs=1e-6)
    (hidden,) = judged([model], estimates[:1], true_frame(truth, visible=False))
    assert hidden.right and not hidden.visible
    (none,) = judged([model], estimates[:1], true_frame())
    assert not none.right and none.error == np.inf and np.isnan(none.mahalanobis)


def test_a_bundle_is_tried_out_on_frames_of_its_own(tiny_bundle, brick):
    """The same frames from the same seed; the mesh must be the bundle's."""
    done = []
    trial = try_out(tiny_bundle, [brick], 3, 10, threshold=0.0, progress=done.append)
    assert done == list(range(1, 11)) and trial.objects[0] > 3 and trial.frames == 10
    again = try_out(tiny_bundle, [brick], 3, 10, threshold=0.0)
    assert [f.score for f in again.found] == [f.score for f in trial.found] and again.objects == trial.objects
    assert tiny_bundle.calibration == Calibration()
    with pytest.raises(InputError, match="expected those of 1 objects, got 2"):
        try_out(tiny_bundle, [brick, brick], 3, 2)
    with pytest.raises(InputError, match="mesh of brick: expected the one it was trained on, of 200 x 100 x 60 mm"):
        try_out(tiny_bundle, [replace(brick, vertices=2 * brick.vertices)], 3, 2)


def test_a_bundle_whose_photographs_are_elsewhere_is_tried_out(tiny_bundle):
    tiny_bundle.training["randomize"] = {"background": {"folder": "/nowhere"}, "pose": {"roll": [-10, 10]}}
    assert randomization(tiny_bundle).pose.roll == (-10, 10)


#: Of four objects in ten frames: one found precisely, one roughly, a hidden one too, one half a diameter off, a ghost.
TRIAL = Trial(
    (
        Found(0, 0.9, 0.02, True, rotation=np.radians(1), translation=0.002, mahalanobis=1.0),
        Found(0, 0.8, 0.08, True, rotation=np.radians(3), translation=0.004, mahalanobis=100.0),
        Found(0, 0.7, 0.08, True, visible=False, rotation=np.radians(5), translation=0.006),
        Found(0, 0.6, 0.4, False, visible=False, rotation=1.0, translation=0.05),
        Found(0, 0.5, np.inf, False, visible=False),
    ),
    objects=(4,),
    frames=10,
)


def test_metrics_are_shares_of_objects_and_of_poses():
    assert metrics_of(TRIAL) == {
        "frames": 10,
        "objects": 4,
        "found_within_0.1d": 0.5,
        "found_within_0.05d": 0.25,
        "poses_within_0.1d": 0.6,
        "false_poses_per_frame": 0.1,
        "median_rotation_error_deg": 3.0,
        "median_translation_error_mm": 4.0,
        "expected_calibration_error": pytest.approx((0.1 + 0.2 + 0.3 + 0.6 + 0.5) / 5),
        "inside_95_percent_ellipsoid": 0.5,
    }
    assert metrics_of(Trial((), (0,), 10)) == {"frames": 10, "objects": 0, "false_poses_per_frame": 0.0}


def test_measuring_changes_nothing_but_the_metrics(tiny_bundle, brick, tmp_path):
    tiny_bundle.save(tmp_path / "before.safetensors")
    measure(tiny_bundle, [brick], 3, 2)
    assert tiny_bundle.metrics["frames"] == 2
    tiny_bundle.metrics = {"score": 0.0}
    tiny_bundle.save(tmp_path / "after.safetensors")
    assert (tmp_path / "before.safetensors").read_bytes() == (tmp_path / "after.safetensors").read_bytes()


def test_a_card_keeps_its_text_and_gets_the_table_of_today(tiny_bundle):
    card = "# brick\n\n- Distances by PnP are multiplied with 1.0005, so.\n\n{}\n\nMore words.\n\n| other | table |\n"
    old = "| scored on 512 further synthetic images | share |\n|---|---|\n| empty crops | 2.0 % |"
    tiny_bundle.metrics, tiny_bundle.depth_scale = metrics_of(TRIAL), 0.99
    table = metrics_table(tiny_bundle)
    assert table[0] == "| measured on 10 synthetic frames with 4 objects, score threshold 0.15 | value |"
    assert "| objects found with ADD below 0.1 diameters | 50.0 % |" in table
    expected = card.format("\n".join(table)).replace("1.0005", "0.99")
    assert with_metrics(card.format(old), tiny_bundle) == expected
    assert with_metrics(expected, tiny_bundle) == expected
    assert with_metrics("# brick\n", tiny_bundle) == "\n".join(["# brick", "", *table, ""])


def test_a_bundle_with_metrics_of_an_older_version_has_no_table(tiny_bundle):
    tiny_bundle.metrics = {"synthetic_add_0.1d": 0.7, "synthetic_false_alarms": 0.02}
    assert isinstance(tiny_bundle, Bundle) and metrics_table(tiny_bundle) == []


def test_frames_with_depth_are_the_same_frames(tiny_bundle, brick):
    """The image does not change, and the depth is that of the poses: the brick's nearest points are where it is."""
    sensor = SensorDepth("structured_light", holes=0.1, bias=0.0)
    plain = list(true_frames(tiny_bundle, [brick], 3, 6))
    measured = list(true_frames(tiny_bundle, [brick], 3, 6, sensor=sensor))
    for before, after in zip(plain, measured, strict=True):
        assert before.frame.depth is None and (after.frame.depth > 0).mean() > 0.5
        np.testing.assert_array_equal(before.frame.image, after.frame.image)
        for pose, visible in zip(after.cam_from_obj, after.visible, strict=True):
            column, row = (after.frame.camera.matrix @ pose[:3, 3] / pose[2, 3])[:2].round().astype(int)
            if visible and 0 <= row < 480 and 0 <= column < 640 and after.frame.depth[row, column]:
                assert after.frame.depth[row, column] < 1.03 * pose[2, 3]
