"""int8 for a bundle: ranges from what the network saw, and a comparison that decides."""

from dataclasses import replace

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from pose_regressor.assets import find_model
from pose_regressor.network import engines
from pose_regressor.network.bundle import Bundle
from pose_regressor.network.quantization import convolutions
from pose_regressor.network.weights import Weights
from pose_regressor.types import InputError
from pose_regressor_training.calibrate import quantize
from pose_regressor_training.calibrate.quantize import error_ratios, verdict
from pose_regressor_training.calibrate.trial import Found, Trial
from pose_regressor_training.cli import add_commands
from pose_regressor_training.meshes.mesh import load_mesh
from pose_regressor_training.test_objects import make_box


@pytest.fixture(autouse=True)
def int8_is_here():
    pytest.importorskip("openvino")
    if not engines.has_int8():
        pytest.skip("this CPU does not compute in 8 bits")


@pytest.fixture
def box():
    """The shipped bundle without ranges."""
    return replace(Bundle.load(find_model("box")), quantization=None)


@pytest.fixture
def few_frames(monkeypatch):
    """In so few frames a lost object is several percent."""
    monkeypatch.setattr(quantize, "MOST_LOST", 0.2)


def trial(found, rotation=0.01, translation=0.002, objects=500):
    """Every second pose is ten times as far off."""
    return Trial(
        tuple(
            Found(0, 0.9, 0.02, True, rotation=rotation * size, translation=translation * size, place=place)
            for place, size in zip(range(found), (1, 10) * found, strict=False)
        ),
        (objects,),
        500,
    )


@pytest.mark.parametrize(
    ("whole", "precise"),
    [
        (trial(400), True),
        (trial(395), True),
        (trial(394), None),
        (trial(0), None),
        (trial(450, rotation=0.0104), True),
        (trial(450, rotation=0.0106), False),
        (trial(450, translation=0.00211), False),
    ],
)
def test_the_verdict(whole, precise):
    """At most one in a hundred objects may be lost; errors more than a twentieth larger are not precise."""
    given = verdict({}, trial(400), whole)
    assert (given and given.precise) is precise


def test_errors_are_compared_object_by_object():
    """Those that only one of the two finds do not count, however far off they are."""
    exact, whole = trial(40), trial(60, rotation=0.02, translation=0.001)
    far = Found(0, 0.9, 0.09, True, rotation=0.5, translation=0.05, place=999)
    exact = replace(exact, found=(*exact.found, far))
    assert error_ratios(exact, whole) == pytest.approx((2, 0.5))
    assert np.isnan(error_ratios(trial(0), whole)).all()


def test_a_network_that_finds_nothing_gets_none(tiny_bundle, brick):
    outcome = quantize.quantize(tiny_bundle, [brick], 1, 16)
    assert tiny_bundle.quantization is None and "not offered" in outcome.in_words()


def test_only_ranges_are_added(box, tmp_path, few_frames):
    """All else in the bundle stays, bit by bit."""
    path, mesh = tmp_path / "box.safetensors", str(make_box(tmp_path / "mesh"))
    box.save(path)
    before = path.read_bytes()
    app = typer.Typer()
    add_commands(app)
    arguments = ["calibrate", str(path), "--mesh", mesh, "--unit", "m", "--frames", "16", "--only-int8"]
    assert isinstance(CliRunner().invoke(app, [*arguments, "--measure-only"]).exception, InputError)
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0 and "int8: offered" in done.output, done.output
    loaded = Bundle.load(path)
    assert loaded.quantization and set(loaded.quantization.ranges) == set(convolutions(box.config, 1))
    replace(loaded, quantization=None).save(path)
    assert path.read_bytes() == before


def test_a_network_that_int8_spoils_gets_none(box, tmp_path, few_frames):
    """One channel is 3,000 times as large as the others, and then made small again: in float32 nothing changes."""
    mesh = load_mesh(make_box(tmp_path), "m")
    arrays = {name: value.copy() for name, value in box.weights.arrays.items()}
    channel = int(arrays["backbone.layer2.0.bn1.bias"].argmax())
    for part in ("weight", "bias"):
        arrays[f"backbone.layer2.0.bn1.{part}"][channel] *= 3_000
    arrays["backbone.layer2.0.conv2.weight"][:, channel] /= 3_000
    spoiled = replace(box, weights=Weights(box.config, 1, arrays))
    outcome = quantize.quantize(spoiled, [mesh], 1, 16)
    assert outcome.exact and outcome.whole and spoiled.quantization is None
    exact, whole = (sum(found.right for found in one.found) for one in (outcome.exact, outcome.whole))
    assert exact > 10 and whole < exact / 2
    assert "int8: not offered: finds (in float32)" in outcome.in_words()
