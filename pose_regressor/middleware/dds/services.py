"""Requests and responses of services over DDS, as rmw_cyclonedds sends them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from cyclonedds.qos import Policy

from pose_regressor.middleware.dds.samples import Call
from pose_regressor.middleware.standalone.participant import Service

#: Seconds to wait until the client's reader is known here; its request may arrive before.
WAY_BACK = 1.0


def answering(reader: Any, writer: Any, service: Service) -> Callable[[Any], None]:
    """What is done with a request. reader, writer: of requests and responses."""

    def on_request(request: Any) -> None:
        values = service.answer(request.body)
        _wait_for_way_back(reader, writer, request.sample_info.publication_handle)
        writer.write(Call(request.guid, request.sequence_number, service.kind.response(**values)))

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
