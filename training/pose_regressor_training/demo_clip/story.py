"""What happens in the demo clip.

A suction gripper lifts the box off a table, turns it about and sets it down again. On the way, a gloved hand passes in
front of it.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from pose_regressor.types import Camera, FloatArray
from pose_regressor_training.demo_clip.scene import (
    Cuboid,
    Item,
    Lamp,
    Lathe,
    Material,
    MeshFile,
    Scene,
    at,
    glide,
    rotation,
)
from pose_regressor_training.meshes.primitives import Capsules
from pose_regressor_training.scenes import looking_at
from pose_regressor_training.test_objects.box import SIZE

FRAMES = 120
RATE = 30.0  # frames per second
CAMERA = Camera(640, 480, np.array([[610.0, 0, 319.5], [0, 610.0, 239.5], [0, 0, 1]]))

#: By frame: the box's centre (metres), its turn about the vertical, its tilt to the camera and its roll (degrees).
_BOX = {
    7: (0.00, 0.00, 0.055, -22, 0, 0),
    24: (0.00, -0.03, 0.150, -4, 8, 0),
    42: (0.03, -0.07, 0.200, 50, 34, -8),
    60: (-0.02, -0.11, 0.195, 108, -8, 14),
    79: (-0.05, -0.08, 0.210, 172, -46, -14),
    97: (0.01, -0.03, 0.170, 244, 24, 4),
    112: (0.02, -0.01, 0.055, 292, 0, 0),
}
#: By frame: the camera's place and what it looks at.
_EYE = {0: (0.22, -0.76, 0.40), 40: (0.06, -0.69, 0.42), 80: (-0.12, -0.62, 0.42), 119: (-0.17, -0.44, 0.31)}
_TARGET = {0: (0.02, 0.02, 0.07), 40: (0.01, -0.03, 0.15), 80: (-0.02, -0.05, 0.155), 119: (0.01, 0.01, 0.07)}
#: By frame: how far the hand is to the right of the line of sight to the box, and below it.
_HAND = {34: (0.56, 0.09), 58: (0.086, 0.014), 69: (0.077, 0.008), 86: (0.40, 0.07)}
_HAND_DEPTH = 0.72  # part of the way from the camera to the box
_SHOULDER = (-0.20, 0.60, 0.95)  # the gripper's arm points at this place outside the image

_WRIST = SIZE[1] / 2 + 0.13  # along the box's y axis, upwards


def clip_scene(box: Path) -> Scene:
    """box: path of the mesh that `test_objects.make_box` wrote."""
    box_poses = _box_poses()
    camera_poses = looking_at(glide(_EYE, FRAMES) + _unsteady(), glide(_TARGET, FRAMES) + _unsteady(phase=2.0))
    return Scene(
        camera=CAMERA,
        camera_poses=camera_poses,
        items=(
            Item("box", MeshFile(box, bevel=0.0008), box_poses),
            *_gripper(box_poses),
            *_hand(box_poses, camera_poses),
            *_surroundings(),
        ),
        world="interior",
        world_turn=2.2,
        world_strength=0.55,
        lamps=(Lamp((-0.9, -0.5, 1.3), (0.0, 0.0, 0.1), 0.45, 14.0, (1.0, 0.9, 0.78)),),
        white_balance=4600.0,
    )


def _unsteady(phase: float = 0.0) -> FloatArray:
    """(FRAMES, 3) metres: the tremble of a hand-held camera."""
    time = np.arange(FRAMES)[:, None] / RATE
    pitch = np.array([[1.1, 1.7, 1.4]])
    return np.asarray(0.0015 * np.sin(2 * np.pi * pitch * time + phase + np.array([[0.0, 1.3, 2.1]])))


def _box_poses() -> FloatArray:
    motion = glide(_BOX, FRAMES)
    turn, tilt, roll = np.radians(motion[:, 3:]).T
    upright = rotation("x", np.pi / 2)  # the box's y axis up, its front to the camera
    poses = np.broadcast_to(np.eye(4), (FRAMES, 4, 4)).copy()
    poses[:, :3, :3] = rotation("x", tilt) @ rotation("y", roll) @ rotation("z", turn) @ upright
    poses[:, :3, 3] = motion[:, :3]
    return poses


def _gripper(box_poses: FloatArray) -> tuple[Item, ...]:
    """Cup and rod move with the box. The arm joins the rod's end to the shoulder."""
    up = np.eye(4)
    up[:3, :3] = rotation("x", -np.pi / 2)  # the cup's z axis along the box's y
    up[:3, 3] = 0, SIZE[1] / 2, 0
    cup_poses = box_poses @ up
    wrist = (box_poses @ np.array([0, _WRIST, 0, 1.0]))[:, :3]
    along = np.array(_SHOULDER) - wrist
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    arm_poses = looking_at(wrist, wrist + along)  # z forward: along the arm
    rubber, steel = Material((0.06, 0.06, 0.07), 0.7), Material((0.72, 0.73, 0.75), 0.3, 1.0)
    shell = Material((0.86, 0.87, 0.88), 0.35)
    reach = _WRIST - SIZE[1] / 2
    cup = ((0.0, 0.0), (0.014, 0.0), (0.016, 0.002), (0.011, 0.006), (0.014, 0.010), (0.009, 0.014), (0.0, 0.016))
    rod = ((0.0, 0.014), (0.006, 0.014), (0.006, reach), (0.0, reach))
    return (
        Item("cup", Lathe(cup), cup_poses, rubber),
        Item("rod", Lathe(rod), cup_poses, steel),
        Item("wrist", Capsules((((0, 0, 0), (0, 0, 0.03), 0.024),)), arm_poses, Material((0.80, 0.40, 0.12), 0.4)),
        Item("arm", Capsules((((0, 0, 0.05), (0, 0, 1.0), 0.019),)), arm_poses, shell),
    )


