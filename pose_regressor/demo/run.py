"""The demo: three processes over DDS or Zenoh on this machine, and how well the poses that arrive fit the true ones.

A player publishes the shipped clip as a camera would, the node estimates, and this process listens to the transforms
on /tf and to the node's detections, which come for every image it looked at. Stamps tell which image they belong to.
With depth, the player also publishes the clip's depth, and the node's diagnostics tell for how many images it came.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pose_regressor.assets import demo_folder, find_model
from pose_regressor.demo.processes import Processes, own_network
from pose_regressor.demo.results import FrameResult, Image, Summary, evaluate, summarise
from pose_regressor.draw import contact_sheet, draw_box, draw_pose, draw_text
from pose_regressor.files.bop import read_scene_gt
from pose_regressor.files.cameras import load_camera
from pose_regressor.files.io import read_json, write_json
from pose_regressor.middleware.kit.pacing import FIRST_ANSWER, RATES, SEND_AGAIN, TRIES, Answers
from pose_regressor.middleware.kit.player import AUTO, DEFAULT_RATE, DETECTIONS
from pose_regressor.sources import Source, open_source
from pose_regressor.types import FloatArray, InputError, ObjectModel
from pose_regressor.video import video_writer, write_image

if TYPE_CHECKING:
    from pose_regressor.middleware.messages.transforms import StampedTransform

OBJECT = "box"
DEPTH_TOPIC = "depth"
START_TIMEOUT = 120.0  # seconds until the node listens: importing from a cold disk takes its time
LAST_DIAGNOSTICS = 5.0  # seconds to wait for the node's diagnostics
LAST_FRAMES = 2.0  # seconds to wait for the answer to the last image
SHEET_IMAGES = 12

#: Called now and then with the number of images answered and of all images.
Report = Callable[[int, int], None]


class Listening(Protocol):
    """What the listeners of all middlewares offer."""

    answers: Answers

    @property
    def transforms(self) -> list[StampedTransform]: ...


class DepthCounts:
    """For how many images the node had depth, as its diagnostics say, which come once a second."""

    def __init__(self) -> None:
        self._with, self._without = 0, 0
        self._came = threading.Event()

    @property
    def share(self) -> float:
        """Of all images that the node has looked at until its last diagnostics."""
        return self._with / max(1, self._with + self._without)

    def wait(self) -> float:
        """The share once the next diagnostics have come, or have not come for LAST_DIAGNOSTICS."""
        self._came.clear()
        self._came.wait(LAST_DIAGNOSTICS)
        return self.share

    def on_diagnostics(self, msg: Any) -> None:
        """Takes a diagnostic_msgs/DiagnosticArray."""
        for status in msg.status:
            if str(status.name).endswith(": depth"):
                values = {str(value.key): str(value.value) for value in status.values}
                self._with = int(values.get("Images with depth since startup", 0))
                without = (count for key, count in values.items() if key.startswith("Without depth since startup"))
                self._without = sum(map(int, without))
                self._came.set()


@dataclass(frozen=True, eq=False)
class Clip:
    """What the demo plays, and what is true of it. depth: folder; truth: (4, 4) cam_from_obj by frame number."""

    video: Path
    camera: Path
    depth: Path
    bundle: Path
    model: ObjectModel
    truth: dict[int, FloatArray]


def shipped_clip() -> Clip:
    """The shipped clip and bundle. InputError: one is not there, or they do not belong together."""
    from pose_regressor.network.bundle import Bundle

    folder, bundle = demo_folder(), find_model(OBJECT)
    model = next((model for model in Bundle.load(bundle).objects if model.name == OBJECT), None)
    if model is None:
        raise InputError(f"demo: expected the object {OBJECT} in {bundle}")
    truth = {
        index: pose.cam_from_obj
        for index, poses in read_scene_gt(folder / "scene_gt.json").items()
        for pose in poses
        if pose.obj_id == model.obj_id
    }
    return Clip(folder / "box.mp4", folder / "camera.json", folder / "depth", bundle, model, truth)


def run_demo(out: Path, rate: float | None, report: Report, depth: bool = False, middleware: str = "auto") -> Summary:
    """Runs the demo. Writes overlay.mp4, contact_sheet.png, result.json and the processes' logs to `out`.

    rate: images a second; None: as fast as the node answers. depth: play the clip's depth, too. middleware: dds, zenoh
    or auto. InputError: something it needs is missing, or a process failed.
    """
    from pose_regressor.middleware import choose_standalone, program

    try:
        chosen = choose_standalone(middleware)
    except InputError as error:
        raise InputError(f"demo: {error}; under ROS 2: ros2 launch pose_regressor demo.launch.py") from None
    listen = program(chosen, "listener", "TfListener")
    clip = shipped_clip()
    record = fresh_record(out)
    counted = DepthCounts()
    with (
        own_network(chosen),
        listen(detections=DETECTIONS, diagnostics=counted.on_diagnostics) as listener,
        Processes(out) as processes,
    ):
        node = ["run", "--middleware", chosen, "--model", str(clip.bundle)]
        processes.start("node", "pose_regressor", *node, *(["--depth-topic", DEPTH_TOPIC] if depth else []))
        # The player waits until the node subscribes.
        player = [f"pose_regressor.middleware.{chosen}.player", str(clip.video), "--camera", str(clip.camera)]
        player += ["--rate", f"{rate:g}" if rate else AUTO, "--timeout", f"{START_TIMEOUT:g}", "--record", str(record)]
        player += ["--depth", str(clip.depth) if depth else "off", "--depth-topic", DEPTH_TOPIC]
        processes.start("player", *player)

        def check() -> None:
            processes.check("node")
            if not processes.running("player") and not record.exists():
                raise InputError(f"demo: the player was ended before the clip (log: {out}/player.log)")

        images = receive(listener, record, len(clip.truth), rate, report, check)
        answered, transforms = set(listener.answers.received), listener.transforms
        with_depth = counted.wait() if depth else None
    return conclude(out, clip, images, answered, transforms, with_depth)


def fresh_record(out: Path) -> Path:
    """Makes the folder, deletes an old record in it, and returns the path where the player will write its stamps."""
    record = out / "stamps.json"
    try:
        out.mkdir(parents=True, exist_ok=True)
        record.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{out}: expected a folder to write to ({error.strerror})") from None
    return record


def receive(
    listener: Listening,
    record: Path,
    frames: int,
    rate: float | None,
    report: Report,
    check: Callable[[], None] = lambda: None,
) -> list[Image]:
    """Waits until the player has written its record, which it does at its end, and the last image is answered.

    rate: as for run_demo; check: called now and then, raises if waiting is pointless. Returns the images as played.
    """
    deadline = time.monotonic() + START_TIMEOUT + FIRST_ANSWER + TRIES * SEND_AGAIN + 2 * frames / (rate or RATES[-1])
    while not record.exists():
        check()
        if time.monotonic() > deadline:
            raise InputError(f"demo: the player did not end in time: {record} was not written")
        report(len(listener.answers.received), frames)
        time.sleep(0.1)
    images = [Image(int(index), int(stamp), float(wanted)) for index, stamp, wanted in read_json(record)]
    listener.answers.wait(max((image.stamp for image in images), default=0), LAST_FRAMES)
    report(len(listener.answers.received), frames)
    return images


def conclude(
    out: Path,
    clip: Clip,
    images: Sequence[Image],
    answered: set[int],
    transforms: Sequence[StampedTransform],
    with_depth: float | None = None,
) -> Summary:
    """Compares with the true poses and writes overlay.mp4, contact_sheet.png and result.json.

    answered: stamps of the images that the node answered. with_depth: as in Summary.
    """
    results = evaluate(clip.model, clip.truth, images, answered, transforms)
    summary = summarise(results, images, with_depth)
    with open_source(clip.video, load_camera(clip.camera)) as source:
        _draw(out, source, clip.model, clip.truth, {result.index: result for result in results})
    each = [{key: value for key, value in asdict(result).items() if key != "cam_from_obj"} for result in results]
    verdict = {"good": summary.good, "failure": summary.failure}
    write_json(out / "result.json", {**asdict(summary), **verdict, "each": each})
    return summary


def _draw(
    out: Path, source: Source, model: ObjectModel, truth: Mapping[int, FloatArray], results: Mapping[int, FrameResult]
) -> None:
    """overlay.mp4 with every frame, contact_sheet.png with some of them; the true pose as a thin white box."""
    chosen = set(np.linspace(0, max(results), SHEET_IMAGES).round().astype(int).tolist())
    sheet = []
    with video_writer(out / "overlay.mp4", source.fps or DEFAULT_RATE) as add:
        for frame in source:
            canvas = frame.image.copy()
            result = results.get(frame.index, FrameResult(frame.index))
            if frame.index in truth:
                draw_box(canvas, frame.camera, model, truth[frame.index])
            if result.cam_from_obj is not None:
                distance = np.linalg.norm(result.cam_from_obj[:3, 3])
                label = f"{model.name} {distance:.2f} m, ADD {result.add:.3f} d"
                draw_pose(canvas, frame.camera, model, result.cam_from_obj, label)
            missing = "" if result.found else ": not found" if result.answered else ": not answered"
            draw_text(canvas, f"{frame.index}{missing}")
            add(canvas)
            if frame.index in chosen:
                sheet.append(canvas)
    write_image(out / "contact_sheet.png", contact_sheet(sheet))
