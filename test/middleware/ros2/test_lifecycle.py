"""Our table of states against rcl's own, and the node under ROS 2's own tools."""

import signal

import pytest
from base_peer import PATIENCE

pytest.importorskip("rclpy")
import rclpy
from lifecycle_msgs.msg import TransitionEvent
from lifecycle_msgs.srv import GetAvailableTransitions
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode

from pose_regressor.middleware.kit.lifecycle import TRANSITIONS

pytestmark = pytest.mark.ros2
ROS2 = ["-c", "import sys; from ros2cli.cli import main; sys.exit(main())"]
WAYS = [[], ["configure"], ["configure", "activate"], ["shutdown"]]


@pytest.fixture
def plain(domain):
    """A managed node without anything to manage, and an executor to spin it."""
    context = rclpy.Context()
    rclpy.init(context=context)
    node = LifecycleNode("plain", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    yield node, executor
    executor.shutdown()
    node.destroy_node()
    rclpy.try_shutdown(context=context)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: "-".join(way) or "none")
def test_the_table_is_that_of_rcl(plain, way):
    node, executor = plain
    for transition in way:
        getattr(node, f"trigger_{transition}")()
    client = node.create_client(GetAvailableTransitions, "/plain/get_available_transitions")
    assert client.wait_for_service(PATIENCE)
    answer = client.call_async(GetAvailableTransitions.Request())
    executor.spin_until_future_complete(answer, timeout_sec=PATIENCE)

    def described(t):
        return (t.transition.id, t.transition.label, t.start_state.id, t.start_state.label, t.goal_state.id)

    theirs = {described(t) for t in answer.result().available_transitions}
    starts = {start for _, _, start, _, _ in theirs}
    ours = {(t.number, t.label, int(t.start), t.start.label, int(t.through)) for t in TRANSITIONS if t.start in starts}
    assert theirs == ours
    assert starts or way == ["shutdown"]


def run(launch, *arguments):
    process = launch(*ROS2, *arguments)
    process.wait()
    return process.text.strip()


@pytest.mark.slow
def test_ros2_lifecycle_and_ros2_param(start, launch, peer_node, until):
    pytest.importorskip("ros2cli")
    events = []
    peer_node.create_subscription(TransitionEvent, "/pose_regressor/transition_event", events.append, 10)
    node = start("-p", "autostart:=false")
    until(lambda: peer_node.count_publishers("/pose_regressor/transition_event"), "the node")
    assert run(launch, "lifecycle", "get", "/pose_regressor") == "unconfigured [1]"
    for transition in ("configure", "activate", "deactivate", "cleanup", "shutdown"):
        assert run(launch, "lifecycle", "set", "/pose_regressor", transition) == "Transitioning successful"
        if transition == "activate":
            param = ("param", "set", "/pose_regressor")
            assert run(launch, *param, "score_threshold", "0.7") == "Set parameter successful"
            said = run(launch, *param, "objects", "[mug]")
            assert said == "Setting parameter failed: objects: expected crate, got mug"
            assert "read-only" in run(launch, *param, "device", "cuda")
    reached = [event.goal_state.label for event in events if event.goal_state.id < 10]
    assert reached == ["inactive", "active", "inactive", "unconfigured", "finalized"]
    assert node.end(signal.SIGINT)[0] == 0
    assert "Traceback" not in node.text
