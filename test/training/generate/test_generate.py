"""Datasets are made by several processes: killed and gone on with, shared out, on a full disk, by the command."""

import contextlib
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from pose_regressor.types import InputError
from pose_regressor_training.bop.models_info import read_models_info
from pose_regressor_training.bop.reader import open_split
from pose_regressor_training.cli import add_commands
from pose_regressor_training.generate.plan import Shard
from pose_regressor_training.generate.run import MANIFEST, generate
from pose_regressor_training.generate.sheet import write_sheet
from pose_regressor_training.randomize.config import RandomizeConfig
from pose_regressor_training.test_objects import make_knob


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def assert_same(folder, other):
    one, two = contents(folder), contents(other)
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] == []


@pytest.mark.slow
def test_shards_make_the_same_dataset(dataset, job, tmp_path, task_of):
    for index in (1, 2):
        generate(task_of(tmp_path / "shared", job, shard=Shard(index, 2)))
    assert_same(dataset, tmp_path / "shared")
    assert write_sheet(task_of(tmp_path / "shared", job, shard=Shard(2, 2))).name == "contact_sheet_2_of_2.jpg"


@pytest.mark.slow
def test_killed_and_gone_on_with(dataset, job, tmp_path, task_of):
    folder = tmp_path / "killed"
    task = task_of(folder, job, workers=2)
    process = multiprocessing.get_context("spawn").Process(target=generate, args=(task,))
    process.start()
    while not list(folder.glob("train_synt/*/rgb/*")) and process.is_alive():
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert len(list(folder.glob("train_synt/*/scene_gt.json"))) < 3, "it was not done"
    unfinished = min(folder.glob("train_synt/*/.unfinished"))
    for path in folder.glob("train_synt/*/[!.]*/*.png"):  # every image that is there is whole
        assert path.read_bytes().endswith(b"IEND\xaeB`\x82")
    (unfinished / "rgb_000003.png.999").write_bytes(b"half an image")
    with pytest.raises(InputError, match="--resume goes on"):
        generate(task)
    for _ in range(2):  # the second time nothing is left to do
        generate(replace(task, resume=True, workers=1))
        assert_same(dataset, folder)


GENERATE = """
import pickle, signal, sys
from pathlib import Path
from pose_regressor_training.generate.run import generate
if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    generate(pickle.loads(Path(sys.argv[1]).read_bytes()))
"""


@pytest.mark.slow
def test_terminated_as_a_group_it_ends_and_leaves_no_process(job, tmp_path, task_of):
    """While its processes are only being started, and have not come to their own code yet."""
    (tmp_path / "task").write_bytes(pickle.dumps(task_of(tmp_path / "set", job, workers=2)))
    command = [sys.executable, "-c", GENERATE, str(tmp_path / "task")]
    with subprocess.Popen(command, start_new_session=True) as process:
        try:
            while not (workers := workers_of(process.pid)):
                assert process.poll() is None
                time.sleep(0.002)
            os.killpg(process.pid, signal.SIGTERM)
            assert process.wait(150) == 143
            assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def workers_of(parent):
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if (
                folder.name.isdigit()
                and int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == parent
                and b"spawn_main" in (folder / "cmdline").read_bytes()
            ):
                found.append(int(folder.name))
    return found


def test_resume_with_other_options_is_refused(dataset, job, task_of):
    before = (dataset / MANIFEST).read_bytes()
    with pytest.raises(InputError, match=r"another dataset .*seed was 5 and is now 6"):
        generate(task_of(dataset, replace(job, seed=6), resume=True))
    with pytest.raises(InputError, match=r"randomization was .* and is now"):
        generate(task_of(dataset, replace(job, config=RandomizeConfig()), resume=True))
    infos = (dataset / "models" / "models_info.json").read_bytes()
    with pytest.raises(InputError, match=r"models_info\.json: has other symmetries"):
        generate(task_of(dataset, job, resume=True, symmetries=2 * task_of(dataset, job).symmetries[1:]))
    assert (dataset / MANIFEST).read_bytes() == before
    assert (dataset / "models" / "models_info.json").read_bytes() == infos


