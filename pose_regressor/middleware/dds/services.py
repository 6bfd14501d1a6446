"""The node's services over DDS: for `ros2 lifecycle` and lifecycle managers, and for `ros2 param`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from cyclonedds.qos import Policy

from pose_regressor.middleware.dds.participant import Listening, Participant
from pose_regressor.middleware.dds.samples import Call
from pose_regressor.middleware.kit.lifecycle import State, Transition
from pose_regressor.middleware.kit.log import Log
from pose_regressor.middleware.kit.managed import Managed
from pose_regressor.middleware.wire import service_types
from pose_regressor.settings import Parameter
from pose_regressor.types import InputError

types: Any = service_types
#: Seconds to wait until the client's reader is known here; its request may arrive before.
WAY_BACK = 1.0
#: By rcl_interfaces/ParameterType: the field of a ParameterValue that holds the value.
FIELDS = {
    1: "bool_value",
    2: "integer_value",
    3: "double_value",
    4: "string_value",
    5: "byte_array_value",
    6: "bool_array_value",
    7: "integer_array_value",
    8: "double_array_value",
    9: "string_array_value",
}
KINDS = {"bool": 1, "float": 3, "string": 4, "string_array": 9}


class NodeServices:
    """Answers requests until `stop`, one at a time, in a thread of its own."""

    def __init__(self, participant: Participant, managed: Managed[Any], log: Log) -> None:
        self._managed, self._log = managed, log
        self._table: dict[str, Parameter] = {parameter.name: parameter for parameter in managed.config.table()}
        # Each service has the name of the method that answers it.
        self._listening = Listening(
            participant,
            {
                reader: _answering(reader, writer, service.response, getattr(self, name))
                for name, service in {**types.LIFECYCLE, **types.PARAMETERS}.items()
                for reader, writer in [participant.service(f"~/{name}", service.request, service.response)]
            },
            log,
            lambda _, error: log.error(f"service: {error}"),
        )

    def stop(self) -> None:
        self._listening.stop()

    def change_state(self, request: Any) -> Mapping[str, Any]:
        if reason := self._managed.change(request.transition.label or request.transition.id):
            self._log.error(reason)
        return {"success": not reason}

    def get_state(self, _: Any) -> Mapping[str, Any]:
        return {"current_state": _state(self._managed.lifecycle.state)}

    def get_available_transitions(self, _: Any) -> Mapping[str, Any]:
        return {"available_transitions": [_description(t) for t in self._managed.lifecycle.available]}

    def describe_parameters(self, request: Any) -> Mapping[str, Any]:
        return {"descriptors": [_descriptor(self._table[name]) for name in request.names if name in self._table]}

    def get_parameters(self, request: Any) -> Mapping[str, Any]:
        config, table = self._managed.config, self._table
        return {"values": [_value(table[n], getattr(config, n)) for n in request.names if n in table]}

    def get_parameter_types(self, request: Any) -> Mapping[str, Any]:
        return {"types": [KINDS[self._table[name].kind] for name in request.names if name in self._table]}

    def list_parameters(self, request: Any) -> Mapping[str, Any]:
        names = [name for name in self._table if not request.prefixes or name in request.prefixes]
        return {"result": types.ListParametersResult(names, [])}

    def set_parameters(self, request: Any) -> Mapping[str, Any]:
        return {"results": [self._set([parameter]) for parameter in request.parameters]}

    def set_parameters_atomically(self, request: Any) -> Mapping[str, Any]:
        return {"result": self._set(request.parameters)}

    def _set(self, parameters: list[Any]) -> Any:
        values = {p.name: getattr(p.value, FIELDS[p.value.type]) if p.value.type else None for p in parameters}
        try:
            self._managed.tune(values)
        except InputError as error:
            return types.SetParametersResult(False, str(error))
        return types.SetParametersResult(True, "")


def _answering(
    reader: Any, writer: Any, response: type, answer: Callable[[Any], Mapping[str, Any]]
) -> Callable[[Any], None]:
    def on_request(request: Any) -> None:
        values = answer(request.body)
        _wait_for_way_back(reader, writer, request.sample_info.publication_handle)
        writer.write(Call(request.guid, request.sequence_number, response(**values)))

    return on_request


def _wait_for_way_back(reader: Any, writer: Any, asker: int) -> None:
    """Waits until the writer of replies knows the reader that belongs to the writer of the request."""
    end = time.monotonic() + WAY_BACK
    wanted = _client_id(reader.get_matched_publication_data(asker))
    while time.monotonic() < end:
        if wanted in (_client_id(writer.get_matched_subscription_data(handle)) for handle in writer.matched_sub):
            return
        time.sleep(0.005)


def _client_id(endpoint: Any) -> bytes:
    """The id that rmw_cyclonedds writes into the user data of both ends of a client; b'' if there is none."""
    data = endpoint.qos[Policy.Userdata].data if endpoint and Policy.Userdata in endpoint.qos else b""
    return next((part for part in data.split(b";") if part.startswith(b"clientid=")), b"")


def _state(state: State) -> Any:
    return types.State(state, state.label)


def _description(transition: Transition) -> Any:
    own = types.Transition(transition.number, transition.label)
    return types.TransitionDescription(own, _state(transition.start), _state(transition.through))


def _value(parameter: Parameter, value: Any) -> Any:
    kind = KINDS[parameter.kind]
    return types.ParameterValue(type=kind, **{FIELDS[kind]: list(value) if isinstance(value, tuple) else value})


def _descriptor(parameter: Parameter) -> Any:
    span = [types.FloatingPointRange(parameter.low, parameter.high, 0.0)] if parameter.kind == "float" else []
    return types.ParameterDescriptor(
        name=parameter.name,
        type=KINDS[parameter.kind],
        description=parameter.full_description,
        additional_constraints="" if span else parameter.constraint,
        read_only=not parameter.live,
        floating_point_range=span,
    )
