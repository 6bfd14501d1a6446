"""The DDS node's diagnostics and services to a node of rclpy: over Cyclone DDS they answer, over Fast DDS the doctor
says why not."""

import json
from pathlib import Path

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("cyclonedds")
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.srv import ChangeState, GetState

pytestmark = pytest.mark.ros2
FAST_DDS = rclpy.get_rmw_implementation_identifier().startswith("rmw_fastrtps")
STANDIN = Path(__file__).parents[1] / "standin_node.py"
#: As most have it: a Python without rclpy.
DOCTOR = "import sys; sys.modules['rclpy'] = None; from pose_regressor.cli import main; main(sys.argv[1:])"


@pytest.fixture
def node(launch, peer_node, until):
    """The DDS node, once its diagnostics have come."""
    heard = []
    peer_node.create_subscription(DiagnosticArray, "/diagnostics", heard.append, 10)
    running = launch(STANDIN, json.dumps({"autostart": False}))
    until(lambda: heard, "diagnostics")
    assert heard[0].status[0].level in (b"\0", b"\1", b"\2")
    return running


def call(node, until, kind, name, request):
    """The answer of a service; it is asked again, since a request may come before the way back is known."""
    client = node.create_client(kind, f"/pose_regressor/{name}")
    until(client.service_is_ready, name)
    answer = client.call_async(request)
    until(answer.done, f"the answer of {name}")
    return answer.result()


@pytest.mark.skipif(FAST_DDS, reason="Fast DDS writes service requests in another form")
def test_services_answer(node, peer_node, until):
    assert call(peer_node, until, GetState, "get_state", GetState.Request()).current_state.label == "unconfigured"
    request = ChangeState.Request()
    request.transition.id = 1
    assert call(peer_node, until, ChangeState, "change_state", request).success
    assert call(peer_node, until, GetState, "get_state", GetState.Request()).current_state.label == "inactive"


@pytest.mark.skipif(not FAST_DDS, reason="needs a peer over Fast DDS")
def test_the_doctor_says_why_services_do_not_answer(node, launch, until):
    def found_with_others():
        """The doctor's findings, once it has found the other participants in the time that it listens."""
        doctor = launch("-c", DOCTOR, "doctor", "--json", "--seconds", 3)
        doctor.wait()
        found = {finding["check"]: finding for finding in json.loads(doctor.text)}
        return found if found["domain"]["level"] == "OK" and "2 other" in found["domain"]["text"] else None

    found = until(found_with_others, "the doctor to find both")
    assert found["services"]["level"] == "WARN"
    assert "run over Fast DDS: topics cross" in found["services"]["text"]
    assert "RMW_IMPLEMENTATION=rmw_cyclonedds_cpp" in found["services"]["advice"]
