"""A managed node of rclpy, whatever it does: its transitions, its parameters and its reports."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from pose_regressor.middleware.kit.diagnostics import Reporting, diagnostics_message
from pose_regressor.middleware.kit.health import Health
from pose_regressor.middleware.kit.managed import Managed
from pose_regressor.middleware.ros2 import interfaces
from pose_regressor.middleware.ros2.parameters import follow_changes
from pose_regressor.middleware.ros2.session import RosLog, spinning
from pose_regressor.types import InputError

#: The exit code if the thread that handles messages failed.
INTERNAL_ERROR = 1


class ManagedRosNode(LifecycleNode):
    """A lifecycle node that passes its transitions on to what `manage` is given. It starts unconfigured."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, automatically_declare_parameters_from_overrides=True, **options)
        self._answer_every_request()

    def manage(self, managed: Managed[Any], health: Health) -> None:
        """Must be called before anything else, with the node's parameters declared."""
        self._managed, self._health = managed, health
        self._starting = False
        follow_changes(self, managed.tune)
        self._diagnostics = self.create_publisher(interfaces.DiagnosticArray, "/diagnostics", 10)
        self._reporting = Reporting(self._report, RosLog(self))

    def destroy_node(self) -> None:
        """Also lets go of rclpy's state machine: it would keep the middleware alive for as long as the object lives."""
        super().destroy_node()
        self.__dict__.pop("_state_machine", None)

    def run(self, stop: threading.Event) -> int:
        """Runs until the event is set. Returns the exit code.

        With `autostart` it configures and activates first (InputError: that failed).
        """
        try:
            if self._managed.config.autostart:
                self._start()
            with spinning(self, stop) as failed:
                stop.wait()
            return INTERNAL_ERROR if failed.is_set() else 0
        finally:
            self._close()

    def _start(self) -> None:
        self._starting = True
        for trigger in (self.trigger_configure, self.trigger_activate):
            if trigger() != TransitionCallbackReturn.SUCCESS:
                raise InputError(self._managed.lifecycle.error)
        self._starting = False

    def _close(self) -> None:
        self._reporting.stop()
        with contextlib.suppress(RuntimeError):  # it is shut down already, or still busy with a transition
            self.trigger_shutdown()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._change("configure")

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._change("activate")

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._change("deactivate")

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._change("cleanup")

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._change("shutdown")

    def _change(self, transition: str) -> TransitionCallbackReturn:
        if not (reason := self._managed.change(transition)):
            return TransitionCallbackReturn.SUCCESS
        if not self._starting:
            RosLog(self).error(reason)
        return TransitionCallbackReturn.FAILURE

    def _report(self) -> None:
        device, statuses = self._managed.device, self._health.look()
        stamp = self.get_clock().now().nanoseconds
        self._diagnostics.publish(diagnostics_message(interfaces, self.get_name(), device, statuses, stamp))

    def _answer_every_request(self) -> None:
        """Answers requests for impossible transitions with no. In rclpy itself they end the executor."""
        (service,) = (s for s in self.services if s.srv_name.endswith("/change_state"))
        change_state = service.callback

        def answer(request: Any, response: Any) -> Any:
            try:
                return change_state(request, response)
            except RuntimeError as error:  # the base of rclpy's own exceptions
                RosLog(self).warning(f"lifecycle: {' '.join(str(error).split(', at ')[0].split())}")
                response.success = False
                return response

        service.callback = answer
