"""A managed node of rclpy, whatever it is for: its transitions, its parameters and its reports."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.node import Node

from pose_regressor.middleware.kit.diagnostics import Health, Reporting, diagnostics_message
from pose_regressor.middleware.kit.managed import Managed
from pose_regressor.middleware.ros2 import interfaces
from pose_regressor.middleware.ros2.parameters import follow_changes
from pose_regressor.middleware.ros2.session import RosLog, spinning
from pose_regressor.types import InputError

INTERNAL_ERROR = 1


def namesakes(node: Node) -> int:
    """How many other nodes have this one's name."""
    own = (node.get_name(), node.get_namespace())
    return max(0, node.get_node_names_and_namespaces().count(own) - 1)


class ManagedRosNode(LifecycleNode):
    """Unconfigured until a lifecycle manager or `run` says otherwise. To be given what it manages with `manage`."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, automatically_declare_parameters_from_overrides=True, **options)
        self._answer_every_request()

    def manage(self, managed: Managed[Any], health: Health) -> None:
        """Its parameters must have been declared."""
        self._managed, self._health = managed, health
        self._starting = False
        follow_changes(self, managed.tune)
        self._diagnostics = self.create_publisher(interfaces.DiagnosticArray, "/diagnostics", 10)
        self._reporting = Reporting(self._report, RosLog(self))

    def run(self, stop: threading.Event) -> int:
        """Until the event is set; with `autostart` from configured and activated on (InputError: that cannot be). The
        exit code."""
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
        with contextlib.suppress(RuntimeError):  # it is shut down already, or busy with a transition that takes longer
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
        """rclpy lets a request for a transition that is not possible now end the executor; it is answered with no."""
        (service,) = (s for s in self.services if s.srv_name.endswith("/change_state"))
        change_state = service.callback

        def answer(request: Any, response: Any) -> Any:
            try:
                return change_state(request, response)
            except RuntimeError as error:  # what rclpy's own exceptions have in common
                RosLog(self).warning(f"lifecycle: {' '.join(str(error).split(', at ')[0].split())}")
                response.success = False
                return response

        service.callback = answer
