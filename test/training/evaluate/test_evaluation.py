"""A small BOP dataset written by hand, and what the evaluation says of results for it."""

import json
import shutil

import numpy as np
import pytest
import trimesh
import typer
from small_bop_set import DIAMETER, EXACT, at, build, write
from typer.testing import CliRunner

from pose_regressor.types import InputError
from pose_regressor_training.cli import add_commands
from pose_regressor_training.evaluate.dataset import open_dataset
from pose_regressor_training.evaluate.judge import Judge, false_alarms
from pose_regressor_training.evaluate.results import read_results
from pose_regressor_training.evaluate.scores import score


@pytest.fixture
def dataset(tmp_path):
    return build(tmp_path / "set")


def evaluated(dataset, tmp_path, rows):
    opened = open_dataset(dataset)
    return score(opened, Judge(opened).judge(read_results(write(tmp_path / "poses.csv", rows))))


def test_what_is_to_be_found(dataset):
    """Without a list of targets, all that are visible to a tenth; with one, as many of the most visible as it says."""
    opened = open_dataset(dataset)
    assert [(t.im_id, t.obj_id, t.count, t.wanted.tolist()) for t in opened.targets] == [
        (3, 1, 1, [True]), (3, 2, 1, [True]), (5, 1, 1, [False, True])]  # fmt: skip
    assert opened.has_depth and opened.objects[2].symmetric and not opened.objects[1].symmetric
    assert opened.objects[1].diameter == pytest.approx(DIAMETER)
    targets = [{"scene_id": 7, "im_id": 5, "obj_id": 1, "inst_count": 2}]
    (dataset / "test_targets_bop19.json").write_text(json.dumps(targets))
    (target,) = open_dataset(dataset).targets
    assert target.wanted.all()


def test_exact_poses_are_all_right(dataset, tmp_path):
    """The symmetric object's turned by its symmetry."""
    scores = evaluated(dataset, tmp_path, EXACT)
    for figures in (*scores.objects.values(), scores.mean):
        for name in ("found", "add(-s)_0.02d", "auc", "5deg_5cm", "vsd_recall", "mssd_recall", "mspd_recall", "ar"):
            # ADD-S is over points of the surface, which after a half turn lie between each other.
            assert figures[name] == pytest.approx(1, abs=0.02 if name == "auc" else 1e-6), name
        assert figures["rotation_degrees_mean"] == pytest.approx(0, abs=1e-5)
        assert figures["translation_share_mean"] == pytest.approx(0, abs=1e-6)
    assert scores.objects[2]["add_0.1d"] == 0 and scores.objects[2]["add_s_0.1d"] == 1
    assert scores.bop["ar"] == pytest.approx(1) and (scores.scored[:, 1] == 1).all()


def test_a_known_shift_has_the_figures_that_follow_from_it(dataset, tmp_path):
    """Object 1 off by 0.18 diameters along the ray in one of its two images and exact in the other."""
    shift = at(0)
    shift[2, 3] += 0.18 * DIAMETER
    scores = evaluated(dataset, tmp_path, [(3, 1, 0.9, shift), *EXACT[1:]])
    one = scores.objects[1]
    assert one["targets"] == 2 and one["add(-s)_0.1d"] == 0.5
    assert one["mssd_recall"] == pytest.approx((1 + 7 / 10) / 2)  # thresholds 0.2 to 0.5 of 0.05 to 0.5
    assert one["auc"] == pytest.approx((1 + 1 - 0.18 * DIAMETER / 0.1) / 2)
    assert one["5deg_5cm"] == 1 and one["translation_share_mean"] == pytest.approx(0.09 * DIAMETER)
    assert scores.bop["mssd_recall"] == pytest.approx((1 + 1 + 7 / 10) / 3)
    assert scores.mean["add(-s)_0.1d"] == 0.75
    assert sorted(scores.scored.tolist()) == [[0.8, 1], [0.9, 0], [0.9, 1]]


def test_what_is_missing_and_what_is_too_much(dataset, tmp_path):
    """Only the best of several counts, an object that was not asked for is no false alarm, missing ones are misses."""
    far = at(0.4)
    rows = [(3, 1, 0.2, at(0)), (3, 1, 0.9, far), (5, 1, 0.9, at(-0.1)), (5, 1, 0.5, at(0.1))]
    scores = evaluated(dataset, tmp_path, rows)
    assert scores.objects[1]["found"] == 1 and scores.objects[1]["add(-s)_0.1d"] == 0
    assert scores.objects[2]["found"] == 0 and np.isnan(scores.objects[2]["rotation_degrees_mean"])
    assert scores.to_json()["objects"]["2"]["rotation_degrees_mean"] is None
    assert sorted(scores.scored.tolist()) == [[0.2, 1], [0.5, 1], [0.9, 0], [0.9, 1]]


def test_without_depth_there_is_no_vsd(dataset, tmp_path):
    for path in (dataset / "test" / "000007" / "depth").iterdir():
        path.unlink()
    scores = evaluated(dataset, tmp_path, EXACT)
    assert "vsd_recall" not in scores.bop and "ar" not in scores.bop and scores.bop["mspd_recall"] == 1


