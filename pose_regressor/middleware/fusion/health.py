"""What the fusion node says of itself on /diagnostics."""

from __future__ import annotations

import time

from pose_regressor.middleware.fusion.managed import ManagedFusion
from pose_regressor.middleware.kit.counts import Counts
from pose_regressor.middleware.kit.diagnostics import PERIOD, Level, Status
from pose_regressor.middleware.kit.health import WINDOW, Health, Window, answers, arrivals


class FusionHealth(Health):
    """How the cameras' messages come in, and how fused poses go out."""

    _managed: ManagedFusion

    def _facts(self) -> dict[str, str]:
        config = self._managed.config
        return {
            "Fixed frame": config.fixed_frame,
            "Detections": ", ".join(config.detections),
            "Model": ", ".join(config.model) or "none",
        }

    def _work(self, window: Window, total: Counts) -> list[Status]:
        return [self._cameras(window, total), self._poses(window)]

    def _cameras(self, window: Window, total: Counts) -> Status:
        now, core = time.monotonic(), self._managed.core
        heard = {camera: now - at for camera, at in core.heard.items()} if core and window.active else {}
        status = arrivals("cameras", "message", window, total)
        silent = {camera: seconds for camera, seconds in heard.items() if seconds > WINDOW * PERIOD}
        level, message = status.level, status.message
        if silent and level == Level.OK:
            camera = max(silent, key=lambda name: silent[name])
            level, message = Level.WARN, f"no message of {camera} for {silent[camera]:.0f} s"
        words = ", ".join(f"{camera} ({seconds:.1f} s ago)" for camera, seconds in sorted(heard.items()))
        return Status(status.name, level, message, {"Cameras heard": words or "none", **status.values})

    def _poses(self, window: Window) -> Status:
        moments, core, errors = len(window.latencies), self._managed.core, window.counts.internal_errors
        if not window.active:
            level, message = Level.OK, "not active"
        elif errors:
            level, message = Level.ERROR, f"the fusion failed on {errors} messages"
        else:
            level, message = Level.OK, f"{window.rate(moments):.1f} Hz, {window.percentile(50):.0f} ms"
        return answers("poses", level, message, window, moments, core.published if core else 0)
