"""One look at one place in a frame. It passes through four steps: windows -> network -> decode -> refine.

Each step reads what the steps before it left in the `Look` and adds its own part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.estimation.boxes import image_box
from pose_regressor.estimation.correspondences import quarter_turns
from pose_regressor.estimation.refine_colors import ZOOM
from pose_regressor.estimation.refine_depth import Evidence
from pose_regressor.estimation.sensor_bias import BiasBelief
from pose_regressor.estimation.windows import DepthWindow, Window, crop_window, cut_depth, finer_window
from pose_regressor.network.config import NetworkConfig
from pose_regressor.network.runners import Runner
from pose_regressor.types import Camera, FloatArray, Frame, ObjectModel, PoseEstimate


@dataclass(frozen=True, eq=False)
class Candidate:
    """Where to look, and for what.

    network: number of the network that knows the object
    bundle: number of the bundle that knows it
    channel: the object's number in that network
    model: the object
    box: (4,) x0, y0, x1, y1 in ideal pinhole pixels
    """

    network: int
    bundle: int
    channel: int
    model: ObjectModel
    box: FloatArray


@dataclass(frozen=True, eq=False)
class Answer:
    """What the network says of one object in one crop, which it sees in T orientations, a quarter turn apart.

    presence: probability that the crop shows the object, the mean over the orientations
    coordinates: (T, 3, h, w) object coordinates in [-1, 1], as in PoseOutput
    mask: (T, h, w) logits of "this cell shows the object"
    certainty: (T, h, w) minus the logarithm of the scale of the coordinates' errors
    rotation_6d: (6,) regressed rotation, of the crop as it is
    location: (3,) regressed place, of the crop as it is
    """

    presence: float
    coordinates: NDArray[np.float32]
    mask: NDArray[np.float32]
    certainty: NDArray[np.float32]
    rotation_6d: NDArray[np.float32]
    location: NDArray[np.float32]


@dataclass(eq=False)
class Look:
    """What is known of one candidate so far. The later fields do not exist before their step.

    candidate: where to look (the first step, windows)
    window: the crop around it
    finer: the same view in ZOOM times as many pixels; None if it is not wanted or the image has no more to show
    depth: behind the window; None if the frame has none
    answer: what the network says of the crop (the second step)
    cam_from_obj: (4, 4) the pose (set by the third step, decode; improved by the fourth, refine)
    covariance: (6, 6) of the pose, as in PoseEstimate
    method: how the pose was decoded
    score: in [0, 1], raw: not yet calibrated
    evidence: what depth says of the pose; None if it says nothing
    bias: what the pose says of the depth sensor's error; None if depth has not moved it
    """

    candidate: Candidate
    window: Window
    finer: Window | None = None
    depth: DepthWindow | None = None
    answer: Answer = field(init=False)
    cam_from_obj: FloatArray = field(init=False)
    covariance: FloatArray = field(init=False)
    method: Literal["pnp", "regression"] = field(init=False)
    score: float = field(init=False)
    evidence: Evidence | None = field(init=False, default=None)
    bias: BiasBelief | None = field(init=False, default=None)

    @property
    def crop_size(self) -> int:
        """Pixels along the crop's edges."""
        return len(self.window.image)

    def estimate(self, camera: Camera) -> PoseEstimate:
        """The outcome; camera: of the frame."""
        model = self.candidate.model
        box = image_box(model, self.cam_from_obj, camera)
        share = self.evidence.share if self.evidence else None
        return PoseEstimate(model, self.cam_from_obj, self.covariance, self.score, self.method, box, depth_share=share)


def cut_windows(frame: Frame, candidates: Sequence[Candidate], config: NetworkConfig) -> list[Look]:
    """First step: cut a crop around each candidate's box."""
    looks = []
    for candidate in candidates:
        window = crop_window(frame.image, frame.camera, candidate.box, config.crop_margin, config.crop_size)
        depth = None
        if frame.depth is not None:
            size = config.crop_size, config.crop_size
            depth = cut_depth(frame.depth, frame.camera, window.camera_matrix, size)
        looks.append(Look(candidate, window, depth=depth))
    return looks


def cut_finer(frame: Frame, look: Look, config: NetworkConfig) -> None:
    """Before the fourth step: cut the finer crop, which refinement on colours looks at."""
    box = look.candidate.box
    look.finer = finer_window(look.window, frame.image, frame.camera, box, config.crop_margin, ZOOM)


def ask_network(looks: Sequence[Look], runner: Runner, turns: int) -> None:
    """Second step: run the network on all crops, each in `turns` orientations."""
    boxes, poses = runner(quarter_turns([look.window.image for look in looks], turns))
    presence = (1 / (1 + np.exp(-boxes.logits.max((2, 3))))).reshape(turns, len(looks), -1).mean(0)
    maps = {field.name: getattr(poses, field.name) for field in fields(poses)}
    for row, look in enumerate(looks):
        channel = look.candidate.channel
        own = {name: values[row :: len(looks), channel] for name, values in maps.items()}
        # The pose is regressed from the crop as it is, the first of its orientations.
        own |= {name: own[name][0] for name in ("rotation_6d", "location")}
        look.answer = Answer(float(presence[row, channel]), **own)


def as_batch(windows: Sequence[Window]) -> NDArray[np.uint8]:
    """(B, 3, H, W): the images of windows of one size."""
    return np.stack([np.stack(cv2.split(window.image)) for window in windows])
