"""The DDS node's topics and services to a node of rclpy: over Cyclone DDS the services answer, over Fast DDS the doctor
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
#: A node of rclpy: ends with 0 once it has heard the answer to an image of its own, and with 1 if it does not.
ROBOT = """
import sys, time, rclpy
from sensor_msgs.msg import CameraInfo, Image
from tf2_msgs.msg import TFMessage
rclpy.init()
node, heard, end = rclpy.create_node("robot"), [], time.monotonic() + 15
node.create_subscription(TFMessage, "/tf", heard.append, 10)
infos, images = node.create_publisher(CameraInfo, "camera_info", 10), node.create_publisher(Image, "image", 10)
while not heard and time.monotonic() < end:
    info = CameraInfo(width=8, height=6, k=[50.0, 0.0, 3.5, 0.0, 50.0, 2.5, 0.0, 0.0, 1.0])
    image = Image(width=8, height=6, encoding="rgb8", step=24, data=[15] * 144)
    info.header.frame_id = image.header.frame_id = "optical"
    infos.publish(info)
    images.publish(image)
    rclpy.spin_once(node, timeout_sec=0.2)
sys.exit(not heard or heard[0].transforms[0].transform.translation.z != 1.5)
"""


@pytest.fixture
def node(launch, peer_node, until):
    """The DDS node, once its diagnostics have come."""
    heard = []
    peer_node.create_subscription(DiagnosticArray, "/diagnostics", heard.append, 10)
    running = launch(STANDIN, "dds", json.dumps({"autostart": False}))
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


def test_topics_cross_with_ros_as_it_is_installed(launch, domain, until):
    """Without the settings of these tests. If Fast DDS loses what it asks about types, another process must ask."""
    launch(STANDIN, "dds", "{}")
    until(lambda: launch("-c", ROBOT, FASTDDS_DEFAULT_PROFILES_FILE=None).wait() == 0, "each to hear the other")