def test_folders_that_cannot_be_used(job, tmp_path, task_of):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="expected a folder"):
        generate(task_of(tmp_path / "file", job))
    with pytest.raises(InputError, match="expected an empty folder"):
        generate(task_of(tmp_path, job))
    with pytest.raises(InputError, match="cannot be written"):
        generate(task_of(Path("/proc/nowhere"), job))


def test_shards_that_cannot_be(job, tmp_path, task_of):
    for text in ("0/2", "3/2", "1", "a/b", "1/2/3"):
        with pytest.raises(InputError, match="I/N"):
            Shard.parse(text)
    with pytest.raises(InputError, match="only 3 scenes"):
        generate(task_of(tmp_path / "none", job, shard=Shard(1, 4)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": 0}, "images: expected at least 1"),
        ({"scene_size": -1}, "scene size: expected"),
        ({"objects": (3, 2)}, "fewest <= most"),
        ({"split": "a/b"}, "split 'a/b'"),
        ({"seed": -1}, "seed: expected at least 0"),
        ({"objects": (1, 22)}, "expected at most 21 in an image"),
    ],
)
def test_jobs_that_cannot_be(job, changes, words):
    with pytest.raises(InputError, match=words):
        replace(job, **changes)


FULL = """
import pickle, resource, sys
from pose_regressor.types import InputError
from pose_regressor_training.generate.run import generate
if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    try:
        generate(pickle.load(open(sys.argv[1], "rb")))
    except InputError as error:
        print(error)
"""


@pytest.mark.slow
def test_full_disk(dataset, job, tmp_path, task_of):
    """No file may grow beyond the size of half of the images: a larger one cannot be written."""
    folder = tmp_path / "full"
    task = task_of(folder, job, workers=2)
    (tmp_path / "task").write_bytes(pickle.dumps(task))
    (tmp_path / "full.py").write_text(FULL)
    sizes = sorted(path.stat().st_size for path in dataset.glob("train_synt/000000/rgb/*"))
    for model in (dataset / "models").iterdir():
        target = folder / "models" / model.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(model.read_bytes())
    (folder / MANIFEST).write_bytes((dataset / MANIFEST).read_bytes())
    command = [sys.executable, str(tmp_path / "full.py"), str(tmp_path / "task"), str(sizes[len(sizes) // 2])]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "rgb/0000" in result.stdout and "cannot be written (File too large)" in result.stdout, result.stdout
    assert not list(folder.glob("train_synt/*/scene_gt.json"))
    assert [path for path in folder.rglob(".unfinished/*") if path.suffix != ".json"] == []
    generate(replace(task, resume=True, workers=1))
    assert_same(dataset, folder)


def test_command_line(tmp_path):
    app = typer.Typer()
    add_commands(app)
    config = tmp_path / "small.yaml"
    config.write_text("background: {pictures: 4}\nclutter: {shapes: 8}\n")
    out, mesh = tmp_path / "out", make_knob(tmp_path)
    mesh = mesh.rename(mesh.with_name("035_knob.obj"))
    command = ["generate", "--mesh", str(mesh), "--unit", "m", "--config", str(config), "--out", str(out)]
    command += ["--images", "3", "--width", "64", "--height", "48", "--workers", "1", "--image-format", "jpg"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "035_knob.obj: 103.8 x 62.18 x 103.8 mm, " in said and "1 part: picture knob.png" in said
    assert "object 1 object_035_knob: 104 x 62 x 104 mm, 3 symmetries" in said
    assert (out / "contact_sheet.jpg").exists()
    assert len(read_models_info(out / "models" / "models_info.json")[1].symmetries.discrete) == 3
    assert open_split(out / "train_synt")[0].image(2).shape == (48, 64, 3)
    assert isinstance(CliRunner().invoke(app, command).exception, InputError)
    again = CliRunner().invoke(app, [*command, "--resume"])
    assert "all there before" in " ".join(again.output.split())
