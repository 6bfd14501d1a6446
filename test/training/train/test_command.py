"""``pose-regressor train`` from meshes to bundle, card, log and report, and what it says of what cannot be."""

import numpy as np
import pytest
import torch
import typer
import yaml
from typer.testing import CliRunner

from pose_regressor.assets import find_model
from pose_regressor.network.bundle import Bundle
from pose_regressor.types import InputError
from pose_regressor_training.calibrate.trial import Found, Trial
from pose_regressor_training.cli import add_commands
from pose_regressor_training.processes.torchrun import World
from pose_regressor_training.test_objects import make_knob
from pose_regressor_training.train.callbacks import read_curve, tensorboard
from pose_regressor_training.train.command import in_words
from pose_regressor_training.train.config import load_preset
from pose_regressor_training.train.report import errors_figure
from pose_regressor_training.train.training import Training


@pytest.fixture
def train(make_training, tmp_path):
    """A function of arguments to the result of the command, with a preset of a second."""
    preset = make_training(tmp_path / "unused").config.to_dict()
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(preset))
    app = typer.Typer()
    add_commands(app)

    def run(*arguments):
        command = ["train", "--preset", str(tmp_path / "tiny.yaml"), "--device", "cpu", *map(str, arguments)]
        return CliRunner().invoke(app, command)

    return run


@pytest.mark.slow
def test_two_objects_in_one_bundle(train, box_file, tmp_path, few_pictures_to_evaluate_on):
    out = tmp_path / "new" / "both.safetensors"
    arguments = ["--mesh", box_file, "--mesh", make_knob(tmp_path), "--unit", "m", "--out", out, "--name", "carton"]
    arguments += ["--name", "knob", "--samples", 24, "--set", "losses.rotation=0", "--set", "log_every=1"]
    arguments += ["--set", "learning_rate=2e-3"]
    result = train(*arguments)
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "carton, id 1: 160 x 110 x 60 mm" in said and "knob, id 2:" in said and "3 symmetries" in said
    bundle = Bundle.load(out)
    assert [(model.name, model.obj_id, len(model.symmetries)) for model in bundle.objects] == [
        ("carton", 1, 0),
        ("knob", 2, 3),
    ]
    assert bundle.training["randomize"] == {"background": {"pictures": 4}, "clutter": {"shapes": 4}}
    assert bundle.training["samples_seen"] == 24 and bundle.training["losses"]["rotation"] == 0
    assert bundle.training["learning_rate"] == 0.002
    curve = read_curve(out.with_suffix(".report") / "log.jsonl")
    assert [entry["step"] for entry in curve] == [1, 2, 3] and "rotation" not in curve[0] and "pose" in curve[0]
    assert "no real image" in out.with_suffix(".md").read_text()
    assert sorted(path.name for path in out.parent.iterdir()) == ["both.md", "both.report", "both.safetensors"]
    report = (out.with_suffix(".report") / "report.md").read_text()
    for name in ("curves.png", "first_batch.jpg", "predictions.jpg"):
        assert f"]({name})" in report and (out.with_suffix(".report") / name).stat().st_size > 1000
    assert "| knob |" in report and "background: {pictures: 4}" in report

    again = tmp_path / "again.safetensors"
    result = train("--mesh", box_file, "--out", again, "--samples", 8, "--start-from", out)
    assert result.exit_code == 0, result.output
    assert "fresh are box_head.out.weight" in " ".join(result.output.split())
    assert Bundle.load(again).training["start"].startswith("both.safetensors, ")


def test_errors_of_what_was_found_have_a_figure():
    """An untrained network may find nothing, and then there is none."""
    found = [Found(0, 0.9, 0.02, True, rotation=np.radians(2), translation=0.004) for _ in range(3)]
    found += [Found(1, 0.8, 0.3, False, rotation=9.0, translation=1.0), Found(1, 0.7, np.inf, False)]
    figure = errors_figure(Trial(tuple(found), (3, 1), 2), ["box", "knob"])
    for axis in figure.axes:
        heights = np.array([bar.get_height() for bar in axis.patches]).reshape(2, -1)
        assert heights.sum(1).tolist() == [3, 1], "each but the false one"
    assert heights[0].argmax() == 2 and heights[1].argmax() == 24, "4 mm, and the last bar for the rest"


@pytest.mark.parametrize("preset", ["cpu", "quick"])
def test_presets_for_cpus_begin_with_a_shipped_network_that_fits(objects, tmp_path, preset):
    def make(**changes):
        few = {"background": {"pictures": 4}, "clutter": {"shapes": 4}}
        tiny = {"samples": 8, "batch_size": 4, "workers": 0, "randomize": few}
        return Training(objects, load_preset(preset, tiny | changes), tmp_path / "state", world=World())

    training = make()
    shipped = Bundle.load(find_model("box")).network.state_dict()
    assert training.begin() == f"starts from box: all {len(shipped)} tensors"
    for begun in (training.task.network, training.task.average.network):
        for name, value in shipped.items():
            assert torch.equal(begun.state_dict()[name], value), name
    assert training.run().training["start"].startswith("box.safetensors, all")
    other = make(start_from="none")
    with pytest.raises(InputError, match="start_from was box and is now none"):
        other.begin()
    assert other.begin(restart=True) == "starts from random weights"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--device", "cuda"], "cuda"),
        (["--preset", "nowhere"], "preset nowhere: no such file"),
        (["--config", "nowhere"], "nowhere: no such file"),
        (["--photos", "nowhere"], "--photos nowhere: expected an existing folder of photographs"),
        (["--set", "losses"], "--set losses: expected KEY=VALUE"),
        (["--set", "losses.mesk=1"], "losses.mesk: no such key"),
        (["--set", "samples.x=1"], "samples: expected a whole number"),
        (["--mesh", "none.obj", "--name", "a", "--name", "b"], "none.obj: no such file"),
        (["--mesh", "box.obj"], "different names"),
        (["--start-from", "none.safetensors"], "none.safetensors: no such model; expected a .safetensors file or"),
        (["--out", "/"], "/: expected a file to write, this is a folder"),
        (["--out", "."], ".: expected a file to write, this is a folder"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_is_written(train, box_file, tmp_path, arguments, words):
    if torch.cuda.is_available() and "cuda" in arguments:
        pytest.skip("this machine has CUDA")
    result = train("--mesh", box_file, "--out", tmp_path / "new" / "box.safetensors", *arguments)
    assert isinstance(result.exception, InputError) and words in str(result.exception)
    assert "\n" not in str(result.exception) and not (tmp_path / "new").exists()


def test_tensorboard_has_every_term_and_goes_on_where_the_training_does(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    first = tensorboard(tmp_path, 0)
    for step in (2, 4, 6):
        first(step, {"mask": 1.0 * step, "pose": 0.5})
    again = tensorboard(tmp_path, 4)  # killed after step 6, when the state was that of step 4
    again(6, {"mask": 60.0, "pose": 0.5})
    events = EventAccumulator(str(tmp_path)).Reload()
    assert sorted(events.Tags()["scalars"]) == ["loss/mask", "loss/pose"]
    assert [(event.step, event.value) for event in events.Scalars("loss/mask")] == [(2, 2.0), (4, 4.0), (6, 60.0)]


@pytest.mark.parametrize(
    ("seconds", "words"), [(3, "1 min"), (1700, "28 min"), (3600, "1 h 0 min"), (6660, "1 h 51 min")]
)
def test_durations(seconds, words):
    assert in_words(seconds) == words
