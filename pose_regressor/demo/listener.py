"""The demo's listener as a process of its own, for launch/demo.launch.py: collects /tf until the player has ended, then
ends itself with the table of `pose-regressor demo`."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from pose_regressor.demo.report import print_summary, reporting
from pose_regressor.middleware import choose
from pose_regressor.middleware.kit.interrupts import interruptible
from pose_regressor.types import InputError

PROGRAM = "pose_regressor_demo_listener"


def main() -> int:
    status = 130  # what it stays at when a signal ends the block
    with interruptible():
        try:
            status = _listen(sys.argv[1:])
        except InputError as error:
            print(f"{PROGRAM}: error: {error}", file=sys.stderr)
            status = 2
    return status


def _listen(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog=PROGRAM, description=(__doc__ or "").strip())
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("out/demo"),
        help="folder to write to; the player records its stamps in stamps.json there (%(default)s)",
    )
    parser.add_argument("--rate", type=float, default=30.0, help="the player's frames a second (%(default)s)")
    parser.add_argument("--middleware", default="auto", help="auto, ros2 or dds (%(default)s)")
    if "--ros-args" in arguments:  # launch puts them behind ours; nothing here has ROS parameters
        arguments = arguments[: arguments.index("--ros-args")]
    options = parser.parse_args(arguments)
    listener = importlib.import_module(f"pose_regressor.middleware.{choose(options.middleware)}.listener")
    with listener.TfListener() as heard:
        # After it listens: torch takes seconds to import, in which the first poses may come.
        from pose_regressor.demo.run import conclude, fresh_record, receive, shipped_clip

        record = fresh_record(options.out)  # the player's --record must name this file
        clip = shipped_clip()
        with reporting() as report:
            stamps = receive(heard, record, len(clip.truth), options.rate, report)
        transforms = heard.transforms
    summary = conclude(options.out, clip, stamps, transforms)
    print_summary(summary, options.out, options.rate)
    return 0 if summary.good else 1
