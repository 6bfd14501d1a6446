"""What `pose-regressor doctor` says of the machine alone."""

import json
import sys
from types import ModuleType

import pytest

from pose_regressor.cli import main
from pose_regressor.doctor import Level
from pose_regressor.doctor.machine import (
    check_buffer,
    check_device,
    check_machine,
    check_middleware,
    check_models,
    check_package,
    check_threads,
)
from pose_regressor.middleware import DDS_REMEDY
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.network.engines import has_int8
from pose_regressor.network.quantization import Quantization, convolutions


def test_what_is_here_is_fine():
    pytest.importorskip("cyclonedds")
    findings = check_machine(NodeConfig(), {})
    assert {finding.check: finding.text for finding in findings if finding.level == Level.ERROR} == {}
    assert {"numpy", "cv2", "device", "threads", "model", "middleware"} <= {f.check for f in findings}


def test_packages(monkeypatch):
    fake = ModuleType("fake_package")
    fake.__version__ = "1.9.2rc1"
    monkeypatch.setitem(sys.modules, "fake_package", fake)
    assert check_package("fake_package", (1, 9)).level == Level.OK
    assert check_package("fake_package", (1, 10)).level == Level.ERROR
    missing = check_package("no_such_package", (2, 0))
    assert missing.level == Level.ERROR
    assert missing.advice == "pip install 'no_such_package>=2.0'"


def test_models(tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"none")
    good, bad, objects = check_models(["box", str(tmp_path / "bad.safetensors")], ["teapot"])
    assert (good.level, good.text) == (Level.OK, "box: knows box")
    assert bad.level == Level.ERROR
    assert "bad.safetensors" in bad.text
    assert (objects.level, objects.advice) == (Level.ERROR, "known are: box")


def test_devices(monkeypatch):
    pytest.importorskip("torch")
    assert check_device("cpu", "torch").text == "network by torch on cpu, fp32"
    assert check_device("cuda:99").level == Level.ERROR
    for name in ("openvino", "onnxruntime"):
        monkeypatch.setitem(sys.modules, name, None)  # as if it were not installed
    assert check_device("cpu").advice == "pip install openvino"
    assert check_device("cpu", "onnxruntime").level == Level.ERROR
    assert check_device("cpu", "torch", "bf16").level == Level.ERROR


def test_the_device_runs_each_bundle_by_its_own_rule(make_bundle, monkeypatch):
    pytest.importorskip("openvino")
    if not has_int8():
        pytest.skip("this CPU does not compute in 8 bits")
    monkeypatch.setattr("pose_regressor.network.runners.has_bf16", lambda: False)
    brick, cup = make_bundle("brick"), make_bundle("cup")
    brick.quantization = Quantization(dict.fromkeys(convolutions(brick.config, 1), 4.0), precise=True)
    text = check_device("cpu", threads=1, bundles=[brick, cup]).text
    assert text.startswith("network by brick: openvino on cpu, int8, 1 thread; cup: openvino on cpu, fp32, ")
    refused = check_device("cpu", precision="int8", bundles=[brick, cup])
    assert refused.level == Level.ERROR and "(bundle of cup)" in refused.text


def test_threads():
    assert check_threads(0).level == check_threads(1).level == Level.OK
    assert check_threads(999).level == Level.WARN
    assert "set threads to" in check_threads(999).advice


def test_rmw(monkeypatch):
    monkeypatch.setattr("pose_regressor.doctor.machine.missing", lambda name: "")
    for rmw in ("rmw_zenoh_cpp", "rmw_cyclonedds_cpp", "rmw_unknown_cpp"):
        found = check_middleware({"RMW_IMPLEMENTATION": rmw})
        assert found.level == Level.OK and rmw in found.text


def test_an_rmw_that_nothing_here_speaks_to(monkeypatch):
    reasons = {"zenoh": "zenoh does not import (no module); pip install zenoh"}
    monkeypatch.setattr("pose_regressor.doctor.machine.missing", lambda name: reasons.get(name, ""))
    found = check_middleware({"RMW_IMPLEMENTATION": "rmw_zenoh_cpp"})
    assert (found.level, found.advice) == (Level.WARN, "pip install zenoh")
    assert "RMW_IMPLEMENTATION is rmw_zenoh_cpp" in found.text
    assert check_middleware({"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}).level == Level.OK


def test_buffers(tmp_path):
    file = tmp_path / "rmem_max"
    assert check_buffer(file).level == Level.OK
    file.write_text("212992\n")
    assert "net.core.rmem_max is 212992 bytes" in check_buffer(file).text
    assert check_buffer(file).level == Level.WARN
    file.write_text("4194304\n")
    assert check_buffer(file).level == Level.OK


def test_without_dds_and_zenoh_the_network_is_not_looked_at(monkeypatch, capsys):
    for package in ("cyclonedds", "zenoh"):
        monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    main(["doctor", "--json"])
    [network] = [found for found in json.loads(capsys.readouterr().out) if found["check"] == "network"]
    assert network["level"] == "WARN"
    assert DDS_REMEDY in network["text"]
