"""Message types and images under rclpy: those of any ROS 2, however they were installed."""

import importlib.util
import sys

import numpy as np
import pytest

from pose_regressor.middleware.messages.images import header, image_message
from pose_regressor.middleware.wire import idl
from pose_regressor.middleware.wire.type_hash import type_hash
from pose_regressor.types import InputError

pytest.importorskip("rclpy")

from pose_regressor.middleware.ros2 import build_messages, interfaces
from pose_regressor.middleware.ros2.bridge import usable_bridge

pytestmark = pytest.mark.ros2
TOPICS = ["Image", "CompressedImage", "CameraInfo", "TFMessage", "Detection3DArray", "MarkerArray", "DiagnosticArray"]


@pytest.mark.parametrize("name", TOPICS)
def test_rclpy_announces_the_type_hash_of_ours(peer_node, until, name):
    publisher = peer_node.create_publisher(getattr(interfaces, name), "type", 1)
    until(lambda: peer_node.get_publishers_info_by_topic("/type"), "the publisher's own discovery")
    (info,) = peer_node.get_publishers_info_by_topic("/type")
    ours = getattr(idl, name)
    assert info.topic_type == ours.ros_type
    if not hasattr(info, "topic_type_hash"):
        pytest.skip("Humble has no type hashes")
    assert str(info.topic_type_hash) == type_hash(ours)
    peer_node.destroy_publisher(publisher)


def test_messages_are_built_once_and_only_beside_rclpy_of_pip(capsys):
    if importlib.util.find_spec("ros_wheels_bootstrapper"):
        assert build_messages.main([]) == 0
        assert capsys.readouterr().out == "tf2_msgs: is there\nvision_msgs: is there\n"
    else:
        with pytest.raises(InputError, match="expected rclpy from pip"):
            build_messages.main([])


def test_cv_bridge_is_used_where_it_makes_the_same_image(log):
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    bridge = usable_bridge(log)
    if bridge is None:
        assert not importlib.util.find_spec("cv_bridge") or log.of("info")
        pytest.skip("cv_bridge is missing, or does not fit this OpenCV or NumPy")
    ours = image_message(interfaces, pixels, 3_000_000_007, "camera", interfaces.image_data)
    assert bridge.cv2_to_imgmsg(pixels, "rgb8", header(interfaces, 3_000_000_007, "camera")) == ours


@pytest.mark.parametrize("trouble", ["{}[16]", "return Image()", "raise AttributeError('_ARRAY_API not found')"])
def test_a_cv_bridge_that_does_not_fit_is_left_alone(log, tmp_path, monkeypatch, trouble):
    """As those built on OpenCV 4 beside OpenCV 5, where the number of a type is missing, or for NumPy 1 beside 2."""
    source = (
        f"from sensor_msgs.msg import Image\n\nclass CvBridge:\n    def cv2_to_imgmsg(self, *_):\n        {trouble}\n"
    )
    (tmp_path / "cv_bridge.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cv_bridge", raising=False)
    assert usable_bridge(log) is None
    (said,) = log.of("info")
    assert said.startswith("cv_bridge is not used")
    monkeypatch.delitem(sys.modules, "cv_bridge")
