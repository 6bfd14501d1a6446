"""What the node publishes."""

from __future__ import annotations

from rclpy.node import Node
from rclpy.qos import QoSProfile
from tf2_ros import TransformBroadcaster

from pose_regressor.draw import draw_poses
from pose_regressor.middleware.messages.images import header
from pose_regressor.middleware.messages.poses import detections_message, object_frame
from pose_regressor.middleware.pose.markers import Shapes
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.middleware.ros2 import interfaces as ros
from pose_regressor.types import Frame, InputError, PoseEstimate

try:
    from cv_bridge import CvBridge
    from tf_transformations import quaternion_from_matrix
except (ImportError, AttributeError) as error:  # the latter from a cv_bridge that was built for another NumPy
    raise InputError(
        f"ROS 2: cv_bridge or tf_transformations does not import ({error}); install them for this ROS 2, and where "
        "cv_bridge was built for NumPy 1: pip install 'numpy<2'"
    ) from error


class Output:
    """The node's publishers of answers."""

    def __init__(self, node: Node, config: NodeConfig) -> None:
        self._node, self._prefix = node, config.frame_prefix
        self._broadcaster = TransformBroadcaster(node)
        self._detections = node.create_publisher(ros.Detection3DArray, "~/detections", QoSProfile(depth=10))
        self._overlay = node.create_publisher(ros.Image, "~/overlay", QoSProfile(depth=1))
        self._markers = node.create_publisher(ros.MarkerArray, "~/markers", QoSProfile(depth=1))
        self._shapes = Shapes(ros, config)
        self._bridge = CvBridge()

    def poses(self, frame: Frame, estimates: list[PoseEstimate]) -> None:
        """Transforms first, since others wait for them; detections also when there are none."""
        if estimates:
            self._broadcaster.sendTransform([transform(frame, estimate, self._prefix) for estimate in estimates])
        self._detections.publish(detections_message(ros, frame, estimates))

    def overlay_wanted(self) -> bool:
        return bool(self._overlay.get_subscription_count())

    def overlay(self, frame: Frame, estimates: list[PoseEstimate]) -> None:
        drawn = draw_poses(frame.image, frame.camera, estimates)
        stamped = header(ros, frame.stamp, frame.frame_id)
        self._overlay.publish(self._bridge.cv2_to_imgmsg(drawn, "rgb8", stamped))

    def markers_wanted(self) -> bool:
        return bool(self._markers.get_subscription_count())

    def markers(self, frame: Frame, estimates: list[PoseEstimate]) -> None:
        self._markers.publish(self._shapes.message(frame, estimates))

    def close(self) -> None:
        for publisher in (self._broadcaster.pub_tf, self._detections, self._overlay, self._markers):
            self._node.destroy_publisher(publisher)


def transform(frame: Frame, estimate: PoseEstimate, prefix: str = "") -> ros.TransformStamped:
    """From the image's frame to the object's, stamped as the image."""
    x, y, z = estimate.translation.tolist()
    qx, qy, qz, qw = map(float, quaternion_from_matrix(estimate.cam_from_obj))
    return ros.TransformStamped(
        header=header(ros, frame.stamp, frame.frame_id),
        child_frame_id=object_frame(estimate, prefix),
        transform=ros.Transform(
            translation=ros.Vector3(x=x, y=y, z=z), rotation=ros.Quaternion(x=qx, y=qy, z=qz, w=qw)
        ),
    )
