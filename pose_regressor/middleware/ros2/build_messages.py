"""Builds tf2_msgs and vision_msgs beside an rclpy that pip installed: the package index has neither.

The .msg files are written out of `wire`. rosidl's own generators, which came with rclpy, make the code, so that the
types are those of any other ROS 2. It needs a C++ compiler and Python's headers, and takes ten seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from pose_regressor.middleware.wire import idl
from pose_regressor.middleware.wire.definitions import msg_files
from pose_regressor.types import InputError

#: The top messages of the packages that are built.
MESSAGES = (idl.TFMessage, idl.Detection3DArray)
#: Present in a built package; holds the hash of what it was built from.
MARK = "built_by_pose_regressor"
PREFIX = Path(sys.prefix)
SHARE = PREFIX / "share"
#: rmw_fastrtps writes messages with the first. It announces types, so that others know them, with the second.
TYPE_SUPPORTS = ("rosidl_typesupport_fastrtps_c", "rosidl_typesupport_introspection_c")
COMPILER = "expected a C++ compiler and Python's headers (Debian, Ubuntu: apt-get install g++ python3-dev)"


def packages() -> dict[str, dict[str, str]]:
    """The text of every .msg file, by package and name."""
    found: dict[str, dict[str, str]] = {}
    for message in MESSAGES:
        files = msg_files(message)
        package = next(iter(files)).partition("/")[0]
        found[package] = {name.partition("/")[2]: text for name, text in files.items() if name.startswith(package)}
    return found


def build(package: str, messages: dict[str, str]) -> bool:
    """Installs a package of messages into this environment. False: it is there already.

    messages: the text of each .msg file, by name. InputError: it cannot be built here.
    """
    place = Path(sysconfig.get_path("platlib")) / package
    mark = _mark(messages)
    if importlib.util.find_spec(package) and (not (place / MARK).is_file() or (place / MARK).read_text() == mark):
        return False
    _check()
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=f"{package}.") as work:
        made = Path(work) / package
        _generate(package, messages, made)
        _compile(package, messages, made)
        for source in [path for path in made.rglob("*") if path.is_file() and path.suffix not in (".py", ".so")]:
            source.unlink()
        (made / "msg" / "detail").rmdir()
        (made / "__init__.py").touch()
        (made / MARK).write_text(mark)
        shutil.rmtree(place, ignore_errors=True)
        made.rename(place)
    for name in TYPE_SUPPORTS:
        library = PREFIX / "lib" / f"lib{package}__{name}.so"
        library.unlink(missing_ok=True)
        library.symlink_to(place / _module(package))
    return True


def _module(package: str) -> str:
    """The file that rclpy loads. It holds the type supports as well, which are looked for by other names."""
    return f"{package}_s__rosidl_typesupport_c.so"


def _mark(messages: dict[str, str]) -> str:
    generators = [version(f"ros-{name}") for name in ("rclpy", "rosidl-generator-py", "rosidl-typesupport-fastrtps-c")]
    parts = [messages, generators, sys.version, np.__version__, Path(__file__).read_text(encoding="utf-8")]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _check() -> None:
    """InputError: the messages cannot be built here."""
    headers = Path(sysconfig.get_path("include")) / "Python.h"
    if not (shutil.which("cc") and shutil.which("c++") and headers.is_file()):
        raise InputError("ROS 2: messages cannot be built", COMPILER)


class _Generators:
    """rosidl's generators for one package. Each reads its arguments from a JSON file, as ament_cmake writes it."""

    def __init__(self, package: str, names: Sequence[str], out: Path) -> None:
        self._out = out
        self._file = out / "arguments.json"
        self._arguments: dict[str, Any] = {
            "package_name": package,
            "output_dir": str(out),
            "idl_tuples": [f"{out}:msg/{name}.idl" for name in names],
            "ros_interface_dependencies": [f"{path.parents[1].name}:{path}" for path in SHARE.glob("*/msg/*.idl")],
            "target_dependencies": [],
        }

    def arguments(self, generator: str, **more: Any) -> str:
        """The path of the arguments of a generator, whose header of visibility macros is written as well."""
        templates, package = SHARE / generator / "resource", self._arguments["package_name"]
        for template in templates.glob("*visibility_control.h.in"):
            text = template.read_text().replace("@PROJECT_NAME@", package)
            text = text.replace("@PROJECT_NAME_UPPER@", package.upper())
            (self._out / "msg" / template.name.removesuffix(".in")).write_text(text)
        self._file.write_text(json.dumps({**self._arguments, "template_dir": str(templates), **more}))
        return str(self._file)


