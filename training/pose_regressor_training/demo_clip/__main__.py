"""``python -m pose_regressor_training.demo_clip OUTDIR``: makes the demo clip and its true poses anew.

Writes ``box.mp4``, ``camera.json``, ``scene_camera.json``, ``scene_gt.json`` and ``scene_gt_info.json`` in BOP's
format: millimetres, image ids are frame numbers. With ``--depth`` it writes the folder ``depth`` instead, which needs
no Blender.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from pose_regressor.files.io import replacing, write_json, write_text
from pose_regressor.types import InputError
from pose_regressor_training.bop.records import one_line_each
from pose_regressor_training.demo_clip.scene import Scene
from pose_regressor_training.demo_clip.story import RATE, clip_scene
from pose_regressor_training.test_objects import make_box

if TYPE_CHECKING:
    from pose_regressor_training.demo_clip.render import Blender

OBJECT = "box"
OBJ_ID = 1
_GRAIN = 1.2  # standard deviation of the sensor's noise, in grey levels
_QUALITY = 17  # x264's constant rate factor


def make_clip(folder: Path, work: Path, samples: int) -> None:
    """Render the clip and write it with its true poses.

    folder: where the clip goes
    work: keeps the rendered frames; frames that are there already are not rendered again
    samples: paths through every pixel

    Raises InputError if ``bpy`` or ``imageio-ffmpeg`` is missing, or a file cannot be written.
    """
    from pose_regressor_training.demo_clip.render import Blender

    _encoder()  # if it is missing, say so before hours of rendering
    scene = clip_scene(make_box(work))
    blender = Blender(scene, samples)
    frames = work / "frames"
    frames.mkdir(exist_ok=True)
    for frame in track(range(scene.frames), "rendering"):
        path = frames / f"{frame:06d}.png"
        if not path.exists():
            with replacing(path) as part:
                blender.render(frame, part)
    folder.mkdir(parents=True, exist_ok=True)
    _write_video(folder / f"{OBJECT}.mp4", scene, frames)
    _write_truth(folder, scene, blender)


def make_depth(folder: Path, work: Path) -> None:
    """Write the clip's depth images. Raises InputError if a file cannot be written."""
    from pose_regressor_training.demo_clip.depth import write_depth  # needs torch, which Blender's Python may lack

    write_depth(folder / "depth", clip_scene(make_box(work)))


def _encoder() -> Any:
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise InputError("encoding the clip needs imageio-ffmpeg: pip install imageio-ffmpeg") from error
    return imageio_ffmpeg


def _write_video(path: Path, scene: Scene, frames: Path) -> None:
    with replacing(path) as temporary:
        writer = _encoder().write_frames(
            str(temporary),
            (scene.camera.width, scene.camera.height),
            fps=RATE,
            codec="libx264",
            quality=None,
            macro_block_size=1,
            ffmpeg_log_level="error",
            output_params=["-f", "mp4", "-crf", str(_QUALITY), "-preset", "slow", "-movflags", "+faststart"],
        )
        writer.send(None)
        for frame in range(scene.frames):
            picture = frames / f"{frame:06d}.png"
            image = cv2.imread(str(picture))
            if image is None:
                raise InputError(f"{picture}: expected a rendered frame, delete the file and start again")
            noise = np.random.default_rng(frame).normal(0, _GRAIN, image.shape)
            noisy = np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)
            writer.send(cv2.cvtColor(noisy, cv2.COLOR_BGR2RGB))
        writer.close()


def _write_truth(folder: Path, scene: Scene, blender: Blender) -> None:
    matrix = scene.camera.matrix
    (fx, _, cx), (_, fy, cy), _ = matrix.tolist()
    size = {"width": scene.camera.width, "height": scene.camera.height}
    write_json(folder / "camera.json", size | {"fx": fx, "fy": fy, "cx": cx, "cy": cy, "depth_scale": 1.0})
    cam_from_obj = np.linalg.inv(scene.camera_poses) @ scene.item(OBJECT).poses
    cameras, poses, infos = [], [], []
    for frame in track(range(scene.frames), "casting rays"):
        cam_from_world = np.linalg.inv(scene.camera_poses[frame])
        cameras.append(
            {"cam_K": matrix.reshape(-1).tolist(), "depth_scale": 1.0}
            | _rigid(cam_from_world, "cam_R_w2c", "cam_t_w2c")
        )
        poses.append([_rigid(cam_from_obj[frame], "cam_R_m2c", "cam_t_m2c") | {"obj_id": OBJ_ID}])
        infos.append([_seen(*blender.masks(frame, OBJECT))])
    _write_by_image(folder / "scene_camera.json", cameras)
    _write_by_image(folder / "scene_gt.json", poses)
    _write_by_image(folder / "scene_gt_info.json", infos)


def _rigid(pose: NDArray[np.float64], rotation: str, translation: str) -> dict[str, Any]:
    return {
        rotation: np.round(pose[:3, :3], 9).reshape(-1).tolist(),
        translation: np.round(pose[:3, 3] * 1000, 5).tolist(),
    }


def _seen(whole: NDArray[np.bool_], seen: NDArray[np.bool_]) -> dict[str, Any]:
    return {
        "bbox_obj": _box(whole),
        "bbox_visib": _box(seen),
        "px_count_all": int(whole.sum()),
        "px_count_visib": int(seen.sum()),
        "visib_fract": round(float(seen.sum() / max(1, whole.sum())), 4),
    }


def _box(mask: NDArray[np.bool_]) -> list[int]:
    """BOP's x, y, width, height of a mask; -1 four times if it is empty."""
    ys, xs = np.nonzero(mask)
    if not len(xs):
        return [-1, -1, -1, -1]
    return [int(xs.min()), int(ys.min()), int(np.ptp(xs)) + 1, int(np.ptp(ys)) + 1]


def _write_by_image(path: Path, entries: list[Any]) -> None:
    """One line for each image, so that the file stays readable."""
    write_text(path, one_line_each({str(frame): entry for frame, entry in enumerate(entries)}))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pose_regressor_training.demo_clip", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="OUTDIR", help="folder to write to, made if missing")
    parser.add_argument(
        "--work",
        type=Path,
        default=Path("out/clip"),
        metavar="FOLDER",
        help="keeps the rendered frames; a run that was cut off goes on with them, delete it after changing the scene "
        "(default: %(default)s)",
    )
    parser.add_argument("--depth", action="store_true", help="write the depth images instead of the clip")
    parser.add_argument("--samples", type=int, default=12, help="paths through every pixel (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.samples < 1:
        parser.error(f"--samples: expected at least 1, got {arguments.samples}")
    try:
        if arguments.depth:
            make_depth(arguments.folder, arguments.work)
        else:
            make_clip(arguments.folder, arguments.work, arguments.samples)
    except (InputError, OSError) as error:
        parser.exit(2, f"error: {error}\n")


if __name__ == "__main__":
    main()
