"""`pose-regressor predict`: a source in, a BOP result CSV out."""

from __future__ import annotations

import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pose_regressor.cli.options import (
    BackendOption,
    CameraOption,
    DepthImagesOption,
    DeviceOption,
    ModelOption,
    PrecisionOption,
    SourceArgument,
    SupportPlaneOption,
    ThreadsOption,
)
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.settings import SCORE_THRESHOLD

if TYPE_CHECKING:
    from pose_regressor.files.bop import ImageResult

#: Frames per second of the overlay if the images carry no time.
DEFAULT_FPS = 10.0


def predict(
    source: SourceArgument,
    model: ModelOption,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE.csv", help="BOP result CSV to write.")],
    overlay: Annotated[
        Path | None,
        typer.Option(
            "--overlay",
            metavar="FILE.mp4",
            help="Video to write, of the frames with the poses drawn on them: .mp4 or .webm, or .avi, which is "
            "faster to write. Default: none.",
        ),
    ] = None,
    json_lines: Annotated[
        Path | None,
        typer.Option(
            "--json",
            metavar="FILE.jsonl",
            help="File to write with a line of JSON for each frame: also covariances, methods, and how much of each "
            "surface depth saw. Default: none.",
        ),
    ] = None,
    camera: CameraOption = None,
    depth: DepthImagesOption = "auto",
    device: DeviceOption = NodeConfig.device,
    backend: BackendOption = NodeConfig.backend,
    precision: PrecisionOption = NodeConfig.precision,
    threads: ThreadsOption = NodeConfig.threads,
    track: Annotated[
        bool, typer.Option("--track/--no-track", help="Follow objects from frame to frame, or search each frame anew.")
    ] = False,
    smooth: Annotated[
        bool,
        typer.Option(
            "--smooth/--no-smooth", help="With --track: filter each object's motion, or keep poses as measured."
        ),
    ] = True,
    support_plane: SupportPlaneOption = NodeConfig.support_plane,
    threshold: Annotated[
        float,
        typer.Option(metavar="NUMBER", min=0.0, max=1.0, help="Least score of a pose that is written, a probability."),
    ] = SCORE_THRESHOLD,
) -> None:
    """Find the objects in every frame of SOURCE and write their poses as a BOP result CSV.

    Columns: scene_id, im_id (the frame number), obj_id (the bundle's), score, R (row-major), t (mm), time (s).
    A BOP scene brings its own camera, all other sources need --camera. Exit code 1: nothing was found.

        pose-regressor predict clip.mp4 --camera camera.json --model box --out poses.csv --overlay poses.mp4
    """
    from rich.console import Console
    from rich.progress import track as progress

    from pose_regressor.assets import find_model
    from pose_regressor.files.bop import ImageResult, result_writer
    from pose_regressor.files.cameras import load_camera
    from pose_regressor.sources import open_source

    bundles = [find_model(name) for name in model]
    counts = _Counts()
    interrupted = False
    with ExitStack() as stack:
        # Bad input is refused before the network is loaded.
        opened = stack.enter_context(open_source(source, load_camera(camera) if camera else None, depth))
        writers = [stack.enter_context(result_writer(out))]
        if json_lines is not None:
            from pose_regressor.files.pose_lines import pose_lines_writer

            writers.append(stack.enter_context(pose_lines_writer(json_lines)))
        if overlay is not None:
            from pose_regressor.draw import draw_poses
            from pose_regressor.video import video_writer

            add_image = stack.enter_context(video_writer(overlay, opened.fps or DEFAULT_FPS))
        from pose_regressor.estimation.estimator import PoseEstimator
        from pose_regressor.tracking.tracker import Tracker

        estimator = PoseEstimator(bundles, device, threshold, backend, precision, threads, support_plane)
        estimate = Tracker(estimator, smooth=smooth).update if track else estimator.estimate
        bar = progress(opened, description=opened.name, total=opened.length, console=Console(stderr=True))
        try:
            for frame in bar:
                started = time.perf_counter()
                estimates = estimate(frame)
                taken = time.perf_counter() - started
                result = ImageResult(opened.scene_id, frame.index, estimates, taken, frame.depth is not None)
                for add in (counts.add, *writers):
                    add(result)
                if overlay is not None:
                    add_image(draw_poses(frame.image, frame.camera, estimates))
        except KeyboardInterrupt:
            interrupted = True  # the only way to end a webcam, so the results are kept
    if counts.frames:
        print(f"{counts.sentence()}; wrote {' and '.join(str(path) for path in (out, json_lines, overlay) if path)}")
    if interrupted:
        raise typer.Exit(130)
    if not counts.found:
        raise typer.Exit(1)


@dataclass
class _Counts:
    """What became of the frames, for the line at the end."""

    frames: int = 0
    found: int = 0
    with_depth: int = 0
    poses: int = 0
    poses_by_depth: int = 0
    seconds: list[float] = field(default_factory=list)

    def add(self, result: ImageResult) -> None:
        self.frames += 1
        self.found += bool(result.estimates)
        self.with_depth += result.has_depth
        self.poses += len(result.estimates)
        self.poses_by_depth += sum(estimate.depth_share is not None for estimate in result.estimates)
        self.seconds.append(result.seconds)

    def sentence(self) -> str:
        frames, median = self.frames, statistics.median(self.seconds)
        text = f"{frames} frames, a pose in {self.found} ({100 * self.found / frames:.1f} %), "
        text += f"median {1000 * median:.0f} ms a frame"
        if self.with_depth:
            text += f"; with depth: {self.with_depth} of {frames} frames, {self.poses_by_depth} of {self.poses} poses"
        return text
