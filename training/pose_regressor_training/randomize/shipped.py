"""The configurations that come with the package, found by their names."""

from __future__ import annotations

from pathlib import Path

from pose_regressor.types import InputError

#: Randomizations; among them are the five rows of [DPR]'s ablation.
CONFIGS = Path(__file__).resolve().parent.parent / "configs"
#: Trainings.
PRESETS = CONFIGS / "presets"


def shipped(folder: Path) -> list[str]:
    """Names of the shipped files in CONFIGS or PRESETS."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def find_file(spec: str | Path, folder: Path, what: str = "") -> Path:
    """The file `spec`, or the shipped one of that name in `folder`. Raises InputError, which begins with `what`, if
    there is neither.
    """
    path = Path(spec)
    if not path.is_file() and str(spec) in shipped(folder):
        path = folder / f"{spec}.yaml"
    if not path.is_file():
        raise InputError(f"{what}{spec}: no such file, nor one of the shipped ones ({', '.join(shipped(folder))})")
    return path
