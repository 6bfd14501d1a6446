"""Training goes on where it was stopped, refuses what does not fit, and writes a bundle that loads."""

import pytest
import torch
import trimesh
import typer
from typer.testing import CliRunner

from pose_regressor.model.bundle import Bundle
from pose_regressor.model.config import NetworkConfig
from pose_regressor.types import InputError
from pose_regressor_training import evaluate
from pose_regressor_training.cli import add_commands
from pose_regressor_training.objects import make_box
from pose_regressor_training.randomize.background import BackgroundPart
from pose_regressor_training.randomize.config import RandomizeConfig
from pose_regressor_training.render.mesh import load_mesh, object_model
from pose_regressor_training.trainer import TrainConfig, Trainer

NETWORK = NetworkConfig(width=8, blocks=(1, 1, 1, 1))


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    return load_mesh(make_box(tmp_path_factory.mktemp("box")), "m")


#: Few pictures, which are drawn in no time.
RANDOMIZE = RandomizeConfig(background=BackgroundPart(pictures=20))


@pytest.fixture(autouse=True)
def few_pictures_to_evaluate_on(monkeypatch):
    monkeypatch.setattr(evaluate, "RANDOMIZE", RANDOMIZE)


def trainer(mesh, state, **changes) -> Trainer:
    config = TrainConfig(**({"samples": 64, "batch_size": 8, "workers": 0} | changes))
    return Trainer(mesh, object_model(mesh, "box", 1), NETWORK, config, state, randomize=RANDOMIZE)


class Killed(Exception):
    pass


def kill(step, terms):
    raise Killed


def test_a_killed_training_ends_with_the_same_weights(mesh, tmp_path):
    whole = trainer(mesh, tmp_path / "whole").run(lambda *_: None)
    first = trainer(mesh, tmp_path / "state", samples=64)
    steps = first._train_step
    first._train_step = lambda batch: steps(batch) if first.step < 5 else kill(0, {})
    with pytest.raises(Killed):
        first.run(lambda *_: None, save_every=1)
    second = trainer(mesh, tmp_path / "state")
    second.resume()
    assert second.step == 5
    resumed = second.run(lambda *_: None)
    for (name, a), b in zip(whole.network.state_dict().items(), resumed.network.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4, msg=name)
    resumed.save(tmp_path / "box.safetensors")
    assert Bundle.load(tmp_path / "box.safetensors").training["samples_seen"] == 64


def test_loss_falls(mesh, tmp_path):
    seen = []
    trainer(mesh, tmp_path / "s", samples=1600).run(lambda step, terms: seen.append(terms))
    assert sum(seen[-1].values()) < 0.7 * sum(seen[0].values())


def test_a_foreign_state_is_refused(mesh, tmp_path):
    one = trainer(mesh, tmp_path / "state")
    one.save_state()
    with pytest.raises(InputError, match="belongs to another training"):
        trainer(mesh, tmp_path / "state", seed=7).resume()
    (tmp_path / "state").write_bytes(b"rubbish")
    with pytest.raises(InputError, match="cannot be read"):
        one.resume()


@pytest.mark.parametrize("values", [{"samples": 0}, {"batch_size": -1}, {"learning_rate": 0.0}, {"workers": -1}])
def test_bad_settings_are_named(values):
    with pytest.raises(InputError, match=next(iter(values))):
        TrainConfig(**values)


def test_meshes_that_cannot_be_used(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load_mesh(tmp_path / "none.obj", "m")
    (tmp_path / "empty.obj").write_text("")
    with pytest.raises(InputError, match=r"empty.obj"):
        load_mesh(tmp_path / "empty.obj", "m")
    (tmp_path / "junk.ply").write_bytes(b"ply\nrubbish")
    with pytest.raises(InputError, match=r"junk.ply: cannot be read"):
        load_mesh(tmp_path / "junk.ply", "m")
    trimesh.creation.box((160, 110, 60)).export(tmp_path / "millimetres.ply")
    with pytest.raises(InputError, match="is the unit right"):
        load_mesh(tmp_path / "millimetres.ply", "m")
    assert load_mesh(tmp_path / "millimetres.ply", "mm").vertices.max() == pytest.approx(0.08)
    with pytest.raises(InputError, match="expected m or mm"):
        load_mesh(tmp_path / "millimetres.ply", "inch")
    (tmp_path / "nan.obj").write_text("v 0 0 nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    with pytest.raises(InputError, match="finite vertices"):
        load_mesh(tmp_path / "nan.obj", "m")


def test_the_command_trains_writes_bundle_and_card(tmp_path):
    app = typer.Typer()
    add_commands(app)
    config = tmp_path / "few.yaml"
    config.write_text("background: {pictures: 20}\n")
    out = tmp_path / "new" / "carton.safetensors"
    arguments = ["train", "--mesh", str(make_box(tmp_path)), "--out", str(out), "--name", "carton", "--samples", "64"]
    result = CliRunner().invoke(app, [*arguments, "--workers", "0", "--device", "cpu", "--config", str(config)])
    assert result.exit_code == 0, result.output
    bundle = Bundle.load(out)
    assert bundle.objects[0].name == "carton" and bundle.training["randomize"] == {"background": {"pictures": 20}}
    assert "no real image" in out.with_suffix(".md").read_text()
    assert sorted(path.suffix for path in out.parent.iterdir()) == [".jsonl", ".md", ".safetensors"]
