"""The runtime, as pip and colcon install it. training/ and cuda_ext/ are packages of their own."""

from pathlib import Path

from setuptools import find_packages, setup

NAME = "pose_regressor"
ROOT = Path(__file__).resolve().parent
SHARED = {
    "": ["package.xml"],
    "launch": ["launch/*.launch.py"],
    "config": ["config/*.yaml", "config/*.rviz", "config/*.xml"],
    "models": ["models/*.safetensors", "models/*.md"],
    "demo": ["demo/*.mp4", "demo/*.json", "demo/*.md"],
    "demo/depth": ["demo/depth/*.png"],
}


def shared_files():
    """What goes to share/pose_regressor, for each folder that has something."""
    for folder, patterns in SHARED.items():
        files = sorted(path.relative_to(ROOT).as_posix() for pattern in patterns for path in ROOT.glob(pattern))
        if files:
            yield f"share/{NAME}/{folder}".rstrip("/"), files


#: rclpy of ROS 2 Kilted from the package index, over Fast DDS. tf2_msgs and vision_msgs are missing there:
#: `pose_regressor_build_messages` builds them.
ROS = [
    f"ros-kilted-{name}; platform_machine == 'x86_64' and sys_platform == 'linux'"
    for name in ["rclpy", "rmw-fastrtps-cpp", "sensor-msgs", "diagnostic-msgs", "visualization-msgs", "lifecycle-msgs"]
]

setup(
    name=NAME,
    version="0.2.0",
    description="6D poses of known objects from camera images, as TF frames and from Python",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    data_files=[("share/ament_index/resource_index/packages", [f"resource/{NAME}"]), *shared_files()],
    zip_safe=False,
    install_requires=[
        "setuptools",
        "numpy>=1.26",
        "openvino>=2025.0",
        "opencv-python-headless>=4.8",
        "safetensors>=0.4",
        "pyyaml>=6",
        "typer>=0.12",
        "rich>=13",
    ],
    extras_require={
        "dds": ["cyclonedds>=11.0.1"],
        "zenoh": ["eclipse-zenoh>=1.5,<2"],
        "bag": ["mcap>=1.2"],
        # Another engine for CPUs, in place of OpenVINO.
        "onnx": ["onnxruntime>=1.17"],
        # For GPUs, layers, and ONNX files for other programs. Training needs it, too.
        "torch": ["torch>=2.4"],
        "ros": ROS,
        "test": [
            *("torch>=2.4", "onnx>=1.16", "onnxruntime>=1.17"),
            *("pytest>=7.4", "pytest-timeout>=2.2", "pytest-xdist>=3.5"),
            *("rosbags>=0.10", "hypothesis", "scipy", "ruff", "mypy", "types-PyYAML"),
        ],
    },
    entry_points={
        "console_scripts": [
            "pose-regressor = pose_regressor.cli:main",
            # For `ros2 run` and launch files; they need a sourced ROS 2.
            "pose_regressor_node = pose_regressor.middleware.executables:node",
            "pose_regressor_fusion = pose_regressor.middleware.executables:fusion",
            "pose_regressor_player = pose_regressor.middleware.executables:player",
            # For an rclpy that pip installed.
            "pose_regressor_build_messages = pose_regressor.middleware.executables:build_messages",
            "pose_regressor_demo_listener = pose_regressor.demo.listener:main",
        ],
    },
)
