"""The demo: three processes over DDS on this machine, and how well the poses that arrive fit the true ones.

A player publishes the shipped clip as a camera would, the node estimates, and this process listens on /tf. Stamps tell
which frame a transform belongs to.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pose_regressor.assets import demo_folder, find_model
from pose_regressor.demo.processes import Processes, own_domain
from pose_regressor.demo.results import FrameResult, Summary, evaluate, summarise
from pose_regressor.draw import contact_sheet, draw_box, draw_pose, draw_text
from pose_regressor.files.bop import read_scene_gt
from pose_regressor.files.cameras import load_camera
from pose_regressor.files.io import read_json, write_json
from pose_regressor.sources import Source, open_source
from pose_regressor.types import FloatArray, InputError, ObjectModel
from pose_regressor.video import video_writer, write_image

if TYPE_CHECKING:
    from pose_regressor.middleware.messages.transforms import StampedTransform

OBJECT = "box"
START_TIMEOUT = 120.0  # seconds until the node listens: importing torch from a cold disk takes its time
LAST_FRAMES = 2.0  # seconds to wait for transforms after the last image
SHEET_IMAGES = 12

#: Called now and then with the number of frames answered and of all frames.
Report = Callable[[int, int], None]


class Listening(Protocol):
    """What the listeners of both middlewares offer."""

    @property
    def transforms(self) -> list[StampedTransform]: ...
    def wait(self, until: Callable[[list[StampedTransform]], bool], timeout: float) -> bool: ...


@dataclass(frozen=True, eq=False)
class Clip:
    """What the demo plays, and what is true of it. truth: (4, 4) cam_from_obj by frame number."""

    video: Path
    camera: Path
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
    return Clip(folder / "box.mp4", folder / "camera.json", bundle, model, truth)


def run_demo(out: Path, rate: float, report: Report) -> Summary:
    """Run the demo over DDS and write overlay.mp4, contact_sheet.png, result.json and the processes' logs to `out`.

    rate: frames a second. Raises InputError when something it needs is not there, or a process fails.
    """
    from pose_regressor.middleware import missing

    if reason := missing("dds"):
        raise InputError(f"demo: {reason}; under ROS 2: ros2 launch pose_regressor demo.launch.py")
    from pose_regressor.middleware.dds.listener import TfListener

    clip = shipped_clip()
    record = fresh_record(out)
    with own_domain(), TfListener() as listener, Processes(out) as processes:
        processes.start("node", "pose_regressor", "run", "--middleware", "dds", "--model", str(clip.bundle))
        # It waits for the node to subscribe.
        player = ["pose_regressor.middleware.dds.player", str(clip.video), "--camera", str(clip.camera)]
        player += ["--rate", f"{rate:g}", "--timeout", f"{START_TIMEOUT:g}", "--record", str(record)]
        processes.start("player", *player)

        def check() -> None:
            processes.check("node")
            if not processes.running("player") and not record.exists():
                raise InputError(f"demo: the player was ended before the clip (log: {out}/player.log)")

        stamps = receive(listener, record, len(clip.truth), rate, report, check)
        transforms = listener.transforms
    return conclude(out, clip, stamps, transforms)


def fresh_record(out: Path) -> Path:
    """Makes the folder; the file to which the player will write its stamps, which is not there yet."""
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
    rate: float,
    report: Report,
    check: Callable[[], None] = lambda: None,
) -> dict[int, int]:
    """Waits until the player has written its stamps, which is when it ends, and the last is answered; frame numbers by
    stamp. check: called now and then, to raise what makes waiting pointless."""
    deadline = time.monotonic() + START_TIMEOUT + 2 * frames / rate

    def answered() -> int:
        return len({transform.stamp for transform in listener.transforms})

    while not record.exists():
        check()
        if time.monotonic() > deadline:
            raise InputError(f"demo: the player did not end in time: {record} was not written")
        report(answered(), frames)
        time.sleep(0.1)
    stamps = {int(stamp): int(index) for index, stamp in read_json(record)}
    last = max(stamps, default=0)
    listener.wait(lambda transforms: any(transform.stamp == last for transform in transforms), LAST_FRAMES)
    report(answered(), frames)
    return stamps


def conclude(out: Path, clip: Clip, stamps: Mapping[int, int], transforms: Sequence[StampedTransform]) -> Summary:
    """Compares with the true poses and writes overlay.mp4, contact_sheet.png and result.json."""
    results = evaluate(clip.model, clip.truth, stamps, transforms)
    summary = summarise(results, transforms)
    with open_source(clip.video, load_camera(clip.camera)) as source:
        _draw(out, source, clip.model, clip.truth, {result.index: result for result in results})
    each = [{key: value for key, value in asdict(result).items() if key != "cam_from_obj"} for result in results]
    write_json(out / "result.json", {**asdict(summary), "good": summary.good, "each": each})
    return summary


def _draw(
    out: Path, source: Source, model: ObjectModel, truth: Mapping[int, FloatArray], results: Mapping[int, FrameResult]
) -> None:
    """overlay.mp4 with every frame, contact_sheet.png with some of them; the true pose as a thin white box."""
    chosen = set(np.linspace(0, max(results), SHEET_IMAGES).round().astype(int).tolist())
    sheet = []
    with video_writer(out / "overlay.mp4", source.fps or 30.0) as add:
        for frame in source:
            canvas = frame.image.copy()
            result = results.get(frame.index, FrameResult(frame.index))
            if frame.index in truth:
                draw_box(canvas, frame.camera, model, truth[frame.index])
            if result.cam_from_obj is not None:
                distance = np.linalg.norm(result.cam_from_obj[:3, 3])
                label = f"{model.name} {distance:.2f} m, ADD {result.add:.3f} d"
                draw_pose(canvas, frame.camera, model, result.cam_from_obj, label)
            draw_text(canvas, f"{frame.index}" if result.cam_from_obj is not None else f"{frame.index}: no pose")
            add(canvas)
            if frame.index in chosen:
                sheet.append(canvas)
    write_image(out / "contact_sheet.png", contact_sheet(sheet))
