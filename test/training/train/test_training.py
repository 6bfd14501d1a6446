"""A training goes on where it was stopped, refuses what does not fit, and says what went wrong."""

import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from safetensors import safe_open

from pose_regressor.network.bundle import Bundle
from pose_regressor.types import InputError
from pose_regressor_training.train.callbacks import CurveFile, read_curve


def assert_same(one: Bundle, two: Bundle) -> None:
    torch.testing.assert_close(one.network.state_dict(), two.network.state_dict(), atol=1e-6, rtol=1e-5)


class AtStep(pl.Callback):
    """Does something once so many steps are done."""

    def __init__(self, step, act):
        self.step, self.act = step, act

    def on_train_batch_end(self, trainer, pl_module, *_):
        if pl_module.steps_done == self.step:
            self.act(pl_module)


@pytest.fixture(scope="module")
def whole(make_training, tmp_path_factory):
    """The bundle and the log of a training of eight steps that nothing interrupts."""
    folder = tmp_path_factory.mktemp("whole")
    bundle = make_training(folder / "state.safetensors").run([CurveFile(folder / "log", 0)])
    at_the_end = make_training(folder / "state.safetensors")
    at_the_end.resume()
    assert_same(at_the_end.run(), bundle)  # of a command that was stopped while it evaluated
    return bundle, read_curve(folder / "log")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_by_a_signal_it_goes_on_to_the_same_end(make_training, whole, tmp_path, number):
    """At a step at which no state is due, in the middle of an interval of the log."""
    state, log = tmp_path / "state.safetensors", tmp_path / "log"
    first = make_training(state, save_every=100)
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            first.run([CurveFile(log, 0)], [AtStep(5, lambda _: signal.raise_signal(number))])
    finally:
        signal.signal(signal.SIGTERM, before)
    second = make_training(state, save_every=100)
    second.resume()
    assert second.steps_done == 5
    assert_same(second.run([CurveFile(log, 5)]), whole[0])
    assert [entry["step"] for entry in read_curve(log)] == [3, 6, 8]
    for one, two in zip(read_curve(log), whole[1], strict=True):
        assert one == pytest.approx(two, rel=1e-5)


def test_stopped_after_the_look_for_signals_it_keeps_that_step(make_training, tmp_path):
    """Lightning ends by itself for a SIGTERM that it hears of before the next step."""
    training = make_training(tmp_path / "state.safetensors", save_every=100)
    training.task.on_train_batch_end = lambda *_: training.steps_done == 5 and signal.raise_signal(signal.SIGTERM)
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with pytest.raises(SystemExit, match="143"):
            training.run()
    finally:
        signal.signal(signal.SIGTERM, before)
    again = make_training(tmp_path / "state.safetensors", save_every=100)
    again.resume()
    assert again.steps_done == 5


KILLED = """
import pickle, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from pose_regressor_training.train.config import TrainConfig
from pose_regressor_training.train.training import Training
import yaml
if __name__ == "__main__":
    objects = pickle.loads(Path(sys.argv[1]).read_bytes())
    training = Training(objects, TrainConfig.from_dict(yaml.safe_load(sys.argv[2])), Path(sys.argv[3]))
    if training.state.exists():
        training.resume()
    training.run([lambda step, means: print(step, flush=True)]).save(sys.argv[4])
"""


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_to_the_same_end(make_training, whole, objects_file, tmp_path):
    config = make_training(tmp_path / "unused").config.to_dict() | {"save_every": 1, "log_every": 1, "workers": 1}
    command = [sys.executable, "-c", KILLED, str(objects_file), json.dumps(config), str(tmp_path / "state.safetensors")]
    command.append(str(tmp_path / "box.safetensors"))
    rng = np.random.default_rng(time.time_ns())
    whole[0].save(tmp_path / "whole.safetensors")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    process.stdout.readline()  # a step is done
    time.sleep(rng.uniform(0, 0.1))
    process.kill()
    process.communicate()
    assert process.returncode in (-signal.SIGKILL, 0)
    if (tmp_path / "box.safetensors").exists():  # it came to its end before: then all of it is there
        assert_same(Bundle.load(tmp_path / "box.safetensors"), Bundle.load(tmp_path / "whole.safetensors"))
    subprocess.run(command, check=True, capture_output=True)
    assert_same(Bundle.load(tmp_path / "box.safetensors"), Bundle.load(tmp_path / "whole.safetensors"))


def members(group):
    """What of a process group is alive."""
    return [
        int(folder.name)
        for folder in Path("/proc").iterdir()
        if folder.name.isdigit() and (fields := stat_fields(folder)) and int(fields[2]) == group and fields[0] != "Z"
    ]


