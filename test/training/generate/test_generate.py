"""BOP datasets on disk: read back, checked against ray casts, killed and gone on with, shared out, on a full disk."""

import contextlib
import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
import typer
from typer.testing import CliRunner

from pose_regressor.sources import open_source
from pose_regressor.types import InputError
from pose_regressor_training.bop.coco import decode_rle, encode_rle
from pose_regressor_training.bop.models_info import read_models_info
from pose_regressor_training.bop.reader import BopScene, open_split
from pose_regressor_training.cli import add_commands
from pose_regressor_training.generate.annotate import AnnotatedImage, Annotation
from pose_regressor_training.generate.plan import Job, Shard
from pose_regressor_training.generate.run import MANIFEST, Task, generate
from pose_regressor_training.generate.sheet import write_sheet
from pose_regressor_training.generate.writer import SceneWriter
from pose_regressor_training.meshes.mesh import load_mesh, object_model
from pose_regressor_training.meshes.symmetry import Symmetries
from pose_regressor_training.randomize.config import RandomizeConfig
from pose_regressor_training.test_objects import make_box, make_knob

WIDTH, HEIGHT = 96, 72
NONE = Symmetries(np.zeros((0, 4, 4)))
QUARTERS = Symmetries(np.stack([np.diag([-1.0, 1, -1, 1])]))


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    folder = tmp_path_factory.mktemp("meshes")
    meshes = load_mesh(make_box(folder), "m"), load_mesh(make_knob(folder), "m")
    models = tuple(
        object_model(mesh, name, obj_id) for mesh, name, obj_id in [(meshes[0], "box", 3), (meshes[1], "knob", 7)]
    )
    config = RandomizeConfig.from_dict({"background": {"pictures": 4}, "clutter": {"shapes": 8}})
    return Job("train_synt", 28, 12, WIDTH, HEIGHT, (1, 4), None, ".png", 5, config, meshes, models)


def task_of(folder, job, **changes):
    return replace(Task(folder, job, (NONE, QUARTERS), Shard(), 1, "cpu", False), **changes)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory, job):
    folder = tmp_path_factory.mktemp("whole") / "dataset"
    seen = []
    generate(task_of(folder, job), seen.append)
    assert seen == [0, 8, 12, 20, 24, 28]
    return folder


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def assert_same(folder, other):
    one, two = contents(folder), contents(other)
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] == []


def test_what_is_written_is_read_back(tmp_path):
    """Hand-made arrays through the writer and our reader."""
    rng = np.random.default_rng(0)
    mask = np.zeros((20, 30), bool)
    mask[4:11, 6:26] = True
    visible = mask.copy()
    visible[:, 15:] = False
    hidden = np.zeros_like(mask)
    pose = np.eye(4)
    pose[:3, :3] = trimesh.transformations.euler_matrix(0.1, 0.5, 0.9)[:3, :3]
    pose[:3, 3] = 0.1, -0.2, 0.7
    camera = np.array([[50.5, 0, 14.25], [0, 51, 9.5], [0, 0, 1]])
    depth = np.where(mask, 0.7123, 7.0).astype(np.float32)  # the farther is out of range
    color = rng.integers(0, 256, (20, 30, 3), np.uint8)
    objects = (
        Annotation(4, pose, mask, visible, 200, (6, 4, 35, 10)),
        Annotation(2, np.eye(4), mask, hidden, 140, (6, 4, 25, 10)),
    )
    scene = tmp_path / "000007"
    workplace = scene / ".unfinished"
    workplace.mkdir(parents=True)
    writer = SceneWriter(scene, workplace, ".png")
    record = json.loads(json.dumps(writer.write_image(11, AnnotatedImage(color, depth, camera, objects))))
    writer.write_lists("set", {2: "duck", 4: "cat"}, {11: record})
    assert not list(workplace.iterdir())

    read = BopScene(scene)
    assert read.im_ids == [11]
    np.testing.assert_array_equal(read.image(11), color)
    np.testing.assert_allclose(read.depth(11), np.where(mask, 0.7123, 0), atol=5e-5)
    np.testing.assert_array_equal(read.cameras[11], camera)
    assert [pose.obj_id for pose in read.poses[11]] == [4, 2]
    np.testing.assert_allclose(read.poses[11][0].cam_from_obj, pose, atol=1e-15)
    np.testing.assert_array_equal(read.mask(11, 0), mask)
    np.testing.assert_array_equal(read.mask(11, 0, visible=True), visible)
    shown, unseen = read.visibility[11]
    assert (shown.pixels, shown.valid, shown.visible, shown.fraction) == (200, 140, 63, 63 / 200)
    assert shown.box == (6, 4, 29, 6) and shown.visible_box == (6, 4, 8, 6)  # last minus first, as in BOP
    assert unseen.visible == 0 and unseen.box == unseen.visible_box == (-1, -1, -1, -1)
    coco = json.loads((scene / "scene_gt_coco.json").read_text())
    assert [category["name"] for category in coco["categories"]] == ["duck", "cat"]
    (annotation,) = coco["annotations"]  # what is not seen has none
    assert annotation["bbox"] == [6, 4, 20, 7] and annotation["area"] == 63 and not annotation["ignore"]
    np.testing.assert_array_equal(decode_rle(annotation["segmentation"]), visible)
    frame = next(iter(open_source(scene)))
    np.testing.assert_array_equal(frame.image, color)


