"""The parts put together: whole batches of scenes for the renderer, and how the camera takes them."""

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
from pose_regressor_training.randomize.clutter import Setting, draw_clutter, draw_ground
from pose_regressor_training.randomize.config import RandomizeConfig
from pose_regressor_training.randomize.light import draw_lights
from pose_regressor_training.randomize.pictures import PICTURE_SIZE, make_pictures
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

LIMB_SHAPES = 16
#: Objects of a whole frame are drawn so often, and the first place where they do not touch is taken.
_TRIES = 12


@dataclass(frozen=True, eq=False)
class Drawn:
    """Scenes to render, and how they are taken.

    views: the objects are in the first T places of the scenes; target (B, K): which object stands in a place, NONE for
    anything else; shots: what the camera does.
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
    """Of an array or a dataclass of such, all with the scenes in their first axis."""
    if isinstance(value, np.ndarray):
        return value[chosen]  # type: ignore[return-value]
    parts = {f.name: _rows(getattr(value, f.name), chosen) for f in fields(value)}  # type: ignore[arg-type]
    return replace(value, **parts)  # type: ignore[type-var]


class SceneSampler:
    """Draws scenes of the objects `models`, whose meshes come first among the renderer's, in the same order.

    beside: other things with meshes, which come next; they only stand around, as objects also do (`clutter.others`).
    The generator that the drawing methods take is split into one for each part: a part that is switched off leaves
    what the others draw as it is. picture_size: edge of the pictures, pixels.
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
        self.pictures = make_pictures(seed, background.pictures, picture_size, background.folder)
        self.shapes = random_shapes(np.random.default_rng((seed, 1)), config.clutter.shapes, LIMB_SHAPES)

    def meshes(self, objects: Sequence[Mesh]) -> list[Mesh]:
        """The meshes that the scenes speak of: those of the objects and what is beside them, then the clutter's."""
        return [*objects, *self.shapes.meshes]

    def windows(self, rng: np.random.Generator, count: int, spec: WindowSpec) -> Drawn:
        """`count` windows as a network looks at them, with one object or none."""
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
        """`count` whole frames with `objects` (fewest, most) of them, drawn from all, each perhaps several times.

        camera_matrix: (3, 3) of the camera; drawn at random if it is not given. An object for which no free place is
        found is left out.
        """
        own, *others = rng.spawn(6)
        wanted = own.integers(objects[0], objects[1] + 1, count)
        model = own.integers(0, self.models.targets, (count, objects[1]))
        model = np.where(np.arange(objects[1]) < wanted[:, None], model, NONE)
        camera = draw_frame_cameras(self.config.pose, own, count, width, height)
        if camera_matrix is not None:
            camera[:] = camera_matrix
        tries = [draw_frames(self.config.pose, own, self.models, model, camera, (width, height)) for _ in range(_TRIES)]
        views, absent = self._apart(tries)
        drawn = self._around(views, absent, others, height, width)
        return self._at_rest(rng.spawn(1)[0], drawn) if self.config.pose.resting > 0 else drawn

    def _at_rest(self, rng: np.random.Generator, drawn: Drawn) -> Drawn:
        """With everything lying on its ground, in some of the scenes that have one."""
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

    def _apart(self, tries: list[Views]) -> tuple[Views, NDArray[np.bool_]]:
        """For every object the first of the tried poses that keeps it off those before it; (B, T) which found none."""
        model = tries[0].model
        radius = self.models.diameter[model] / 2
        chosen = tries[0].cam_from_obj.copy()
        centres = np.full((*model.shape, 3), np.inf)
        absent = model == NONE
        for place in range(model.shape[1]):
            waiting = ~absent[:, place]
            for views in tries:
                pose = views.cam_from_obj[:, place]
                centre = self._centres(pose, model[:, place])
                free = _clear_of(centre, radius[:, place], centres[:, :place], radius[:, :place]) & waiting
                chosen[free, place], centres[free, place] = pose[free], centre[free]
                waiting &= ~free
            absent[:, place] |= waiting
        return replace(tries[0], cam_from_obj=chosen), absent

    def _settled(
        self, views: Views, absent: NDArray[np.bool_], ground: NDArray[np.void]
    ) -> tuple[Views, NDArray[np.bool_]]:
        """All objects moved along the ground's normal until they touch it; those that now touch each other left out."""
        grounded = ground["picture"] != NONE
        normal, offset = ground["plane"][:, None, :3].astype(np.float64), ground["plane"][:, None, 3]
        centre = self._centres(views.cam_from_obj, views.model)
        support = self.models.support[views.model] @ np.swapaxes(views.cam_from_obj[..., :3, :3], -1, -2)
        height = (support @ normal[..., None])[..., 0].min(-1) + (centre * normal).sum(-1) + offset
        lift = np.where(grounded[:, None], -height, 0)[..., None] * normal
        pose = views.cam_from_obj.copy()
        pose[..., :3, 3] += lift
        centre = centre + lift
        radius = self.models.diameter[views.model] / 2
        absent = absent | (centre[..., 2] < 1.2 * radius)
        for place in range(1, absent.shape[1]):
            others = np.where(absent[:, :place, None], np.inf, centre[:, :place])
            clear = _clear_of(centre[:, place], radius[:, place], others, radius[:, :place])
            absent[:, place] |= ~clear & grounded
        return replace(views, cam_from_obj=pose), absent

    def _centres(self, cam_from_obj: FloatArray, model: NDArray[np.int64]) -> FloatArray:
        return (cam_from_obj[..., :3, :3] @ self.models.centre[model][..., None])[..., 0] + cam_from_obj[..., :3, 3]

    def _around(
        self,
        views: Views,
        absent: NDArray[np.bool_],
        rngs: list[np.random.Generator],
        height: int,
        width: int,
    ) -> Drawn:
        """Light, ground, clutter, surfaces, background and camera for objects in their poses."""
        config, pictures, models = self.config, self.pictures, self.models
        for_light, for_clutter, for_surface, for_background, for_camera = rngs
        rows = np.arange(len(views.model))
        main = np.argmax(~absent, axis=1)  # ground and clutter keep to the first object that is there
        pose, model = views.cam_from_obj[rows, main], views.model[rows, main]
        centres, radii = self._centres(views.cam_from_obj, views.model), models.diameter[views.model] / 2
        points = models.points[model] @ np.swapaxes(pose[:, :3, :3], 1, 2) + pose[:, None, :3, 3]
        ground = draw_ground(
            config.clutter, for_clutter, pictures, centres[rows, main], radii[rows, main], points, pose[:, :3, 2]
        )
        light, ambient = draw_lights(config.light, for_light, len(rows))
        if not config.background.random:
            ground["picture"] = NONE
        _keep_above(light, ground, config.light.random)
        if absent.shape[1] > 1:
            views, absent = self._settled(views, absent, ground)
            centres = self._centres(views.cam_from_obj, views.model)
        setting = Setting(
            model=model,
            centre=centres[rows, main],
            radius=radii[rows, main],
            camera_matrix=views.camera_matrix,
            size=(width, height),
            taken_centre=np.where(absent[..., None], np.inf, centres),
            taken_radius=radii,
            lamp=light["direction"][:, 0].astype(np.float64),
            ground=ground,
        )
        clutter = draw_clutter(config.clutter, for_clutter, self.shapes, models, pictures, setting)
        target = np.concatenate([np.where(absent, NONE, views.model), clutter.model], axis=1)
        mesh = np.full(target.shape, NONE)
        mesh[:, absent.shape[1] :] = np.where(clutter.shape == NONE, NONE, clutter.shape + len(models.diameter))
        mesh = np.where(target == NONE, mesh, target)
        cam_from_obj = np.concatenate([views.cam_from_obj, clutter.cam_from_thing], axis=1)
        another = clutter.model != NONE
        offset = cam_from_obj[:, absent.shape[1] :, :3, :3] @ models.centre[clutter.model][..., None]
        cam_from_obj[:, absent.shape[1] :, :3, 3] -= np.where(another[..., None], offset[..., 0], 0)
        material = draw_object_materials(config.object, for_surface, pictures, models.diameter[target])
        material[:, absent.shape[1] :][~another] = clutter.material[~another]
        scenes = Scenes(
            camera_matrix=views.camera_matrix,
            mesh=mesh.astype(np.int32),
            cam_from_obj=cam_from_obj,
            material=material,
            light=light,
            ambient=ambient,
            ground=ground,
            background=draw_backgrounds(config.background, for_background, pictures, len(rows), height, width),
        )
        return Drawn(scenes, views, target, draw_shots(config.camera, for_camera, views.detail))


def _clear_of(centre: FloatArray, radius: FloatArray, others: FloatArray, radii: FloatArray) -> NDArray[np.bool_]:
    """(B,) whether balls at (B, 3) touch none of those at (B, N, 3)."""
    return (np.linalg.norm(centre[:, None] - others, axis=-1) > radius[:, None] + radii).all(1)


def _keep_above(light: NDArray[np.void], ground: NDArray[np.void], lamps_may_move: bool) -> None:
    """No lamp shines through the ground from below: it is mirrored at it or, where lamps are fixed, the ground goes."""
    normal = ground["plane"][:, None, :3]
    depth = np.minimum((light["direction"] * normal).sum(-1, keepdims=True), 0)
    grounded = ground["picture"] != NONE
    if lamps_may_move:
        light["direction"] -= np.where(grounded[:, None, None], 2 * depth * normal, 0)
    else:
        ground["picture"][(depth[:, 0, 0] < 0) & grounded] = NONE