def _generate(package: str, names: dict[str, str], out: Path) -> None:
    """Writes the package's code, in C and Python, for Fast DDS."""
    from rosidl_adapter.msg import convert_msg_to_idl
    from rosidl_generator_c import generate_c
    from rosidl_generator_py import generate_py
    from rosidl_generator_type_description import generate_type_hash
    from rosidl_typesupport_c import generate_c as generate_typesupport
    from rosidl_typesupport_fastrtps_c import generate_typesupport_fastrtps_c
    from rosidl_typesupport_introspection_c import generate_c as generate_introspection

    (out / "msg" / "detail").mkdir(parents=True)
    files = {name: out / "msg" / f"{name}.msg" for name in names}
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        for name, path in files.items():
            path.write_text(names[name])
            convert_msg_to_idl(out, package, path.relative_to(out), out / "msg")
        generators = _Generators(package, tuple(names), out)
        shares = [f"{path.name}:{path}" for path in SHARE.iterdir()]
        hashes = generate_type_hash(generators.arguments("rosidl_generator_type_description", include_paths=shares))
        described = {
            "type_description_tuples": [f"msg/{Path(path).stem}.idl:{path}" for path in hashes],
            "ros_interface_files": [str(path) for path in files.values()],
        }
        generate_c(generators.arguments("rosidl_generator_c", **described))
        generate_typesupport_fastrtps_c(generators.arguments("rosidl_typesupport_fastrtps_c"))
        generate_introspection(generators.arguments("rosidl_typesupport_introspection_c"))
        generate_typesupport(generators.arguments("rosidl_typesupport_c"), TYPE_SUPPORTS)
        generate_py(generators.arguments("rosidl_generator_py"), ["rosidl_typesupport_c"])


def _compile(package: str, messages: dict[str, str], out: Path) -> None:
    """Compiles everything into the one module that rclpy loads."""
    needed = {word.partition("/")[0] for text in messages.values() for word in text.split() if "/" in word}
    libraries = ["rosidl_runtime_c", "rosidl_typesupport_c", *TYPE_SUPPORTS, "fastcdr", "rcutils"]
    for name in sorted(needed - {package}):
        kinds = ("rosidl_generator_c", "rosidl_generator_py", "rosidl_typesupport_c", *TYPE_SUPPORTS)
        libraries += [f"{name}__{kind}" for kind in kinds]
    include = PREFIX / "include"
    places = [out.parent, include, *include.iterdir(), sysconfig.get_path("include"), np.get_include()]
    command = [
        *("cc", "-shared", "-fPIC", "-O1", "-w", f'-DROS_PACKAGE_NAME="{package}"'),
        *(f"-I{place}" for place in places),
        *(str(path) for path in sorted(out.rglob("*.c*")) if path.suffix in (".c", ".cpp")),
        *("-o", str(out / _module(package))),
        *(f"-L{PREFIX / 'lib'}", *(f"-l{library}" for library in libraries), "-lstdc++"),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise InputError(f"ROS 2: {package} does not compile", next((s for s in said if "error" in s), str(said[-1:])))


def main(arguments: Sequence[str]) -> int:
    argparse.ArgumentParser(
        prog="pose_regressor_build_messages",
        description="Builds tf2_msgs and vision_msgs beside an rclpy that pip installed.",
    ).parse_args(arguments)
    if importlib.util.find_spec("ros_wheels_bootstrapper") is None:
        expected = "expected rclpy from pip; with ROS 2 from apt: apt-get install ros-$ROS_DISTRO-vision-msgs"
        raise InputError("ROS 2: messages are built only where pip installed rclpy", expected)
    for package, messages in packages().items():
        print(f"{package}: {'built' if build(package, messages) else 'is there'}")
    return 0
