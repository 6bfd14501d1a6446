"""What a network looks like and how images get into it: saved inside every bundle, read back strictly."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields

from pose_regressor.types import InputError

#: The box head answers once every BOX_STRIDE pixels, the correspondence head once every DENSE_STRIDE.
BOX_STRIDE = 8
DENSE_STRIDE = 2
#: Far above what makes sense: a file that says more is broken, and building what it says would take all memory.
MOST_BLOCKS, MOST_WIDTH, MOST_PIXELS, MOST_MARGIN = 64, 1024, 4096, 10.0


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes of the network. The defaults train on a two-core CPU.

    width: channels of the first stage (64 is ResNet-18's own); blocks: residual blocks a stage; crop_size: pixels of
    the square crop around an object; crop_margin: edge of that crop over the longer edge of the object's box;
    find_size: longer edge in pixels of the full frame in which objects are looked for; mean, std: of RGB in [0, 1].
    """

    width: int = 32
    blocks: tuple[int, ...] = (2, 2, 2, 2)
    crop_size: int = 128
    crop_margin: float = 1.4
    find_size: int = 320
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)

    def __post_init__(self) -> None:
        if len(self.blocks) != 4 or not 1 <= min(self.blocks) <= max(self.blocks) <= MOST_BLOCKS:
            raise InputError(f"network.blocks: expected four numbers from 1 to {MOST_BLOCKS}, got {self.blocks}")
        if not 8 <= self.width <= MOST_WIDTH or self.width % 8:
            raise InputError(f"network.width: expected a positive multiple of 8 up to {MOST_WIDTH}, got {self.width}")
        for name in ("crop_size", "find_size"):
            value = getattr(self, name)
            if not 32 <= value <= MOST_PIXELS or value % 32:
                raise InputError(f"network.{name}: expected a positive multiple of 32 up to {MOST_PIXELS}, got {value}")
        if not 1 <= self.crop_margin <= MOST_MARGIN:
            raise InputError(
                f"network.crop_margin: expected a number from 1 to {MOST_MARGIN:g}, got {self.crop_margin}"
            )
        finite = all(map(math.isfinite, (*self.mean, *self.std)))
        if len(self.mean) != 3 or len(self.std) != 3 or not finite or min(self.std) <= 0:
            raise InputError(f"network.mean, network.std: expected three finite numbers, std positive, got {self}")

    def to_dict(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, object]) -> NetworkConfig:
        """Strict: a missing or an unknown key is an error, so that no file silently means something else."""
        names = {f.name for f in fields(cls)}
        if not isinstance(values, dict) or values.keys() != names:
            raise InputError(f"network configuration: expected the keys {sorted(names)}, got {sorted(values)}")
        for f in fields(cls):
            # Each field's own default says which type it takes; JSON knows lists, not tuples.
            value, kind = values[f.name], type(f.default)
            items = value if isinstance(value, list) and kind is tuple else [value]
            number = type(f.default[0]) if isinstance(f.default, tuple) else kind
            fits = isinstance(value, list) == (kind is tuple)
            if not fits or not all(type(item) in (number, int) for item in items):
                raise InputError(f"network.{f.name}: expected {f.default!r} or the like, got {value!r}")
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})  # type: ignore[arg-type]
