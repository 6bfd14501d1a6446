"""What the pose node says of itself on /diagnostics."""

from __future__ import annotations

from pose_regressor.middleware.kit.counts import SUPERSEDED, Counts
from pose_regressor.middleware.kit.diagnostics import Level, Status
from pose_regressor.middleware.kit.health import Health, Window, answers, arrivals
from pose_regressor.middleware.kit.memory import device_memory


class PoseHealth(Health):
    """How images come in, and how poses go out."""

    def _facts(self) -> dict[str, str]:
        config, device = self._managed.config, self._managed.device
        return {
            "Model": ", ".join(config.model),
            "Objects": ", ".join(config.objects) or "all",
            "Device": device or "none",
            "Device memory (MB)": f"{device_memory(device) / 1e6:.1f}",
        }

    def _work(self, window: Window, total: Counts) -> list[Status]:
        return [arrivals("images", "image", window, total), _poses(window, total)]


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
