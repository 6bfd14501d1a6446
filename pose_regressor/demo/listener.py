"""The demo's listener as a process of its own, for launch/demo.launch.py.

It listens until the player has ended, then prints the table of `pose-regressor demo` and ends too.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pose_regressor.demo.report import print_summary, reporting
from pose_regressor.demo.run import DepthCounts, conclude, fresh_record, receive, shipped_clip
from pose_regressor.middleware import choose, program
from pose_regressor.middleware.kit.interrupts import interruptible
from pose_regressor.middleware.kit.player import AUTO, DETECTIONS, rate_or_auto
from pose_regressor.types import InputError

PROGRAM = "pose_regressor_demo_listener"


def main() -> int:
    status = 130  # stays so if a signal ends the block
    with interruptible():
        try:
            status = _listen(sys.argv[1:])
        except InputError as error:
            print(f"{PROGRAM}: error: {error}", file=sys.stderr)
            status = 2
    return status


def _listen(arguments: list[str]) -> int:
    options = _parser().parse_args(_without_ros(arguments))
    rate = rate_or_auto(options.rate)
    listener = program(choose(options.middleware), "listener", "TfListener")
    counted = DepthCounts()
    with listener(detections=DETECTIONS, diagnostics=counted.on_diagnostics) as heard:
        record = fresh_record(options.out)  # the player's --record must name this file
        clip = shipped_clip()  # takes a while, in which the first poses may come
        with reporting() as report:
            images = receive(heard, record, len(clip.truth), rate, report)
        answered, transforms = set(heard.answers.received), heard.transforms
        with_depth = counted.wait() if options.depth == "on" else None
    summary = conclude(options.out, clip, images, answered, transforms, with_depth)
    print_summary(summary, options.out, rate)
    return 0 if summary.good else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("out/demo"),
        help="folder to write to; the player records its stamps in stamps.json there (default: %(default)s)",
    )
    parser.add_argument(
        "--rate", default=AUTO, help=f"as the player's: images a second, or {AUTO} (default: %(default)s)"
    )
    parser.add_argument(
        "--depth", choices=("on", "off"), default="off", help="whether depth is played, too (default: %(default)s)"
    )
    parser.add_argument("--middleware", default="auto", help="auto, ros2, dds or zenoh (default: %(default)s)")
    return parser


def _without_ros(arguments: list[str]) -> list[str]:
    """Launch appends ROS's own arguments to ours; this process has no ROS parameters."""
    return arguments[: arguments.index("--ros-args")] if "--ros-args" in arguments else arguments
