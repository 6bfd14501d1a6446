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

#: The rooms of the runtime, and the rooms each may import. What stands beside the line (files ... draw) knows only
#: the words of types.py; the command line and the demo stand above everything.
LINE = ["types", "color", "geometry", "tracking", "ops", "model", "estimator", "tracker", "fusion", "middleware"]
MAY_IMPORT = {room: set(LINE[:place]) for place, room in enumerate(LINE)}
MAY_IMPORT["files"] = MAY_IMPORT["assets"] = {"types"}
MAY_IMPORT["sources"] = MAY_IMPORT["draw"] = MAY_IMPORT["video"] = {"types", "geometry", "files"}
MAY_IMPORT["middleware"] |= {"files", "assets", "sources", "draw"}
MAY_IMPORT["bag"] = MAY_IMPORT["middleware"] | {"middleware", "__init__"}
MAY_IMPORT["doctor"] = MAY_IMPORT["bag"] - {"__init__"}
MAY_IMPORT["demo"] = MAY_IMPORT["middleware"] | {"middleware", "video"}
MAY_IMPORT["cli"] = MAY_IMPORT["demo"] | {"demo", "bag", "doctor", "__init__"}
MAY_IMPORT["__main__"] = {"cli"}
MAY_IMPORT["__init__"] = {"types", "estimator"}

ANYWHERE = {"numpy", "torch", "cv2", "safetensors", "yaml", "typer", "rich"}
#: The only file that may ask whether the extension is there.
THE_BACKEND = "ops/projection/backend.py"
ONLY_BELOW = {
    "middleware/dds": {"cyclonedds"},
    "model/backend.py": {"onnx", "onnxruntime"},
    "model/onnx_runtime.py": {"onnx", "onnxruntime"},
    "doctor": {"cyclonedds"},
    "bag": {"cyclonedds", "mcap", "zstandard"},
    "middleware/ros2": {
        *("rclpy", "cv_bridge", "tf2_ros", "tf_transformations", "ament_index_python", "launch", "launch_ros"),
        *("builtin_interfaces", "rcl_interfaces", "std_msgs", "geometry_msgs", "sensor_msgs", "tf2_msgs"),
        *("vision_msgs", "visualization_msgs", "diagnostic_msgs", "lifecycle_msgs"),
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


def room_of(path: Path) -> str:
    first = path.relative_to(RUNTIME).parts[0]
    return first.removesuffix(".py")


def imported_room(name: str) -> str:
    """The room of `pose_regressor.x.y`; what the package itself offers counts as its __init__."""
    part = name.split(".")[1] if "." in name else "__init__"
    return part if (RUNTIME / part).is_dir() or (RUNTIME / f"{part}.py").is_file() else "__init__"


@pytest.mark.parametrize("path", sources(RUNTIME), ids=label)
def test_runtime_imports_only_downwards(path):
    room = room_of(path)
    assert room in MAY_IMPORT, f"{label(path)}: a new room; say in this test what it may import"
    for line, name in imports(path):
        if name.split(".")[0] != "pose_regressor" or name == "pose_regressor.__version__":
            continue
        target = imported_room(name)
        assert target == room or target in MAY_IMPORT[room], f"{label(path)}:{line}: {room} must not import {name}"


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


@pytest.mark.parametrize("path", sources(RUNTIME / "middleware"), ids=label)
def test_the_two_nodes_do_not_know_each_other(path):
    inside = path.relative_to(RUNTIME).as_posix()
    for own, other in (("ros2", "dds"), ("dds", "ros2")):
        if inside.startswith(f"middleware/{own}/"):
            for line, name in imports(path):
                assert not name.startswith(f"pose_regressor.middleware.{other}"), f"{label(path)}:{line}: {name}"


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
        ("pose_regressor", "torch cv2 yaml rclpy cyclonedds"),
        ("pose_regressor.types", "torch cv2 yaml rclpy cyclonedds"),
        ("pose_regressor.files", "torch cv2 rclpy cyclonedds"),
        ("pose_regressor.sources", "torch rclpy cyclonedds"),
        ("pose_regressor.cli", "torch cv2 rclpy cyclonedds mcap"),
        ("pose_regressor.middleware", "torch rclpy cyclonedds"),
        ("pose_regressor.ops.projection", "cv2 pose_regressor_cuda"),
    ],
)
def test_importing_stays_light(module, heavy):
    script = f"import sys, {module}; print([name for name in {heavy.split()} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    assert result.stdout.strip() == "[]"


def test_blender_needs_no_torch_and_no_warp():
    """Its Python has nothing but bpy and NumPy."""
    modules = ("stage", "photoreal", "scenes")
    imports = "; ".join(f"import pose_regressor_training.render.{module}" for module in modules)
    script = f"import sys; {imports}; print({{'torch', 'warp', 'trimesh', 'cv2', 'scipy'}} & set(sys.modules))"
    path = os.pathsep.join([str(ROOT), str(ROOT / "training")])
    environment = {**os.environ, "PYTHONPATH": path}
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert result.stdout.strip() == "set()"
