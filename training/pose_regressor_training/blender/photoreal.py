"""Photographs of scenes: colours by Cycles, labels by the ray tracer.

Blender's module needs a Python of its own, so it runs in another process, which executes this module too: ``python -m
pose_regressor_training.blender.photoreal SCENES.npz OUTDIR`` renders the scenes of a file and writes linear light with
opacity as ``000000.npy`` (H, W, 4) float32 and so on.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import InputError
from pose_regressor_training.blender.stage import Settings, Stage, load_stage, save_stage, used_only
from pose_regressor_training.scenes import NONE, Scenes

if TYPE_CHECKING:
    from pose_regressor_training.meshes.mesh import Mesh
    from pose_regressor_training.scenes import Rendering

#: Environment variable that names the Python with bpy.
PYTHON_VARIABLE = "POSE_REGRESSOR_BLENDER_PYTHON"


class Photoreal:
    """Renders like `Raytracer` and can replace it; its colours are those of a path tracer.

    meshes, pictures: as of the ray tracer
    samples, bounces, threads, realistic: see `Settings`
    blender_python: a Python that has ``bpy``, and nothing else is required of it; by default the one named by the
        variable POSE_REGRESSOR_BLENDER_PYTHON, or this one

    Place and table of a realistic scene are drawn from the scene's content, so a scene gives the same picture in any
    batch.
    """

    def __init__(
        self,
        meshes: Sequence[Mesh],
        pictures: NDArray[np.uint8] | None = None,
        samples: int = 32,
        bounces: int = 4,
        threads: int = 0,
        realistic: bool = True,
        blender_python: str | Path | None = None,
    ) -> None:
        from pose_regressor_training.raytracer.renderer import Raytracer

        self.raytracer = Raytracer(meshes, pictures)
        self._meshes = meshes
        self._pictures = np.zeros((0, 1, 1, 3), np.uint8) if pictures is None else pictures
        self._settings = Settings(1, 1, samples, bounces, threads, realistic)
        #: Of all cores, for each image of the last call; the start of Blender does not count.
        self.seconds: list[float] = []
        self._python = str(blender_python or os.environ.get(PYTHON_VARIABLE) or sys.executable)

    def render(self, scenes: Scenes, height: int, width: int) -> Rendering:
        """Images of height x width pixels. Raises InputError if Blender is missing or fails."""
        import torch

        rendering = self.raytracer.render(scenes, height, width)
        pictures = torch.from_numpy(self.photographs(scenes, height, width))
        behind = replace(scenes, mesh=np.full_like(scenes.mesh, NONE), ground=scenes.ground.copy())
        behind.ground["picture"] = NONE
        background = self.raytracer.render(behind, height, width).color
        return replace(rendering, color=pictures[..., :3] + (1 - pictures[..., 3:]) * background)

    def photographs(self, scenes: Scenes, height: int, width: int) -> NDArray[np.float32]:
        """(B, H, W, 4) linear light, multiplied by opacity, and the opacity."""
        settings = replace(self._settings, height=height, width=width)
        stage = Stage(settings, scenes, used_only(self._meshes, scenes), self._pictures)
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            save_stage(work / "scenes.npz", stage)
            self._run(work)
            pictures = [np.load(work / f"{number:06d}.npy") for number in range(len(scenes))]
        return np.stack(pictures) if pictures else np.zeros((0, height, width, 4), np.float32)

    def _run(self, work: Path) -> None:
        """Run the other Python. It sees these two packages, but not the other packages of this environment."""
        visible = work / "packages"
        visible.mkdir()
        for package in ("pose_regressor", "pose_regressor_training"):
            (visible / package).symlink_to(Path(sys.modules[package].__path__[0]).resolve())
        command = [self._python, "-m", __name__, str(work / "scenes.npz"), str(work)]
        try:
            done = subprocess.run(
                command, check=True, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(visible)}
            )
        except OSError as error:
            raise InputError(f"{self._python}: cannot be started: {error.strerror}") from error
        except subprocess.CalledProcessError as error:
            last = (error.stderr.strip().splitlines() or [f"exit status {error.returncode}"])[-1]
            raise InputError(f"{self._python}: {last.removeprefix('error: ')}") from error
        self.seconds = [float(line.split()[1]) for line in done.stdout.splitlines() if line.endswith(" core seconds")]


def render_file(path: Path, folder: Path) -> None:
    """Render a file's scenes. Raises InputError without ``bpy`` or for another file, OSError if a result cannot be
    written.
    """
    from pose_regressor_training.blender.studio import Studio

    stage = load_stage(path)
    folder.mkdir(parents=True, exist_ok=True)
    studio = Studio(stage)
    for number in range(len(stage.scenes)):
        started = time.process_time()
        picture = studio.render(number)
        np.save(folder / f"{number:06d}.npy", picture)
        print(f"{number:06d}.npy {time.process_time() - started:.4f} core seconds", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m pose_regressor_training.blender.photoreal", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("scenes", type=Path, metavar="SCENES.npz", help="what stage.save_stage wrote")
    parser.add_argument("folder", type=Path, metavar="OUTDIR", help="folder to write to, made if missing")
    arguments = parser.parse_args()
    try:
        render_file(arguments.scenes, arguments.folder)
    except (InputError, OSError) as error:
        parser.exit(2, f"error: {error}\n")


if __name__ == "__main__":
    main()
