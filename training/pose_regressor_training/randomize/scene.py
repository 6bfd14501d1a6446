"""The parts put together: batches of scenes for the renderer, and how the camera takes them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import FloatArray, InputError, ObjectModel
from pose_regressor_training.meshes.mesh import Mesh
from pose_regressor_training.randomize.background import draw_backgrounds
from pose_regressor_training.randomize.camera import Shots, draw_shots
from pose_regressor_training.randomize.clutter import Clutter, Setting, draw_clutter, draw_ground
from pose_regressor_training.randomize.config import RandomizeConfig
from pose_regressor_training.randomize.light import draw_lights
from pose_regressor_training.randomize.pictures import PICTURE_SIZE, make_pictures
from pose_regressor_training.randomize.placing import apart, settled
from pose_regressor_training.randomize.resting import Solids
from pose_regressor_training.randomize.shapes import random_shapes
from pose_regressor_training.randomize.surface import draw_object_materials
from pose_regressor_training.randomize.views import (  # fmt: skip
    Kind,
    Models,
    Views,
    WindowSpec,
    draw_frame_cameras,
    draw_frames,
    draw_windows,
)
from pose_regressor_training.scenes import NONE, Scenes

#: Meshes of limbs (shapes like arms that reach into the picture) that clutter is drawn from.
LIMB_SHAPES = 16
#: Places that are tried for each object of a whole frame, until one is free.
_TRIES = 12


@dataclass(frozen=True, eq=False)
class Drawn:
    """B scenes to render, and how the camera takes them.

    scenes: K things each, the T objects of the views first
    views: where the objects are
    target: (B, K) which object stands in a place, NONE for anything else
    shots: what the camera does
    """

    scenes: Scenes
    views: Views
    target: NDArray[np.int64]
    shots: Shots

    def every(self, first: int, step: int) -> Drawn:
        """Every `step`-th scene from number `first` on."""
        return _rows(self, slice(first, None, step))


T = TypeVar("T")


def _rows(value: T, chosen: slice) -> T:
    """The chosen rows of an array, or of every array in a dataclass."""
    if isinstance(value, np.ndarray):
        return value[chosen]  # type: ignore[return-value]
    parts = {f.name: _rows(getattr(value, f.name), chosen) for f in fields(value)}  # type: ignore[arg-type]
    return replace(value, **parts)  # type: ignore[type-var]


class SceneSampler:
    """Draws scenes of objects.

    Every drawing method splits its generator into one for each part of the randomization: a part that is switched off
    does not change what the others draw.

    config: what is randomized
    models: the objects to be found; the renderer has their meshes first, in this order
    seed: of the pictures and the shapes
    picture_size: edge of the pictures, pixels
    beside: other things whose meshes come next: they only stand around
    """

    def __init__(
        self,
        config: RandomizeConfig,
        models: Sequence[ObjectModel],
        seed: int,
        picture_size: int = PICTURE_SIZE,
        beside: Sequence[ObjectModel] = (),
    ) -> None:
        if not models:
            raise InputError("scenes: expected at least one object, got none")
        self.config = config
        self.models = Models([*models, *beside], len(models))
        background = config.background
        self.pictures = make_pictures(seed, background.pictures, picture_size, background.folder, background.squares)
        self.shapes = random_shapes(np.random.default_rng((seed, 1)), config.clutter.shapes, LIMB_SHAPES)

    def meshes(self, objects: Sequence[Mesh]) -> list[Mesh]:
        """All meshes in the order of the scenes' numbers: `objects`, given with those beside them, then the clutter."""
        return [*objects, *self.shapes.meshes]

    def windows(self, rng: np.random.Generator, count: int, spec: WindowSpec) -> Drawn:
        """`count` windows, as a network looks at them, with one object or none."""
        own, *others = rng.spawn(6)
        views = draw_windows(self.config.pose, own, self.models, spec, count)
        absent = (views.kind == Kind.EMPTY)[:, None]
        return self._around(views, absent, others, spec.size, spec.size)

    def frames(
        self,
        rng: np.random.Generator,
        count: int,
        width: int,
        height: int,
        objects: tuple[int, int],
        camera_matrix: FloatArray | None = None,
    ) -> Drawn:
        """`count` whole frames with several objects, which may repeat. An object that finds no free place is left out.

        width, height: of the frames, pixels
        objects: (fewest, most) in a frame
        camera_matrix: (3, 3) of all frames, pixels. Default: drawn for each
        """
        own, *others = rng.spawn(6)
        wanted = own.integers(objects[0], objects[1] + 1, count)
        model = own.integers(0, self.models.targets, (count, objects[1]))
        model = np.where(np.arange(objects[1]) < wanted[:, None], model, NONE)
        camera = draw_frame_cameras(self.config.pose, own, count, width, height)
        if camera_matrix is not None:
            camera[:] = camera_matrix
        tries = [draw_frames(self.config.pose, own, self.models, model, camera, (width, height)) for _ in range(_TRIES)]
        views, absent = apart(self.models, tries)
        drawn = self._around(views, absent, others, height, width)
        return self._at_rest(rng.spawn(1)[0], drawn) if self.config.pose.resting > 0 else drawn

    def _at_rest(self, rng: np.random.Generator, drawn: Drawn) -> Drawn:
        """The scenes, with all things at rest on the ground in some of those that have one."""
        scenes, views = drawn.scenes, drawn.views
        lies = (scenes.ground["picture"] != NONE) & (rng.random(len(scenes)) < self.config.pose.resting)
        pose, free = self._solids.at_rest(rng, scenes.mesh, scenes.cam_from_obj, scenes.ground["plane"])
        pose = np.where(lies[:, None, None, None], pose, scenes.cam_from_obj)
        left = free | ~lies[:, None]
        return replace(
            drawn,
            scenes=replace(scenes, cam_from_obj=pose, mesh=np.where(left, scenes.mesh, np.int32(NONE))),
            views=replace(views, cam_from_obj=pose[:, : views.model.shape[1]]),
            target=np.where(left, drawn.target, NONE),
        )

    @functools.cached_property
    def _solids(self) -> Solids:
        return Solids([*self.models.points, *(mesh.vertices for mesh in self.shapes.meshes)])

    def _around(
        self,
        views: Views,
        absent: NDArray[np.bool_],
        rngs: list[np.random.Generator],
        height: int,
        width: int,
    ) -> Drawn:
        """The whole scenes around objects in their poses: ground, light, clutter, surfaces, background and camera.

        absent: (B, T) which objects are left out
        rngs: generators for light, clutter, surfaces, background and camera
        """
        config, pictures, models = self.config, self.pictures, self.models
        for_light, for_clutter, for_surface, for_background, for_camera = rngs
        count = len(views.model)
        main = np.argmax(~absent, axis=1)  # ground and clutter keep to the first object that is there
        ground = self._ground(for_clutter, views, main)
        light, ambient = draw_lights(config.light, for_light, count)
        _keep_above(light, ground, config.light.random)
        if absent.shape[1] > 1:
            views, absent = settled(models, views, absent, ground)
        setting = self._setting(views, absent, main, light, ground, (width, height))
        clutter = draw_clutter(config.clutter, for_clutter, self.shapes, models, pictures, setting)
        target = np.concatenate([np.where(absent, NONE, views.model), clutter.model], axis=1)
        material = draw_object_materials(config.object, for_surface, pictures, models.diameter[target])
        is_shape = clutter.model == NONE
        material[:, absent.shape[1] :][is_shape] = clutter.material[is_shape]
        scenes = Scenes(
            camera_matrix=views.camera_matrix,
            mesh=self._mesh(target, clutter.shape),
            cam_from_obj=np.concatenate([views.cam_from_obj, self._from_origin(clutter)], axis=1),
            material=material,
            light=light,
            ambient=ambient,
            ground=ground,
            background=draw_backgrounds(config.background, for_background, pictures, count, height, width),
        )
        return Drawn(scenes, views, target, draw_shots(config.camera, for_camera, views.detail))

    def _ground(self, rng: np.random.Generator, views: Views, main: NDArray[np.int64]) -> NDArray[np.void]:
        """(B,) of GROUND below the `main` (B,) object of each scene."""
        rows = np.arange(len(main))
        pose, model = views.cam_from_obj[rows, main], views.model[rows, main]
        points = self.models.points[model] @ np.swapaxes(pose[:, :3, :3], 1, 2) + pose[:, None, :3, 3]
        centre, radius = self.models.centres(pose, model), self.models.diameter[model] / 2
        ground = draw_ground(self.config.clutter, rng, self.pictures, centre, radius, points, pose[:, :3, 2])
        if not self.config.background.random:
            ground["picture"] = NONE
        return ground

    def _setting(
        self,
        views: Views,
        absent: NDArray[np.bool_],
        main: NDArray[np.int64],
        light: NDArray[np.void],
        ground: NDArray[np.void],
        size: tuple[int, int],
    ) -> Setting:
        rows = np.arange(len(main))
        centres, radii = self.models.centres(views.cam_from_obj, views.model), self.models.diameter[views.model] / 2
        return Setting(
            model=views.model[rows, main],
            centre=centres[rows, main],
            radius=radii[rows, main],
            camera_matrix=views.camera_matrix,
            size=size,
            taken_centre=np.where(absent[..., None], np.inf, centres),
            taken_radius=radii,
            lamp=light["direction"][:, 0].astype(np.float64),
            ground=ground,
        )

    def _mesh(self, target: NDArray[np.int64], shape: NDArray[np.int64]) -> NDArray[np.int32]:
        """(B, K) numbers of the meshes: of the objects `target` (B, K), and of the clutter's shapes (B, N), which come
        last in a scene.
        """
        mesh = np.full(target.shape, NONE)
        mesh[:, target.shape[1] - shape.shape[1] :] = np.where(shape == NONE, NONE, shape + len(self.models.diameter))
        return np.where(target == NONE, mesh, target).astype(np.int32)

    def _from_origin(self, clutter: Clutter) -> FloatArray:
        """(B, N, 4, 4) the clutter's poses; those of known objects are moved from the mesh's middle to its origin."""
        pose = clutter.cam_from_thing.copy()
        offset = pose[..., :3, :3] @ self.models.centre[clutter.model][..., None]
        pose[..., :3, 3] -= np.where((clutter.model != NONE)[..., None], offset[..., 0], 0)
        return pose


def _keep_above(light: NDArray[np.void], ground: NDArray[np.void], lamps_may_move: bool) -> None:
    """Keep lamps from shining through the ground from below: mirror them at it or, if lamps are fixed, remove it."""
    normal = ground["plane"][:, None, :3]
    depth = np.minimum((light["direction"] * normal).sum(-1, keepdims=True), 0)
    grounded = ground["picture"] != NONE
    if lamps_may_move:
        light["direction"] -= np.where(grounded[:, None, None], 2 * depth * normal, 0)
    else:
        ground["picture"][(depth[:, 0, 0] < 0) & grounded] = NONE
