#!/usr/bin/env bash
# ros2_numpy 0.0.5, the one on PyPI, gives a wrong matrix for nearly every Pose and Transform, without a warning.
#
# Seen: it passes quaternions as x, y, z, w to the package transformations 2026.1.18, which takes w, x, y, z.
# - numpify: the identity Pose becomes half a turn about z, and so does the identity Transform.
# - msgify: the identity matrix becomes a Pose with x = 1, half a turn about x. A Transform comes out right.
# Matrix to Pose and back gives the same matrix, as the two errors undo each other, so a test of that kind sees nothing.
# Matrix to Transform and back does not. Translations are right.
# Whoever turns the poses of an object detector into matrices this way gets the place right and the rotation wrong. Take
# scipy's Rotation.from_quat instead: it counts x, y, z, w, as ROS does.
#
# Needs Python 3.10 or 3.11 on x86-64 Linux. Exits with 0 if this is still so, and with 1 if it has changed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install -q ros2-numpy==0.0.5 transformations==2026.1.18 ros-nav-msgs==5.5.1 ros-sensor-msgs==5.5.1 \
    ros-geometry-msgs==5.5.1 scipy==1.14.1 2>/dev/null
cat > look.py <<'PY'
import importlib.metadata

import numpy as np
import ros2_numpy
from geometry_msgs.msg import Point, Pose, Quaternion, Transform, Vector3
from scipy.spatial.transform import Rotation

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("ros2_numpy", "transformations")), sep=", ")
HALF_TURN_X, HALF_TURN_Z = np.diag([1.0, -1, -1]), np.diag([-1.0, -1, 1])


def rotation(message):
    return ros2_numpy.numpify(message)[:3, :3]


def as_ros_means(quaternion):
    return Rotation.from_quat([quaternion.x, quaternion.y, quaternion.z, quaternion.w]).as_matrix()


same = []
for name, message in (("Pose", Pose()), ("Transform", Transform())):
    turned = rotation(message)
    print(f"numpify of the identity {name} has the diagonal", turned.diagonal().tolist())
    same.append(np.allclose(turned, HALF_TURN_Z))

pose, transform = ros2_numpy.msgify(Pose, np.eye(4)), ros2_numpy.msgify(Transform, np.eye(4))
print("msgify of the identity: Pose", pose.orientation, "and Transform", transform.rotation)
same.append(np.allclose(as_ros_means(pose.orientation), HALF_TURN_X))
same.append(np.allclose(as_ros_means(transform.rotation), np.eye(3)))

wrong, matrix_kept = {"Pose": [], "Transform": []}, {"Pose": [], "Transform": []}
for true in Rotation.random(200, random_state=1):
    x, y, z, w = true.as_quat()
    quaternion, matrix = Quaternion(x=x, y=y, z=z, w=w), np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = true.as_matrix(), [1, 2, 3]
    messages = {
        "Pose": Pose(position=Point(x=1.0, y=2.0, z=3.0), orientation=quaternion),
        "Transform": Transform(translation=Vector3(x=1.0, y=2.0, z=3.0), rotation=quaternion),
    }
    for name, message in messages.items():
        got = ros2_numpy.numpify(message)
        same.append(np.allclose(got[:3, 3], [1, 2, 3]))
        wrong[name].append(np.degrees((Rotation.from_matrix(got[:3, :3]) * true.inv()).magnitude()))
        back = ros2_numpy.numpify(ros2_numpy.msgify(type(message), matrix))
        matrix_kept[name].append(np.allclose(back, matrix))
for name in wrong:
    print(
        f"numpify of 200 random {name}s: off by {np.median(wrong[name]):.0f} degrees in the median,",
        f"{sum(angle < 1 for angle in wrong[name])} of them by less than one.",
        f"Matrices that come back the same: {sum(matrix_kept[name])} of 200",
    )
    same += [np.median(wrong[name]) > 45, sum(matrix_kept[name]) == (200 if name == "Pose" else 0)]
raise SystemExit(not all(same))
PY
env/bin/python look.py
