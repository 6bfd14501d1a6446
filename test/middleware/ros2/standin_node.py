"""The rclpy node with the stand-in tracker of ../standin_node.py: ``standin_node.py --ros-args -p overlay:=false``."""

import runpy
import sys
from pathlib import Path

from pose_regressor.middleware import executables


def main() -> int:
    from pose_regressor.middleware.ros2 import node

    shared = runpy.run_path(str(Path(__file__).parents[1] / "standin_node.py"))
    node.main = lambda arguments: node.run(arguments=arguments, open_tracker=lambda config: shared["StandIn"]())
    return executables.node()


if __name__ == "__main__":
    sys.exit(main())