def run(*arguments):
    """`evaluate` on the command line; what it printed."""
    app = typer.Typer()
    add_commands(app)
    result = CliRunner().invoke(app, ["evaluate", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.output


def test_what_is_found_where_it_is_not_is_wrong(dataset, tmp_path):
    """Object 2 is not in image 5; of object 9 and of image 8 nothing is known."""
    opened = open_dataset(dataset)
    alarms = [(5, 2, 0.7, at(0)), (5, 9, 0.7, at(0)), (8, 1, 0.7, at(0))]
    results = read_results(write(tmp_path / "poses.csv", [*EXACT, *alarms]))
    assert false_alarms(opened, results) == [(0.7, False)]
    scores = score(opened, Judge(opened, with_vsd=False).judge(results), false_alarms(opened, results))
    assert len(scores.scored) == len(EXACT) + 1 and scores.scored[:, 1].sum() == len(EXACT)
    run("--dataset", dataset, "--csv", tmp_path / "poses.csv", "--out", tmp_path, "--no-figures")
    assert sum(json.loads((tmp_path / "report.json").read_text())["reliability"]["count"]) == len(EXACT) + 1


@pytest.mark.parametrize("value", [-1, 37.5])
def test_scores_that_are_no_probabilities(dataset, tmp_path, value):
    path = write(tmp_path / "poses.csv", [(im, obj, value, pose) for im, obj, _, pose in EXACT])
    said = run("--dataset", dataset, "--csv", path, "--out", tmp_path / "out")
    assert "their scores are not in [0, 1]" in " ".join(said.split())
    assert "reliability" not in json.loads((tmp_path / "out" / "report.json").read_text())


def test_a_given_mesh_does_not_replace_the_datasets_own(dataset, tmp_path):
    other = tmp_path / "obj_000001.ply"
    trimesh.creation.box((50, 50, 50)).export(other)
    given = open_dataset(dataset, meshes=[other], unit="mm").objects[1]
    np.testing.assert_array_equal(given.mesh.vertices, open_dataset(dataset).objects[1].mesh.vertices)
    (dataset / "models" / "obj_000001.ply").unlink()
    assert np.ptp(open_dataset(dataset, meshes=[other], unit="mm").objects[1].mesh.vertices) == pytest.approx(0.05)


def test_folders_that_are_no_scenes_are_passed_over(dataset):
    shutil.copytree(dataset / "test" / "000007", dataset / "test" / "000007_old")
    assert {target.scene_id for target in open_dataset(dataset).targets} == {7}


@pytest.mark.parametrize("value", [None, "much", 0])
def test_depth_scales_that_are_none(dataset, value):
    path = dataset / "test" / "000007" / "scene_camera.json"
    path.write_text(
        json.dumps({im: entry | {"depth_scale": value} for im, entry in json.loads(path.read_text()).items()})
    )
    with pytest.raises(InputError, match="expected a depth_scale above 0 for image"):
        open_dataset(dataset)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("score", "scores"), "expected the columns scene_id"),
        (lambda text: text + "7,3,1,0.5\n", "line 5: expected 7 columns, got 4"),
        (lambda text: text.replace(",0.8,", ",much,"), "line 4: .*'much'"),
        (lambda text: text + "7,3,1,0.5,1 0 0 0 1 0 0 0,0 0 1,1\n", "line 5: expected 9 numbers in R, got 8"),
        (lambda text: text + "7,3,1,0.5,1 0 0 0 1 0 0 0 -1,0 0 1,1\n", "line 5: expected a rotation matrix"),
        (lambda text: text + "7,3,1,nan,1 0 0 0 1 0 0 0 1,0 0 1,1\n", "line 5: expected finite numbers in score"),
        (lambda text: "", "got nothing"),
        (lambda text: "{" + 200_000 * "1" + "}", "line 1: field larger than field limit"),
        (lambda text: text + '"' + 200_000 * "1", "line 5: field larger than field limit"),
    ],
)
def test_a_file_that_is_no_result_file_is_refused(tmp_path, change, message):
    path = write(tmp_path / "poses.csv", EXACT)
    path.write_text(change(path.read_text()))
    with pytest.raises(InputError, match=message) as error:
        read_results(path)
    assert str(path) in str(error.value)


def test_datasets_that_cannot_be_evaluated_say_why(dataset, tmp_path):
    with pytest.raises(InputError, match="expected a folder of scenes"):
        open_dataset(tmp_path)
    with pytest.raises(InputError, match="expected objects to find"):
        open_dataset(dataset, obj_ids=[9])
    (dataset / "models" / "obj_000002.ply").unlink()
    with pytest.raises(InputError, match=r"obj_000002.ply or a mesh of object 2 with --mesh"):
        open_dataset(dataset)
    assert list(open_dataset(dataset, obj_ids=[1]).objects) == [1]


def command(*arguments):
    app = typer.Typer()
    add_commands(app)
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


def test_the_command_prints_and_writes_a_report(dataset, tmp_path):
    csv = write(tmp_path / "poses.csv", [(3, 1, 0.9, at(0.03)), *EXACT[1:]])
    out = tmp_path / "out"
    result = command("--dataset", dataset, "--csv", csv, "--out", out)
    assert result.exit_code == 0, result.output
    assert "object_2*" in result.output and "BOP'19 AR" in result.output
    report = json.loads((out / "report.json").read_text())
    assert report["objects"]["2"]["add(-s)_0.1d"] == 1 and report["dataset"] == "set test"
    names = {path.name for path in out.iterdir()}
    assert names == {"report.json", "recall.png", "visibility.png", "calibration.png", "worst.jpg"}


def test_the_command_runs_a_bundle(dataset, tmp_path, tiny_bundle):
    """Untrained, it finds nothing; the tracker takes the same images."""
    tiny_bundle.save(tmp_path / "brick.safetensors")
    for method in ("frames", "tracker"):
        out = tmp_path / method
        result = command(
            "--dataset", dataset, "--model", tmp_path / "brick.safetensors", "--method", method, "--out", out
        )
        assert result.exit_code == 0, result.output
        report = json.loads((out / "report.json").read_text())
        assert list(report["objects"]) == ["1"] and report["objects"]["1"]["targets"] == 2
    assert isinstance(command("--dataset", dataset).exception, InputError)
