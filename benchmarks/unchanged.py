"""Did a refactoring change what the program computes? Compares this checkout with an earlier commit.

    python benchmarks/unchanged.py --against COMMIT [--json FILE] [--samples 640] [--skip-training]

COMMIT is unpacked into a temporary folder. Both versions then do the same work, one after the other:

poses      `predict` of COMMIT's demo clip with COMMIT's `box`. Same rows; score, R and t equal to 1e-9.
training   a short training of our box, from COMMIT's `cube`. The meshes and all tensors are equal bit by bit. A change
           of the arithmetic breaks this: against a COMMIT before Muon had four steps, every tensor differs.
bundles    every bundle of COMMIT's models/ loads here, with the tensors that it has there.

Exit code 1 if anything differs. Needs the training package; takes two to four minutes on two cores.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import importlib
import importlib.util
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from headlines import Headline, finish
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
TOLERANCE = 1e-9
#: Modules that were moved: their names, the newest first.
TEST_OBJECTS = ("pose_regressor_training.test_objects", "pose_regressor_training.objects")
TRAINING = ("pose_regressor_training.train.training", "pose_regressor_training.engine.training")
BUNDLE = ("pose_regressor.network.bundle", "pose_regressor.model.bundle")


@dataclass(frozen=True)
class Check:
    """One comparison. differs: how many of `count` parts differ; detail: what a reader should know of it."""

    name: str
    differs: int
    count: int
    detail: str = ""

    @property
    def same(self) -> bool:
        return self.differs == 0 and self.count > 0


class Tree:
    """A checkout whose code runs in processes of its own, with `folder` for what it writes."""

    def __init__(self, name: str, path: Path, folder: Path) -> None:
        self.name, self.path, self.folder = name, path, folder
        folder.mkdir()

    def python(self, *arguments: str | Path) -> str:
        """What a Python process prints. SystemExit with the end of its messages if it fails."""
        path = os.pathsep.join([str(self.path), str(self.path / "training")])
        command = [sys.executable, *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": path}
        result = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
        if result.returncode:
            end = "\n".join((result.stdout + result.stderr).strip().split("\n")[-15:])
            raise SystemExit(f"error: {self.name}: {' '.join(command[1:4])} ... failed:\n{end}")
        return result.stdout

    def work(self, kind: str, *arguments: str | Path) -> str:
        """What this very file prints when it runs inside the tree, for the work of that kind."""
        return self.python(Path(__file__).resolve(), "--work", kind, self.path, *arguments)


def main() -> int:
    if sys.argv[1:2] == ["--work"]:
        return _work(sys.argv[2], Path(sys.argv[3]), sys.argv[4:])
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--against", required=True, metavar="COMMIT", help="the commit before the refactoring")
    parser.add_argument("--samples", type=int, default=640, help="images of the training, a multiple of 32")
    parser.add_argument("--skip-training", action="store_true", help="compare poses and bundles only")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        commit = unpack(options.against, folder / "commit")
        before = Tree(f"commit {commit[:9]}", folder / "commit", folder / "before")
        after = Tree("this checkout", ROOT, folder / "after")
        checks = compare_poses(before, after)
        if not options.skip_training:
            checks += compare_trainings(before, after, options.samples)
        checks += compare_bundles(before, after)
    return report(checks, commit, options.json)


def unpack(commit: str, folder: Path) -> str:
    """Writes the files of a commit into a new folder; the commit's full hash."""
    found = subprocess.run(
        ["git", "-C", ROOT, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}"], capture_output=True, text=True
    )
    if found.returncode:
        raise SystemExit(f"error: --against: expected a commit of {ROOT}, got {commit!r}")
    archive = subprocess.run(
        ["git", "-C", ROOT, "archive", "--format=tar", found.stdout.strip()], capture_output=True, check=True
    )
    folder.mkdir()
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder)
    return found.stdout.strip()


# ------------------------------------------------------------------ comparisons


def compare_poses(before: Tree, after: Tree) -> list[Check]:
    """The CSV that `predict` writes for the demo clip; its column `time` is left out."""
    demo, rows = before.path / "demo", []
    for tree in (before, after):
        say(f"poses: {tree.name}")
        out = tree.folder / "poses.csv"
        arguments = ["predict", demo / "box.mp4", "--camera", demo / "camera.json", "--out", out]
        tree.python("-m", "pose_regressor", *arguments, "--model", before.path / "models" / "box.safetensors")
        rows.append(read_poses(out))
    (keys, old), (new_keys, new) = rows
    if keys != new_keys:
        missing = len(set(keys) ^ set(new_keys))
        return [Check("poses", max(missing, 1), len(keys), "other rows: (scene, image, object) differ")]
    difference = np.abs(old - new).max(axis=1, initial=0.0)
    detail = f"largest difference {difference.max(initial=0.0):.2g}, allowed {TOLERANCE:g}"
    return [Check("poses", int((~(difference <= TOLERANCE)).sum()), len(keys), detail)]


