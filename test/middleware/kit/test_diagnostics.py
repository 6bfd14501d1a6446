"""The message of a node's reports, and the thread that sends them."""

from types import SimpleNamespace

from pose_regressor.middleware.kit import diagnostics
from pose_regressor.middleware.kit.diagnostics import Level, Reporting, Status, diagnostics_message


def test_message():
    class Types:
        octet = staticmethod(lambda value: bytes([value]))

        def __getattr__(self, name):
            return type(name, (SimpleNamespace,), {})

    names = ("node", "images", "poses")
    statuses = [Status(name, Level.OK, "active", {"State": "active", "Hz": "30.0"}) for name in names]
    message = diagnostics_message(Types(), "arm", "cuda:0", statuses, 5_000_000_006)
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (5, 6)
    assert [status.name for status in message.status] == ["arm: node", "arm: images", "arm: poses"]
    assert {status.hardware_id for status in message.status} == {"cuda:0"}
    assert message.status[0].level == b"\0"
    assert all(isinstance(pair.value, str) for status in message.status for pair in status.values)


def test_reporting_goes_on_after_an_error(monkeypatch, log, until):
    monkeypatch.setattr(diagnostics, "PERIOD", 0.01)
    calls = []

    def report():
        calls.append(None)
        if len(calls) < 3:
            raise OSError("the network is gone")

    reporting = Reporting(report, log)
    until(lambda: len(calls) > 3, "reports")
    reporting.stop()
    assert log.of("warning") == ["no diagnostics: OSError: the network is gone"]
    count = len(calls)
    reporting.stop()
    assert len(calls) == count