@pytest.mark.parametrize("seed", range(4))
def test_run_lengths(seed):
    mask = np.random.default_rng(seed).random((7, 5)) < (0, 0.3, 0.8, 1)[seed]
    rle = encode_rle(mask)
    np.testing.assert_array_equal(decode_rle(rle), mask)
    assert all(rle["counts"][1:]) and sum(rle["counts"][1::2]) == mask.sum()
    with pytest.raises(InputError, match="runs of 35 pixels"):
        decode_rle({"counts": [3, 4], "size": [7, 5]})


def test_masks_depth_and_visibility_agree_with_ray_casts(dataset, job):
    """BOP's own definition: an object is seen where it lies no more than 15 mm behind what the depth image shows."""
    solids = {
        model.obj_id: trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
        for mesh, model in zip(job.meshes, job.models, strict=True)
    }
    checked = beyond = 0
    for scene in open_split(dataset / "train_synt")[:1]:
        for im_id in scene.im_ids:
            depth = scene.depth(im_id)
            for index, pose in enumerate(scene.poses[im_id]):
                large = cast(solids[pose.obj_id], pose.cam_from_obj, scene.cameras[im_id])
                own = large[HEIGHT : 2 * HEIGHT, WIDTH : 2 * WIDTH]
                mask, visible = scene.mask(im_id, index), scene.mask(im_id, index, visible=True)
                assert (mask != (own > 0)).sum() <= 2 + 0.01 * mask.sum()  # rays that graze an edge
                both = visible & (own > 0)
                assert np.abs(depth - own)[both].max(initial=0) < 2e-4 + 5e-5  # and half a unit of the file
                shown = scene.visibility[im_id][index]
                assert shown.visible == visible.sum() and shown.pixels >= mask.sum()
                assert abs(shown.pixels - (large > 0).sum()) <= 3 + 0.01 * shown.pixels
                seen = (own > 0) & ((own - depth <= 0.015) | (depth == 0))
                if (seen & ~visible & mask).sum() == 0:  # nothing stands less than 15 mm before it
                    assert abs(shown.fraction - seen.sum() / (large > 0).sum()) < 0.01 + 3 / shown.pixels
                checked += 1
                beyond += shown.pixels > mask.sum()
    assert checked > 15 and beyond > 1


def cast(solid, cam_from_obj, camera):
    """(3 H, 3 W) depth of an object alone, the image in the middle."""
    rows, columns = np.indices((3 * HEIGHT, 3 * WIDTH))
    pixels = np.stack([columns - WIDTH, rows - HEIGHT, np.ones_like(rows)], -1).reshape(-1, 3)
    corners = solid.bounding_sphere.primitive
    centre = cam_from_obj[:3, :3] @ corners.center + cam_from_obj[:3, 3]
    rays = pixels @ np.linalg.inv(camera).T
    near = np.linalg.norm(np.cross(rays, centre), axis=1) / np.linalg.norm(rays, axis=1) < 1.01 * corners.radius
    depth = np.zeros(len(rays))
    origin = np.tile(-cam_from_obj[:3, :3].T @ cam_from_obj[:3, 3], (near.sum(), 1))
    points, index, _ = solid.ray.intersects_location(origin, rays[near] @ cam_from_obj[:3, :3], multiple_hits=False)
    depth[np.flatnonzero(near)[index]] = (points @ cam_from_obj[:3, :3].T + cam_from_obj[:3, 3])[:, 2]
    return depth.reshape(3 * HEIGHT, 3 * WIDTH)


