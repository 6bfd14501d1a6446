"""The rules of who may import whom, read from the source with ast: arrows only downwards, ROS in one place only."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
RUNTIME = ROOT / "pose_regressor"
TRAINING = ROOT / "training" / "pose_regressor_training"
CUDA = ROOT / "cuda_ext"

#: The rooms of the runtime from the bottom to the top. Each imports from those above it in this list; rooms of one line
#: know nothing of each other.
RUNTIME_ORDER = """
    inputs
    distortion plane
    types
    settings
    geometry color
    files assets memory
    sources draw video
    ops
    network
    estimation
    tracking
    middleware.messages middleware.wire
    middleware.kit
    middleware.pose middleware.fusion
    middleware.standalone
    middleware.ros2 middleware.dds middleware.zenoh
    middleware
    bag doctor demo
    cli
    __main__
"""
TRAINING_ORDER = """
    figures
    meshes scenes processes
    randomize raytracer
    blender test_objects bop
    family
    samples
    losses generate evaluate
    calibrate
    train
    experiments demo_clip
    cli
"""
#: What `import pose_regressor` offers at once or on first use.
OFFERED = {"types", "estimation", "tracking"}

ANYWHERE = {"numpy", "cv2", "safetensors", "yaml", "typer", "rich"}
#: A robot without a GPU has no torch. These are for layers and for networks on a GPU.
TORCH = {"torch"}
#: The only file that may ask whether the extension is there.
THE_BACKEND = "ops/extension.py"
ONLY_BELOW = {
    "middleware/dds": {"cyclonedds"},
    "network/engines.py": {"onnxruntime", "openvino"},
    "ops": TORCH,
    "geometry/rotation.py": TORCH,
    **dict.fromkeys((f"network/{name}.py" for name in ("backbone", "heads", "network", "torch_runner")), TORCH),
    **dict.fromkeys(("network/weights.py", "network/runners.py", "cli/info.py"), TORCH),  # inside functions
    "middleware/zenoh": {"zenoh"},
    "doctor/dds.py": {"cyclonedds"},
    "bag": {"mcap", "zstandard"},
    "middleware/ros2": {
        *("rclpy", "cv_bridge", "tf2_ros", "tf_transformations", "ament_index_python", "launch", "launch_ros"),
        *("builtin_interfaces", "rcl_interfaces", "std_msgs", "geometry_msgs", "sensor_msgs", "tf2_msgs"),
        *("vision_msgs", "visualization_msgs", "diagnostic_msgs", "lifecycle_msgs"),
        *("rosidl_adapter", "rosidl_generator_c", "rosidl_generator_py", "rosidl_generator_type_description"),
        *("rosidl_typesupport_c", "rosidl_typesupport_fastrtps_c", "rosidl_typesupport_introspection_c"),
    },
}


def sources(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def label(path: object) -> str:
    """A path within the project; pytest 7 also asks for the label of an empty list."""
    return str(path.relative_to(ROOT)) if isinstance(path, Path) else "none"


def imports(path: Path, package: str = "", base: Path = ROOT) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything imported, also inside functions; relative ones resolved."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                above = path.parent.relative_to(base).parts
                above = above[: len(above) - node.level + 1]
                module = ".".join((*above, *filter(None, [module])))
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


class Order:
    """Which of a package's rooms may import which. folder: of the package; lines: its rooms, the lowest first."""

    def __init__(self, folder: Path, lines: str) -> None:
        self.folder = folder
        self.level = {room: number for number, line in enumerate(lines.split("\n")) for room in line.split()}

    def room_of(self, name: str) -> str:
        """The room of a dotted name within the package, the deepest that is listed: '' for the package itself."""
        parts = name.split(".")[1:]
        for count in (2, 1):
            if ".".join(parts[:count]) in self.level:
                return ".".join(parts[:count])
        known = parts and ((self.folder / parts[0]).is_dir() or (self.folder / f"{parts[0]}.py").is_file())
        assert not known, f"{parts[0]}: a new room; give it a place in the order"
        return ""

    def check(self, path: Path) -> None:
        package = self.folder.name
        inside = path.relative_to(self.folder.parent).with_suffix("").as_posix().replace("/", ".")
        own = self.room_of(inside.removesuffix(".__init__"))
        for line, name in imports(path, base=self.folder.parent):
            if name.split(".")[0] != package:
                continue
            room, where = self.room_of(name), f"{label(path)}:{line}"
            if not own:  # the package itself
                assert room in OFFERED | {""}, f"{where}: the package must not import {name}"
            elif not room:  # what the package itself offers
                assert name.endswith("__version__") or self.level[own] >= self.level.get("bag", 0), f"{where}: {name}"
            elif room != own:
                assert self.level[room] < self.level[own], f"{where}: {own} must not import {name}"


