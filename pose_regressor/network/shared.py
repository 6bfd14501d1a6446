"""Networks that differ only in the last layer of each head are one network with the objects of all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pose_regressor.network.weights import Weights

#: The last layers. Each of their rows belongs to one object; all other layers are common to a network's objects.
LAST_LAYERS = ("box_head.out", "dense_head.out", "regression_head.out")


def differ_in_last_layers_only(one: Weights, other: Weights) -> bool:
    """Whether all else is equal: the sizes of the networks, and every number of the other layers."""
    if one.config != other.config:
        return False
    first, second = one.arrays, other.arrays
    return all(np.array_equal(first[name], second[name]) for name in first if not name.startswith(LAST_LAYERS))


def joined(parts: Sequence[Weights]) -> Weights:
    """One network that answers for the objects of several, in their order. The very one if it is alone.

    parts: networks that `differ_in_last_layers_only`
    """
    if len(parts) == 1:
        return parts[0]
    arrays = dict(parts[0].arrays)
    for layer in LAST_LAYERS:
        for name in (f"{layer}.weight", f"{layer}.bias"):
            rows = [part.arrays[name] for part in parts]
            if layer == "box_head.out":  # the presence of each object comes first, then all boxes
                counts = [part.objects for part in parts]
                rows = [own[:count] for own, count in zip(rows, counts, strict=True)] + [
                    own[count:] for own, count in zip(rows, counts, strict=True)
                ]
            arrays[name] = np.concatenate(rows)
    return Weights(parts[0].config, sum(part.objects for part in parts), arrays)