def read_poses(path: Path) -> tuple[list[tuple[str, ...]], np.ndarray]:
    """Keys (scene_id, im_id, obj_id), and for each the score, R (9, row-major) and t (3, mm)."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    keys = [(row["scene_id"], row["im_id"], row["obj_id"]) for row in rows]
    values = [[float(v) for name in ("score", "R", "t") for v in row[name].split()] for row in rows]
    return keys, np.array(values).reshape(len(rows), 13)


def compare_trainings(before: Tree, after: Tree, samples: int) -> list[Check]:
    """The box's mesh and picture, then a training on them."""
    files, tensors = [], []
    for tree in (before, after):
        say(f"training: {tree.name}")
        tree.work("mesh", tree.folder / "mesh")
        made = sorted((tree.folder / "mesh").iterdir())
        files.append({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in made})
        bundle = tree.folder / "box.safetensors"
        # Both train on the earlier mesh, so that a mesh that differs is found apart from the training.
        mesh, start = before.folder / "mesh" / "box.obj", before.path / "models" / "cube.safetensors"
        settings = ["--unit", "m", "--preset", "cpu", "--start-from", start, "--set", f"samples={samples}"]
        tree.work("train", bundle, "--mesh", mesh, "--out", bundle, *settings)
        tensors.append(json.loads(tree.work("tensors", bundle)))
    return [
        _compare("files of the box's mesh", *files),
        _compare("tensors after training", tensors[0][0], tensors[1][0], f"{samples} images"),
    ]


def compare_bundles(before: Tree, after: Tree) -> list[Check]:
    say("bundles")
    paths = sorted((before.path / "models").glob("*.safetensors"))
    old, new = (json.loads(tree.work("tensors", *paths)) for tree in (before, after))
    checks = [_compare(path.name, *pair) for path, *pair in zip(paths, old, new, strict=True)]
    bad = [check.name for check in checks if not check.same]
    return [Check("bundles", len(bad), len(checks), ", ".join(bad) or f"{sum(c.count for c in checks)} tensors")]


def _compare(name: str, old: dict[str, str], new: dict[str, str], detail: str = "") -> Check:
    """Two mappings from a part's name to a digest of its content."""
    different = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    first = f"the first: {different[0]}" if different else ""
    return Check(name, len(different), len(old.keys() | new.keys()), ", ".join(filter(None, (detail, first))))


# ------------------------------------------------------------------ inside a tree


def _work(kind: str, tree: Path, arguments: list[str]) -> int:
    """Runs in a process that has `tree` first on its path."""
    import pose_regressor

    if not Path(pose_regressor.__file__).is_relative_to(tree):
        raise SystemExit(f"expected pose_regressor from {tree}, it came from {pose_regressor.__file__}")
    if kind == "mesh":
        _first_module(TEST_OBJECTS).make_box(Path(arguments[0]))
        return 0
    if kind == "train":
        return _train(Path(arguments[0]), arguments[1:])
    print(json.dumps([_digests(path) for path in arguments]))
    return 0


def _first_module(names: tuple[str, ...]) -> Any:
    """The first module of these names that exists."""
    for name in names:
        if _exists(name):
            return importlib.import_module(name)
    raise SystemExit(f"expected one of the modules {', '.join(names)}")


def _exists(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # of the package around it
        return False


def _train(out: Path, arguments: list[str]) -> int:
    """`pose-regressor train`, ended before it evaluates and calibrates: that takes minutes, and draws anew."""
    from pose_regressor.cli import main

    training = _first_module(TRAINING).Training
    run = training.run

    def run_and_end(self: object, *rest: object, **named: object) -> None:
        run(self, *rest, **named).save(out)
        raise SystemExit(0)

    training.run = run_and_end
    return main(["train", *arguments])


def _digests(path: str) -> dict[str, str]:
    """Loads a bundle; type, shape and a hash of the bytes of each tensor of its network."""
    import torch

    network = _first_module(BUNDLE).Bundle.load(Path(path)).network
    result = {}
    for name, value in network.state_dict().items():
        content = value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        result[name] = f"{value.dtype} {tuple(value.shape)} {hashlib.sha256(content).hexdigest()}"
    return result


# ------------------------------------------------------------------ report


def say(what: str) -> None:
    print(f"{what} ...", file=sys.stderr, flush=True)


def report(checks: list[Check], commit: str, path: Path | None) -> int:
    table = Table("", "compared", "differ", "", title=f"this checkout against {commit[:9]}", title_justify="left")
    for check in checks:
        table.add_row(check.name, str(check.count), f"{check.differs}", check.detail)
    Console().print(table)
    headlines = [
        Headline(f"{check.name} that differ", check.differs, "", "compared", check.count, form="d") for check in checks
    ]
    same = all(check.same for check in checks)
    print("nothing changed" if same else "changed: see the table")
    finish(headlines, path, against=commit, same=same, checks=[vars(check) for check in checks])
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
