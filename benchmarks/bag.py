"""How fast are poses added to a recording, compared with real time?

    PYTHONPATH=. OMP_NUM_THREADS=1 python benchmarks/bag.py [--model box] [--seconds 20] [--json FILE]

The demo clip is recorded as a bag of that length at its 30 Hz, played forwards and backwards in turn: once as raw
images, once as JPEG. Then the poses are added to each bag.

with poses: everything, which is to import torch, load the bundle, read, estimate and write. copy alone: reading and
writing, without a look at any image. Times are medians of three runs. The rival is the recording's own length.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from headlines import Headline, finish
from rich.console import Console
from rich.table import Table

from pose_regressor.assets import demo_folder
from pose_regressor.bag.process import Options, add_poses
from pose_regressor.bag.reading import open_bag
from pose_regressor.bag.record import record
from pose_regressor.bag.writing import bag_writer
from pose_regressor.files.cameras import load_camera
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.sources import Source, open_source
from pose_regressor.types import Frame

RUNS = 3


class ToAndFro(Source):
    """The frames of a clip forwards and backwards in turn. A jump would cost the tracker its object."""

    def __init__(self, source: Source, seconds: float) -> None:
        self.name, self.fps = source.name, source.fps or 30.0
        self._frames = list(source)
        self._count = round(seconds * self.fps)

    def __iter__(self) -> Iterator[Frame]:
        last = len(self._frames) - 1
        for number in range(self._count):
            step = number % (2 * last)
            yield self._frames[min(step, 2 * last - step)]


def copy(source: Path, target: Path) -> None:
    bag = open_bag(source)
    with bag_writer(target, bag.profile, bag.compression) as writer:
        for item in bag.records():
            writer.copy(item)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="box", help="bundle: file, or name of a shipped one (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the recording (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    options = parser.parse_args()
    config = NodeConfig(model=(options.model,))
    demo = demo_folder()
    clip = ToAndFro(open_source(demo / "box.mp4", load_camera(demo / "camera.json")), options.seconds)
    table = Table("images", "MB", "copy alone (s)", "with poses (s)", "every 2nd (s)", "x real time", "found")
    headlines, figures = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("raw", "compressed"):
            source, target = Path(folder, f"{kind}.mcap"), Path(folder, "out.mcap")
            record(clip, source, compressed=kind == "compressed")
            times: dict[str, list[float]] = {"copy": [], "all": [], "half": []}
            for _ in range(RUNS):
                start = time.perf_counter()
                copy(source, target)
                times["copy"].append(time.perf_counter() - start)
                result = add_poses(source, target, config, Options(overwrite=True))
                times["all"].append(result.seconds)
                half = add_poses(source, target, config, Options(every=2, overwrite=True))
                times["half"].append(half.seconds)
            median = {name: statistics.median(values) for name, values in times.items()}
            ratio = result.recorded / median["all"]
            cells = [f"{median[name]:.1f}" for name in ("copy", "all", "half")]
            found = f"{result.found}/{result.images}"
            table.add_row(kind, f"{source.stat().st_size / 1e6:.0f}", *cells, f"{ratio:.1f}", found)
            name = f"poses into a bag of VGA images at 30 Hz, {kind}"
            headlines.append(Headline(name, median["all"], "s", "recording", result.recorded, ratio, ".1f"))
            figures[kind] = times
    Console().print(table)
    finish(headlines, options.json, times=figures)


if __name__ == "__main__":
    main()
