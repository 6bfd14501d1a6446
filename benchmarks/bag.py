"""How fast are the poses of a recording added to it, in times of real time?

    PYTHONPATH=. OMP_NUM_THREADS=1 python benchmarks/bag.py [--model box] [--seconds 20] [--json FILE]

The demo clip, played to and fro for so many seconds at its 30 Hz, is recorded as a bag, raw and as JPEG, and the poses
are added to each: with everything (torch imported, the bundle loaded, files read and written), and the copy alone,
without looking at any image. The median of three runs; the rival is the recording's own pace.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

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
    """The frames of a clip forwards and backwards, so that no jump costs the tracker its object."""

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
    parser.add_argument("--model", default="box", help="bundle: file or name of a shipped one (%(default)s)")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the recording (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    options = parser.parse_args()
    config = NodeConfig(model=(options.model,))
    demo = demo_folder()
    clip = ToAndFro(open_source(demo / "box.mp4", load_camera(demo / "camera.json")), options.seconds)
    table = Table("images", "MB", "copy alone (s)", "with poses (s)", "every 2nd (s)", "x real time", "found")
    headlines = []
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
            headlines.append(
                {
                    "name": f"poses into a bag of VGA images at 30 Hz, {kind}",
                    "value": median["all"],
                    "unit": "s",
                    "rival": "recording",
                    "rival_value": result.recorded,
                    "ratio": ratio,
                }
            )
    Console().print(table)
    for h in headlines:
        print(
            f"headline: {h['name']} = {h['value']:.1f} {h['unit']} "
            f"({h['rival']} {h['rival_value']:.1f} s, ratio {h['ratio']:.1f})"
        )
    if options.json:
        options.json.write_text(json.dumps({"times": times, "headlines": headlines}, indent=1) + "\n")


if __name__ == "__main__":
    main()
