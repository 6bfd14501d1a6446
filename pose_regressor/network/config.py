"""What a network looks like and how images get into it: saved in every bundle, and read back strictly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar

from pose_regressor.settings import Config, count, counts, number, numbers
from pose_regressor.types import InputError

#: The box head answers once every BOX_STRIDE pixels, the correspondence head once every DENSE_STRIDE.
BOX_STRIDE = 8
DENSE_STRIDE = 2
#: Far above all sensible sizes: a file with more is broken, and such a network would take all memory.
MOST_BLOCKS, MOST_WIDTH, MOST_PIXELS, MOST_MARGIN = 64, 1024, 4096, 10.0


@dataclass(frozen=True)
class NetworkConfig(Config):
    """Sizes of the network. The defaults train on a two-core CPU."""

    scope: ClassVar[str] = "network."

    width: int = count(32, "channels of the first stage; ResNet-18 has 64", 8, MOST_WIDTH, multiple=8)
    blocks: tuple[int, ...] = counts((2, 2, 2, 2), "residual blocks of each stage", 1, MOST_BLOCKS)
    crop_size: int = count(128, "side of the square crop around an object", 32, MOST_PIXELS, multiple=32, unit="pixels")
    crop_margin: float = number(
        1.4, "side of that crop, divided by the longer side of the object's box", 1, MOST_MARGIN
    )
    find_size: int = count(
        320,
        "the whole frame is scaled so that its longer side has this length, and then searched for objects",
        32,
        MOST_PIXELS,
        multiple=32,
        unit="pixels",
    )
    mean: tuple[float, ...] = numbers(
        (0.485, 0.456, 0.406), "mean of red, green and blue, which is subtracted; white is 1"
    )
    std: tuple[float, ...] = numbers(
        (0.229, 0.224, 0.225),
        "standard deviation of red, green and blue, by which the image is divided; white is 1",
        1e-9,
    )

    @classmethod
    def from_dict(cls, values: object, where: str = "") -> NetworkConfig:
        """Strict: InputError for a missing or unknown key, so that no file silently means something else."""
        names = {f.name for f in fields(cls)}
        if not isinstance(values, Mapping) or values.keys() != names:
            got = sorted(map(str, values)) if isinstance(values, Mapping) else repr(values)
            raise InputError(f"network configuration: expected the keys {sorted(names)}, got {got}")
        return super().from_dict(values, where)