def _hand(box_poses: FloatArray, camera_poses: FloatArray) -> tuple[Item, ...]:
    """A left hand in a glove, its fingers to the left, kept between the camera and the box."""
    box_in_camera = (np.linalg.inv(camera_poses) @ box_poses)[:, :3, 3]
    place = _HAND_DEPTH * box_in_camera
    place[:, :2] += glide(_HAND, FRAMES)
    poses = np.broadcast_to(np.eye(4), (FRAMES, 4, 4)).copy()
    poses[:, :3, :3] = rotation("z", np.radians(24)) @ rotation("x", np.radians(-20))
    poses[:, :3, 3] = place
    poses = camera_poses @ poses
    rods: list[tuple[tuple[float, float, float], tuple[float, float, float], float]] = []
    for y, length in ((-0.030, 0.066), (-0.010, 0.076), (0.010, 0.071), (0.030, 0.055)):
        knuckle, joint = (-0.005, y, 0.0), (-0.005 - 0.55 * length, 1.15 * y, -0.008)
        rods += [
            ((0.085, 0.5 * y, 0.004), knuckle, 0.0125),
            (knuckle, joint, 0.0092),
            (joint, (-0.005 - length, 1.2 * y, 0.008), 0.0080),
        ]
    rods += [((0.085, 0.5 * y, 0.005), (0.003, y, 0.003), 0.012) for y in (-0.02, 0.0, 0.02)]
    rods += [((0.07, -0.025, 0.0), (0.035, -0.055, 0.012), 0.0115), ((0.035, -0.055, 0.012), (0.0, -0.068, 0.02), 0.01)]
    rods += [((0.085, 0.0, 0.004), (0.13, 0.0, 0.004), 0.026)]
    sleeve = Capsules((((0.135, 0.0, 0.004), (0.55, 0.0, 0.03), 0.036),))
    return (
        Item("hand", Capsules(tuple(rods), melt=True), poses, Material((0.16, 0.33, 0.62), 0.45)),
        Item("sleeve", sleeve, poses, Material((0.30, 0.31, 0.33), 0.9)),
    )


