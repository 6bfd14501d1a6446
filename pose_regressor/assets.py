"""Finds the files that are shipped with the package: bundles (models/) and the demo clip (demo/).

In a checkout they lie at the top. setup.py installs them under share/pose_regressor, also in colcon's install space,
which AMENT_PREFIX_PATH names once it is sourced.
"""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Iterator
from pathlib import Path

from pose_regressor.types import InputError


def _roots() -> Iterator[Path]:
    """Folders that may hold shipped files. The checkout comes first: its files are the newest."""
    checkout = Path(__file__).resolve().parent.parent
    if (checkout / "package.xml").is_file():
        yield checkout
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    for prefix in (*filter(None, prefixes), sys.prefix, site.getuserbase()):
        yield Path(prefix) / "share" / "pose_regressor"


def shipped_models() -> dict[str, Path]:
    """The shipped bundles by name."""
    models: dict[str, Path] = {}
    for root in _roots():
        for path in sorted((root / "models").glob("*.safetensors")):
            models.setdefault(path.stem, path)
    return models


def find_model(spec: str | Path) -> Path:
    """The path of a bundle. spec: its path, or the name of a shipped one, also if a folder has the same name."""
    path = Path(spec)
    if path.is_file():
        return path
    models = shipped_models()
    if str(spec) in models:
        return models[str(spec)]
    if path.is_dir():
        raise InputError(f"{path}: expected a model bundle (a .safetensors file), this is a folder")
    shipped = f"one of the shipped models ({', '.join(sorted(models))})" if models else "a shipped model (none here)"
    raise InputError(f"{spec}: no such model; expected a .safetensors file or {shipped}")


def demo_folder() -> Path:
    """The folder of the demo clip: box.mp4, camera.json, scene_gt.json."""
    roots = list(_roots())
    for root in roots:
        if (root / "demo" / "box.mp4").is_file():
            return root / "demo"
    raise InputError(f"the demo clip demo/box.mp4 is not installed; looked in {', '.join(map(str, roots))}")
