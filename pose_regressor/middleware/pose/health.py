"""What the pose node says of itself on /diagnostics."""

from __future__ import annotations

import time
from collections import Counter
from statistics import median

from pose_regressor.middleware.kit.counts import SUPERSEDED, Counts
from pose_regressor.middleware.kit.diagnostics import Level, Status
from pose_regressor.middleware.kit.health import Health, Window, answers, arrivals
from pose_regressor.middleware.kit.memory import device_memory
from pose_regressor.middleware.pose.depth import DepthInput

#: With depth for a smaller share of the images, something is wrong with it.
ENOUGH = 0.9


class PoseHealth(Health):
    """How images come in, how poses go out, and what depth is worth."""

    def _facts(self) -> dict[str, str]:
        config, device = self._managed.config, self._managed.device
        return {
            "Model": ", ".join(config.model),
            "Objects": ", ".join(config.objects) or "all",
            "Device": device or "none",
            "Device memory (MB)": f"{device_memory(device) / 1e6:.1f}",
        }

    def _work(self, window: Window, total: Counts) -> list[Status]:
        depth: DepthInput | None = getattr(self._managed.core, "depth", None)
        return [arrivals("images", "image", window, total), _poses(window, total), _depth(window, depth)]


def _poses(window: Window, total: Counts) -> Status:
    counts = window.counts
    rate = f"{window.rate(counts.processed):.1f}"
    if not window.active:
        level, message = Level.OK, "not active"
    elif counts.internal_errors:
        level, message = Level.ERROR, f"the network failed on {counts.internal_errors} images"
    elif counts.dropped[SUPERSEDED] > counts.processed:
        level, message = Level.WARN, f"overload: {rate} images a second is all it manages"
    else:
        level, message = Level.OK, f"{rate} Hz, {window.percentile(50):.0f} ms"
    return answers("poses", level, message, window, counts.processed, total.processed)


def _depth(window: Window, depth: DepthInput | None) -> Status:
    """How many images have depth, and what that depth is like."""
    if depth is None:
        return Status("depth", Level.OK, "off" if window.active else "not active", {})
    begin = time.monotonic() - window.seconds
    uses = [use for use in depth.uses if use.at >= begin] if window.active else []
    good = [use for use in uses if not use.reason]
    share = len(good) / len(uses) if uses else 0.0
    worst = next(iter(Counter(use.reason for use in uses if use.reason).most_common(1)), ("", 0))[0]
    age = median(abs(use.age) for use in good) if good else 0.0
    valid = median(use.valid for use in good) if good else 0.0
    if not window.active:
        level, message = Level.OK, "not active"
    elif not uses:
        level, message = Level.OK, "no images yet"
    elif not good:
        level, message = Level.WARN, f"no image with depth: {worst}"
    elif share < ENOUGH:
        level, message = Level.WARN, f"{len(uses) - len(good)} of {len(uses)} images without depth: {worst}"
    else:
        level, message = Level.OK, f"{100 * share:.0f} % of the images with depth, {1000 * age:.0f} ms apart"
    total, messages = depth.counts, depth.messages
    values = {
        "Images with depth (%)": f"{100 * share:.1f}",
        "Images with depth since startup": str(total.processed),
        "Depth messages since startup": str(messages.received),
        "Age p50 (ms)": f"{1000 * age:.1f}",
        "Valid pixels p50 (%)": f"{100 * valid:.1f}",
        **{f"Without depth since startup: {reason}": str(count) for reason, count in total.dropped.most_common()},
        **{f"Ignored since startup: {reason}": str(count) for reason, count in messages.dropped.most_common()},
    }
    return Status("depth", level, message, values)
