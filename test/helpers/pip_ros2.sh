#!/bin/sh
# pip_ros2.sh VENV: makes VENV/ros2, an environment with rclpy of ROS 2 Kilted from the package index, on top of VENV.
# It is one of its own, so that in VENV `pose-regressor` finds no ROS 2, as for most who install it. If that cannot be
# done here, it says why and makes none. The next run tries again.
set -eu
venv=$1 ros=$1/ros2

leave_out() {
  echo "the tests of ROS 2 are left out: $1"
  rm -rf "$ros"
  exit 0
}

"$venv/bin/python" - <<EOF || leave_out "the package index has rclpy for Linux on x86-64 and Python 3.10 to 3.14 only"
import platform, sys
sys.exit(not (sys.platform == "linux" and platform.machine() == "x86_64" and (3, 10) <= sys.version_info[:2] <= (3, 14)))
EOF

can_compile() {
  command -v cc && command -v c++ && [ -f "$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" ]
} >/dev/null
if ! can_compile && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  headers=$("$venv/bin/python" -c 'import sys; print("python%d.%d-dev" % sys.version_info[:2])')
  echo "installing g++ and $headers"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq g++ "$headers" >/dev/null || true
fi
can_compile || leave_out "expected a C++ compiler and Python's headers (Debian, Ubuntu: sudo apt-get install g++ python3-dev)"

echo "installing rclpy of ROS 2 Kilted for the tests"
"$venv/bin/python" -m venv --clear "$ros"
packages=$(cd "$venv" && bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo "import site; site.addsitedir('$packages')" > "$("$ros/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/above.pth"
"$ros/bin/python" -m pip --disable-pip-version-check install --quiet --retries 1 -e ".[ros]" ||
  leave_out "pip cannot install rclpy, see above"
"$ros/bin/pose_regressor_build_messages" || leave_out "their messages cannot be built, see above"
