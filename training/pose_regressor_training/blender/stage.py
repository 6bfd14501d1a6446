"""A file that holds scenes and everything in them, for a renderer that needs another Python.

Plain arrays in an ``.npz``, no pickle. Nothing here needs torch, Warp or trimesh.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import InputError
from pose_regressor_training.scenes import Scenes

if TYPE_CHECKING:
    from pose_regressor_training.meshes.mesh import Mesh


@dataclass(frozen=True)
class Settings:
    """How a stage is rendered.

    height, width: of the images, pixels
    samples: paths through every pixel
    bounces: how often light is passed on from surface to surface
    threads: of the renderer; 0: one for each core
    realistic: surroundings, table and light of a real place replace the scenes' ground, background and light from all
        around, which then gives only the brightness
    """

    height: int
    width: int
    samples: int = 32
    bounces: int = 4
    threads: int = 0
    realistic: bool = True


@dataclass(frozen=True, eq=False)
class Prop:
    """A mesh as it is drawn. Arrays that it does not have are empty.

    vertices: (V, 3) metres
    faces: (F, 3)
    normals: (F, 3, 3) for shading, at the corners
    texture: (H, W, 3) sRGB
    uv: (F, 3, 2) corners on the texture, v upwards
    colors: (V, 3) sRGB, instead of a texture
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    normals: NDArray[np.float32]
    texture: NDArray[np.uint8]
    uv: NDArray[np.float32]
    colors: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Stage:
    """Scenes and everything in them.

    scenes: to render
    props: meshes by number; None where no scene uses it
    pictures: (P, S, S, 3) sRGB
    settings: how to render
    """

    settings: Settings
    scenes: Scenes
    props: tuple[Prop | None, ...]
    pictures: NDArray[np.uint8]


def prop_of(mesh: Mesh) -> Prop:
    # Where stages are read there is no Warp.
    from pose_regressor_training.meshes.topology import corner_normals, merged

    def given(array: NDArray | None, shape: tuple[int, ...], dtype: type) -> NDArray:
        return np.zeros(shape, dtype) if array is None else array

    normals = corner_normals(mesh.vertices[mesh.faces], merged(mesh.vertices, mesh.faces))
    return Prop(
        vertices=mesh.vertices,
        faces=mesh.faces,
        normals=normals,
        texture=given(mesh.texture, (0, 0, 3), np.uint8),
        uv=given(mesh.uv, (0, 3, 2), np.float32),
        colors=given(mesh.vertex_colors, (0, 3), np.uint8),
    )


def save_stage(path: Path, stage: Stage) -> None:
    arrays: dict[str, Any] = {f"settings.{name}": np.array(value) for name, value in asdict(stage.settings).items()}
    arrays |= {f"scenes.{f.name}": getattr(stage.scenes, f.name) for f in fields(Scenes)}
    for number, prop in enumerate(stage.props):
        if prop is not None:
            arrays |= {f"prop.{number}.{f.name}": getattr(prop, f.name) for f in fields(Prop)}
    arrays |= {"props": np.array(len(stage.props)), "pictures": stage.pictures}
    np.savez(path, **arrays)


def load_stage(path: Path) -> Stage:
    """Raises InputError for a missing file, and for one that `save_stage` did not write."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        settings = Settings(**{f.name: arrays[f"settings.{f.name}"].item() for f in fields(Settings)})
        scenes = Scenes(**{f.name: arrays[f"scenes.{f.name}"] for f in fields(Scenes)})
        props = tuple(_prop(arrays, number) for number in range(int(arrays["props"])))
        return Stage(settings, scenes, props, arrays["pictures"])
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: expected scenes as save_stage writes them: {error}") from error


def _prop(arrays: dict[str, NDArray], number: int) -> Prop | None:
    if f"prop.{number}.vertices" not in arrays:
        return None
    return Prop(**{f.name: arrays[f"prop.{number}.{f.name}"] for f in fields(Prop)})


def used_only(meshes: Sequence[Mesh], scenes: Scenes) -> tuple[Prop | None, ...]:
    used = set(np.unique(scenes.mesh).tolist())
    return tuple(prop_of(mesh) if number in used else None for number, mesh in enumerate(meshes))
