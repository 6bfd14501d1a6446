"""The plan of a dataset: its contents, and who makes which part. The contents do not depend on how many work on it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pose_regressor.types import FloatArray, InputError, ObjectModel
from pose_regressor_training.meshes.mesh import Mesh
from pose_regressor_training.randomize.clutter import PLACES
from pose_regressor_training.randomize.config import RandomizeConfig
from pose_regressor_training.raytracer.packing import MAX_THINGS
from pose_regressor_training.samples.sensor_depth import KINDS

#: Images drawn and rendered together. What they show depends only on the seed and on the chunk's number.
CHUNK = 8
#: Our own ray tracer, and Blender's path tracer.
RENDERERS = ("raytracer", "photoreal")
#: Depth sensors that a dataset can simulate.
SENSORS = ("none", *KINDS)


@dataclass(frozen=True, eq=False)
class Job:
    """A whole dataset.

    split: name of its folder, such as train_pbr
    images: number of images
    scene_size: images in a scene
    width, height: of the images, pixels
    objects: fewest and most in an image
    camera_matrix: (3, 3); None: drawn for each image
    suffix: of the colour images, .png or .jpg
    seed: of everything random
    config: what is randomized
    meshes, models: of the objects
    renderer: one of RENDERERS
    sensor: one of SENSORS, whose depth is written beside the true one

    Raises InputError for a value that is out of range.
    """

    split: str
    images: int
    scene_size: int
    width: int
    height: int
    objects: tuple[int, int]
    camera_matrix: FloatArray | None
    suffix: str
    seed: int
    config: RandomizeConfig
    meshes: tuple[Mesh, ...]
    models: tuple[ObjectModel, ...]
    renderer: str = "raytracer"
    sensor: str = "none"

    def __post_init__(self) -> None:
        for name in ("images", "scene_size", "width", "height"):
            if getattr(self, name) < 1:
                raise InputError(f"{name.replace('_', ' ')}: expected at least 1, got {getattr(self, name)}")
        if self.renderer not in RENDERERS:
            raise InputError(f"renderer {self.renderer!r}: expected one of {', '.join(RENDERERS)}")
        if self.sensor not in SENSORS:
            raise InputError(f"sensor {self.sensor!r}: expected one of {', '.join(SENSORS)}")
        if self.seed < 0:
            raise InputError(f"seed: expected at least 0, got {self.seed}")
        least, most = self.objects
        if not 1 <= least <= most:
            raise InputError(f"objects: expected 1 <= fewest <= most, got {least} and {most}")
        if most > MAX_THINGS - PLACES:
            raise InputError(f"objects: expected at most {MAX_THINGS - PLACES} in an image, got {most}")
        if not re.fullmatch(r"[A-Za-z0-9_]+", self.split):
            raise InputError(f"split {self.split!r}: expected letters, digits and '_', as in train_pbr")
        ids = [model.obj_id for model in self.models]
        if len(set(ids)) != len(ids):
            raise InputError(f"objects: expected different ids, got {', '.join(map(str, ids))}")

    @property
    def scenes(self) -> int:
        return -(-self.images // self.scene_size)

    def chunks(self, scene_id: int) -> list[Chunk]:
        """The chunks of a scene, in order."""
        count = min(self.scene_size, self.images - scene_id * self.scene_size)
        each = -(-self.scene_size // CHUNK)
        return [
            Chunk(scene_id, scene_id * each + number, first, min(CHUNK, count - first))
            for number, first in enumerate(range(0, count, CHUNK))
        ]

    def manifest(self) -> dict[str, Any]:
        """All that decides on the dataset's bytes, as JSON."""
        return {
            "format": 1,
            "split": self.split,
            "images": self.images,
            "scene_size": self.scene_size,
            "width": self.width,
            "height": self.height,
            "objects": list(self.objects),
            "camera_matrix": None if self.camera_matrix is None else self.camera_matrix.tolist(),
            "image_format": self.suffix.removeprefix("."),
            "seed": self.seed,
            "renderer": self.renderer,
            # Left out without a sensor, so that datasets from before there were sensors can be resumed.
            **({} if self.sensor == "none" else {"sensor": self.sensor}),
            "randomization": self.config.to_dict(),
            "models": {
                str(model.obj_id): {"name": model.name, "mesh": mesh.digest()}
                for model, mesh in zip(self.models, self.meshes, strict=True)
            },
        }


@dataclass(frozen=True)
class Chunk:
    """Images that are made together.

    scene_id: their scene
    number: of the chunk in the whole dataset
    first: number of the first image in its scene
    count: of images
    """

    scene_id: int
    number: int
    first: int
    count: int


@dataclass(frozen=True)
class Shard:
    """A part of the dataset for one host: every count-th scene.

    index: from 1 to count
    count: number of parts
    """

    index: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """From text such as 2/4. Raises InputError for anything else."""
        match = re.fullmatch(r"(\d+)/(\d+)", text)
        if not match or not 1 <= int(match[1]) <= int(match[2]):
            raise InputError(f"shard {text!r}: expected I/N with I from 1 to N, as in 2/4")
        return cls(int(match[1]), int(match[2]))

    def scenes(self, job: Job) -> Sequence[int]:
        """Numbers of the shard's scenes. Raises InputError if there are fewer scenes than shards."""
        if self.count > job.scenes:
            raise InputError(
                f"shard {self.index}/{self.count}: there are only {job.scenes} scenes of {job.scene_size} images; "
                "a shard is made of whole scenes, so make them smaller (--scene-size)"
            )
        return range(self.index - 1, job.scenes, self.count)


def difference(old: Any, new: dict[str, Any]) -> str | None:
    """The first entry in which two manifests differ, in words; None if they are the same."""
    new = json.loads(json.dumps(new))
    if not isinstance(old, dict):
        return "it is no mapping"
    for key in dict.fromkeys((*new, *old)):
        if old.get(key) != new.get(key):
            return f"{key} was {_short(old.get(key))} and is now {_short(new.get(key))}"
    return None


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