def test_models_come_along(dataset, job):
    infos = read_models_info(dataset / "models" / "models_info.json")
    assert set(infos) == {3, 7} and len(infos[7].symmetries.discrete) == 1
    for mesh, model in zip(job.meshes, job.models, strict=True):
        assert infos[model.obj_id].diameter == pytest.approx(model.diameter, abs=1e-6)
        read = load_mesh(dataset / "models" / f"obj_{model.obj_id:06d}.ply", "mm")
        np.testing.assert_allclose(read.vertices[read.faces], mesh.vertices[mesh.faces], atol=1e-6)
        np.testing.assert_allclose(read.uv, mesh.uv, atol=1e-5)
        np.testing.assert_array_equal(read.texture, mesh.texture)


@pytest.mark.slow
def test_shards_make_the_same_dataset(dataset, job, tmp_path):
    for index in (1, 2):
        generate(task_of(tmp_path / "shared", job, shard=Shard(index, 2)))
    assert_same(dataset, tmp_path / "shared")
    assert write_sheet(task_of(tmp_path / "shared", job, shard=Shard(2, 2))).name == "contact_sheet_2_of_2.jpg"


@pytest.mark.slow
def test_killed_and_gone_on_with(dataset, job, tmp_path):
    folder = tmp_path / "killed"
    task = task_of(folder, job, workers=2)
    process = multiprocessing.get_context("spawn").Process(target=generate, args=(task,))
    process.start()
    while not list(folder.glob("train_synt/*/rgb/*")) and process.is_alive():
        time.sleep(0.002)
    time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert not list(folder.glob("train_synt/*/scene_gt.json"))
    for path in folder.glob("train_synt/*/*/*.png"):  # every image that is there is whole
        assert path.read_bytes().endswith(b"IEND\xaeB`\x82")
    (folder / "train_synt" / "000000" / ".unfinished" / "rgb_000003.png.999").write_bytes(b"half an image")
    with pytest.raises(InputError, match="--resume goes on"):
        generate(task)
    generate(replace(task, resume=True))
    assert_same(dataset, folder)
    generate(replace(task, resume=True, workers=1))  # nothing is left to do
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
def test_terminated_as_a_group_it_ends_and_leaves_no_process(job, tmp_path):
    """While its processes are only being started, and have not come to their own code yet."""
    (tmp_path / "task").write_bytes(pickle.dumps(task_of(tmp_path / "set", job, workers=2)))
    command = [sys.executable, "-c", GENERATE, str(tmp_path / "task")]
    with subprocess.Popen(command, start_new_session=True) as process:
        try:
            while not (workers := workers_of(process.pid)):
                assert process.poll() is None
                time.sleep(0.002)
            os.killpg(process.pid, signal.SIGTERM)
            assert process.wait(60) == 143
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


def test_resume_with_other_options_is_refused(dataset, job):
    before = (dataset / MANIFEST).read_bytes()
    with pytest.raises(InputError, match=r"another dataset .*seed was 5 and is now 6"):
        generate(task_of(dataset, replace(job, seed=6), resume=True))
    with pytest.raises(InputError, match=r"randomization was .* and is now"):
        generate(task_of(dataset, replace(job, config=RandomizeConfig()), resume=True))
    infos = (dataset / "models" / "models_info.json").read_bytes()
    with pytest.raises(InputError, match=r"models_info\.json: has other symmetries"):
        generate(task_of(dataset, job, resume=True, symmetries=(QUARTERS, QUARTERS)))
    assert (dataset / MANIFEST).read_bytes() == before
    assert (dataset / "models" / "models_info.json").read_bytes() == infos


def test_folders_that_cannot_be_used(job, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="expected a folder"):
        generate(task_of(tmp_path / "file", job))
    with pytest.raises(InputError, match="expected an empty folder"):
        generate(task_of(tmp_path, job))
    with pytest.raises(InputError, match="cannot be written"):
        generate(task_of(Path("/proc/nowhere"), job))


def test_shards_that_cannot_be(job, tmp_path):
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
def test_full_disk(dataset, job, tmp_path):
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
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
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
    mesh, out = make_knob(tmp_path), tmp_path / "out"
    command = ["generate", "--mesh", str(mesh), "--unit", "m", "--config", str(config), "--out", str(out)]
    command += ["--images", "3", "--width", "64", "--height", "48", "--workers", "1", "--image-format", "jpg"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "knob: 104 x 62 x 104 mm, 3 symmetries" in " ".join(result.output.split())
    assert (out / "contact_sheet.jpg").exists()
    assert len(read_models_info(out / "models" / "models_info.json")[1].symmetries.discrete) == 3
    assert open_split(out / "train_synt")[0].image(2).shape == (48, 64, 3)
    assert isinstance(CliRunner().invoke(app, command).exception, InputError)
    again = CliRunner().invoke(app, [*command, "--resume"])
    assert "all there before" in " ".join(again.output.split())
