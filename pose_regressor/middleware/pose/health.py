"""What the pose node says of itself on /diagnostics."""

from __future__ import annotations

from pose_regressor.middleware.kit.counts import INTERNAL_ERROR, SUPERSEDED, Counts
from pose_regressor.middleware.kit.diagnostics import Health, Level, Status, Window, answers, arrivals
from pose_regressor.middleware.kit.memory import device_memory


class PoseHealth(Health):
    """Of the images that came and the poses that went."""

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
    errors = sum(count for reason, count in window.dropped.items() if reason.startswith(INTERNAL_ERROR))
    if not window.active:
        level, message = Level.OK, "not active"
    elif errors:
        level, message = Level.ERROR, f"the network failed on {errors} images"
    elif window.dropped[SUPERSEDED] > window.processed:
        level, message = Level.WARN, f"overload: {window.rate(window.processed):.1f} images a second is all it manages"
    else:
        level, message = Level.OK, f"{window.rate(window.processed):.1f} Hz, {window.p50:.0f} ms"
    return answers(level, message, window, window.processed, total.processed)
