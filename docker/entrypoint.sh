#!/bin/bash
# Runs a command with ROS 2, the environment of pip's packages and this workspace.
# shellcheck disable=SC1090,SC1091
set -e
source "/opt/ros/$ROS_DISTRO/setup.bash"
source /opt/venv/bin/activate
source /workspace/install/setup.bash
exec "$@"
