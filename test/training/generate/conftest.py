"""A small dataset and the job that makes it."""

from dataclasses import replace

import numpy as np
import pytest

from pose_regressor_training.generate.plan import Job, Shard
from pose_regressor_training.generate.run import Task, generate
from pose_regressor_training.meshes.mesh import load_mesh, object_model
from pose_regressor_training.meshes.symmetry import Symmetries
from pose_regressor_training.randomize.config import RandomizeConfig
from pose_regressor_training.test_objects import make_box, make_knob

NONE = Symmetries(np.zeros((0, 4, 4)))
QUARTERS = Symmetries(np.stack([np.diag([-1.0, 1, -1, 1])]))


@pytest.fixture(scope="session")
def job(tmp_path_factory):
    """28 images of 96 x 72 pixels in three scenes, of two objects."""
    folder = tmp_path_factory.mktemp("meshes")
    meshes = load_mesh(make_box(folder), "m"), load_mesh(make_knob(folder), "m")
    models = tuple(
        object_model(mesh, name, obj_id) for mesh, name, obj_id in [(meshes[0], "box", 3), (meshes[1], "knob", 7)]
    )
    config = RandomizeConfig.from_dict({"background": {"pictures": 4}, "clutter": {"shapes": 8}})
    return Job("train_synt", 28, 12, 96, 72, (1, 4), None, ".png", 5, config, meshes, models)


@pytest.fixture(scope="session")
def task_of():
    """A function of a folder, a job and changes to a task for one process; the second object has a symmetry."""
    return lambda folder, job, **changes: replace(
        Task(folder, job, (NONE, QUARTERS), Shard(), 1, "cpu", False), **changes
    )


@pytest.fixture(scope="session")
def dataset(tmp_path_factory, job, task_of):
    folder = tmp_path_factory.mktemp("whole") / "dataset"
    seen = []
    generate(task_of(folder, job), seen.append)
    assert seen == [0, 8, 12, 20, 24, 28]
    return folder