def stat_fields(folder):
    """What /proc says of a process after its name: state, parent, group, ...; none if it is gone."""
    try:
        return (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


@pytest.fixture
def start_group(make_training, objects_file, tmp_path):
    """A function that starts a training without an end, in a process group of its own with a process that makes
    images, and returns it once a step is done."""
    config = make_training(tmp_path / "unused").config.to_dict()
    config |= {"samples": 80_000, "save_every": 10_000, "log_every": 1, "workers": 1}
    command = [sys.executable, "-c", KILLED, str(objects_file), json.dumps(config), str(tmp_path / "state.safetensors")]
    command.append(str(tmp_path / "box.safetensors"))
    started = []

    def start():
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        started.append(process)
        assert process.stdout.readline() == "1\n", process.stderr.read()
        assert len(members(process.pid)) == 2
        return process

    yield start
    for process in started:
        if members(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_whole_group_ends_it_as_one_to_itself(start_group, tmp_path, number):
    process = start_group()
    os.killpg(process.pid, number)
    steps, errors = process.stdout.read(), process.stderr.read()  # communicate() forgets what was read ahead
    assert process.wait() == -number
    assert ("died" not in errors) and ("Traceback" in errors) == (number == signal.SIGINT)
    while members(process.pid):  # within the time of this test: a child may end a moment after its parent
        time.sleep(0.05)
    with safe_open(tmp_path / "state.safetensors", framework="pt") as file:
        saved = json.loads(file.metadata()["pose_regressor_training"])["step"]
    assert saved == 1 + len(steps.split()) < 10_000


@pytest.mark.slow
def test_killed_it_leaves_no_process(start_group):
    process = start_group()
    process.kill()
    while members(process.pid):  # within the time of this test
        time.sleep(0.05)


@pytest.mark.slow
def test_loss_falls(make_training, tmp_path):
    seen = []
    make_training(tmp_path / "s", samples=480, log_every=20).run([lambda step, means: seen.append(sum(means.values()))])
    assert seen[-1] < 0.8 * seen[0]


def test_a_foreign_state_is_refused(make_training, objects, tmp_path):
    state = tmp_path / "state.safetensors"
    one = make_training(state)
    with pytest.raises(SystemExit):
        one.run((), [AtStep(3, lambda _: sys.exit(0))])
    kept = state.read_bytes()
    with pytest.raises(InputError, match=r"another training .*seed was 0 and is now 7"):
        make_training(state, seed=7).resume()
    with pytest.raises(InputError, match=r"losses was .*'rotation': 1.0.* and is now .*'rotation': 0"):
        make_training(state, losses={"rotation": 0}).resume()
    (known,) = objects
    for changed in (
        replace(known, mesh=replace(known.mesh, vertices=1.01 * known.mesh.vertices)),
        replace(known, mesh=replace(known.mesh, texture=known.mesh.texture // 2)),
        replace(known, model=replace(known.model, symmetries=np.eye(4)[None])),
    ):
        with pytest.raises(InputError, match=r"another training .*objects was .* and is now"):
            make_training(state, objects=[changed]).resume()
    make_training(state, workers=1, save_every=9).resume()  # which change nothing of the result
    assert state.read_bytes() == kept
    state.write_bytes(b"rubbish")
    with pytest.raises(InputError, match="cannot be read"):
        one.resume()


def test_a_loss_that_is_no_number_ends_it_and_leaves_the_good_state(make_training, tmp_path):
    state = tmp_path / "state.safetensors"

    def spoil(task):
        with torch.no_grad():
            task.network.regression_head.hidden.bias[0] = float("nan")

    with pytest.raises(InputError, match=r"is not finite at step 4; try a lower learning rate"):
        make_training(state, log_every=50).run((), [AtStep(3, spoil)])
    with pytest.raises(InputError, match=r"rotation.* not finite by step 6"):
        make_training(tmp_path / "other", save_every=50).run((), [AtStep(3, spoil)])
    good = make_training(state, log_every=50)
    good.resume()
    assert good.steps_done == 2


@pytest.fixture
def full_disk():
    """No file may grow beyond 100 kB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_full_disk(make_training, tmp_path, full_disk):
    state = tmp_path / "state.safetensors"
    with pytest.raises(InputError, match=r"state.safetensors: cannot be written \(File too large\)"):
        make_training(state).run()
    bundle = make_training(state).bundle()
    with pytest.raises(InputError, match=r"box.safetensors: cannot be written \(File too large\)"):
        bundle.save(tmp_path / "box.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_makes_images_is_killed(make_training, tmp_path):
    def kill_them(_):
        for child in multiprocessing.active_children():
            os.kill(child.pid, signal.SIGKILL)

    with pytest.raises(InputError, match="a process that makes images died"):
        make_training(tmp_path / "s", workers=1, samples=800).run((), [AtStep(2, kill_them)])