RUNTIME_ROOMS, TRAINING_ROOMS = Order(RUNTIME, RUNTIME_ORDER), Order(TRAINING, TRAINING_ORDER)


@pytest.mark.parametrize("path", sources(RUNTIME), ids=label)
def test_runtime_imports_only_downwards(path):
    RUNTIME_ROOMS.check(path)


@pytest.mark.parametrize("path", sources(TRAINING), ids=label)
def test_training_imports_only_downwards(path):
    TRAINING_ROOMS.check(path)


@pytest.mark.parametrize("path", sources(RUNTIME), ids=label)
def test_runtime_imports_only_what_it_declares(path):
    inside = path.relative_to(RUNTIME).as_posix()
    allowed = ANYWHERE | sys.stdlib_module_names | {"pose_regressor"}
    for folder, names in ONLY_BELOW.items():
        if inside == folder or inside.startswith(f"{folder}/"):
            allowed |= names
    if inside == THE_BACKEND:
        allowed |= {"pose_regressor_cuda"}
    for line, name in imports(path):
        assert name.split(".")[0] in allowed, f"{label(path)}:{line}: must not import {name}"


@pytest.mark.parametrize("path", sources(TRAINING), ids=label)
def test_training_imports_no_cuda_extension_and_no_tests(path):
    for line, name in imports(path, base=ROOT / "training"):
        assert name.split(".")[0] not in {"training", "test", "benchmarks"}, f"{label(path)}:{line}: {name}"
        assert not name.startswith(("pose_regressor.cli", "pose_regressor.middleware", "pose_regressor.demo")), (
            f"{label(path)}:{line}: training needs nothing of {name}"
        )


@pytest.mark.parametrize("path", sources(CUDA), ids=label)
def test_the_extension_imports_neither(path):
    for line, name in imports(path, base=CUDA):
        assert name.split(".")[0] not in {"pose_regressor", "pose_regressor_training"}, f"{label(path)}:{line}: {name}"


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("pose_regressor", "torch cv2 yaml rclpy cyclonedds zenoh"),
        ("pose_regressor.types", "torch cv2 yaml rclpy cyclonedds zenoh"),
        ("pose_regressor.files.io", "torch cv2 rclpy cyclonedds zenoh"),
        ("pose_regressor.sources", "torch rclpy cyclonedds zenoh"),
        ("pose_regressor.cli", "torch cv2 rclpy cyclonedds zenoh mcap"),
        ("pose_regressor.geometry.errors", "torch rclpy cyclonedds zenoh"),
        ("pose_regressor.tracking.tracker", "torch rclpy cyclonedds zenoh"),
        ("pose_regressor.estimation.estimator", "torch openvino onnxruntime rclpy cyclonedds zenoh"),
        ("pose_regressor.middleware", "torch rclpy cyclonedds zenoh"),
        ("pose_regressor.middleware.wire.idl", "torch cv2 rclpy cyclonedds zenoh"),
        ("pose_regressor.bag.process", "torch rclpy cyclonedds zenoh"),
        ("pose_regressor.bag.record", "torch rclpy cyclonedds zenoh"),
        ("pose_regressor.ops.projection", "cv2 pose_regressor_cuda"),
    ],
)
def test_importing_stays_light(module, heavy):
    script = f"import sys, {module}; print([name for name in {heavy.split()} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    assert result.stdout.strip() == "[]"


def test_blender_needs_no_torch_and_no_warp():
    """Its Python has nothing but bpy and NumPy."""
    modules = ("blender.stage", "blender.photoreal", "scenes")
    imports = "; ".join(f"import pose_regressor_training.{module}" for module in modules)
    script = f"import sys; {imports}; print({{'torch', 'warp', 'trimesh', 'cv2', 'scipy'}} & set(sys.modules))"
    path = os.pathsep.join([str(ROOT), str(ROOT / "training")])
    environment = {**os.environ, "PYTHONPATH": path}
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert result.stdout.strip() == "set()"