def _surroundings() -> tuple[Item, ...]:
    """The table and the clutter on it."""
    mug = (
        (0.0, 0.0), (0.034, 0.0), (0.038, 0.004), (0.040, 0.03), (0.040, 0.090), (0.0385, 0.092), (0.037, 0.090),
        (0.036, 0.012), (0.030, 0.006), (0.0, 0.006),
    )  # fmt: skip
    angles = np.linspace(-0.5 * np.pi, 0.5 * np.pi, 9)
    bow = [(0.036 + 0.026 * float(np.cos(a)), 0.0, 0.048 + 0.028 * float(np.sin(a))) for a in angles]
    handle = Capsules(tuple((a, b, 0.0055) for a, b in pairwise(bow)))
    ball = tuple((0.034 * float(np.sin(a)), 0.034 - 0.034 * float(np.cos(a))) for a in np.linspace(0, np.pi, 33))
    tin = (
        (0.0, 0.0), (0.036, 0.0), (0.037, 0.002), (0.036, 0.004), (0.036, 0.100), (0.037, 0.102), (0.036, 0.104),
        (0.034, 0.104), (0.034, 0.101), (0.0, 0.101),
    )  # fmt: skip
    bottle = (
        (0.0, 0.0), (0.030, 0.0), (0.034, 0.004), (0.034, 0.13), (0.030, 0.155), (0.014, 0.185), (0.013, 0.215),
        (0.0, 0.215),
    )  # fmt: skip
    mug_pose, china = at(-0.27, 0.10, 0.0, 160), Material((0.82, 0.80, 0.76), 0.25)
    return (
        Item(
            "table", Cuboid((1.7, 1.3, 0.04), 0.004), at(0, 0.02, -0.02), Material((0.60, 0.47, 0.34), 0.42, 0, "wood")
        ),
        Item("mug", Lathe(mug), mug_pose, china),
        Item("handle", handle, mug_pose, china),
        Item("ball", Lathe(ball), at(0.21, -0.10, 0.0), Material((0.78, 0.36, 0.14), 0.6)),
        Item("tin", Lathe(tin), at(0.33, 0.22, 0.0), Material((0.75, 0.75, 0.74), 0.28, 1.0)),
        Item("bottle", Lathe(bottle), at(-0.12, 0.33, 0.0), Material((0.10, 0.30, 0.16), 0.15)),
        *_book("low", (0.26, 0.19, 0.032), at(0.24, 0.36, 0.0, 18), (0.15, 0.22, 0.42)),
        *_book("high", (0.22, 0.15, 0.024), at(0.23, 0.37, 0.032, -9), (0.62, 0.14, 0.14)),
        *_book("far", (0.20, 0.28, 0.022), at(-0.44, 0.32, 0.0, 28), (0.86, 0.70, 0.28)),
        Item("carton", Cuboid((0.15, 0.20, 0.09)), at(0.56, 0.12, 0.045, 30), Material((0.62, 0.46, 0.30), 0.8)),
        Item(
            "pencil",
            Capsules((((-0.08, 0, 0.004), (0.08, 0, 0.004), 0.004),)),
            at(-0.20, -0.14, 0.0, 35),
            Material((0.90, 0.72, 0.10), 0.4),
        ),
    )


def _book(
    name: str, size: tuple[float, float, float], pose: FloatArray, color: tuple[float, float, float]
) -> tuple[Item, ...]:
    """A block of paper between two covers and a spine, lying on its back. pose: of the middle of its lower side."""
    width, depth, height = size
    cover, paper = Material(color, 0.6), Material((0.86, 0.83, 0.74), 0.9)
    thick = 0.0025

    def part(label: str, size: tuple[float, float, float], x: float, z: float, material: Material) -> Item:
        return Item(f"book {name} {label}", Cuboid(size, 0.0006), pose @ at(x, 0, z), material)

    return (
        part("back", (width, depth, thick), 0, thick / 2, cover),
        part("front", (width, depth, thick), 0, height - thick / 2, cover),
        part("spine", (thick, depth, height), -width / 2 + thick / 2, height / 2, cover),
        part("pages", (width - 0.008, depth - 0.008, height - 2 * thick), 0, height / 2, paper),
    )
