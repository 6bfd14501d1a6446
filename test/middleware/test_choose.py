import importlib
import re

import pytest

from pose_regressor.middleware import DDS_REMEDY, choose, choose_standalone, missing
from pose_regressor.types import InputError


@pytest.fixture
def without(monkeypatch):
    """Makes some modules not import."""

    def without(*names):
        real = importlib.import_module

        def refuse(name, *rest):
            if name.split(".")[0] in names:
                raise ModuleNotFoundError(f"No module named {name!r}")
            return real(name, *rest)

        monkeypatch.setattr("importlib.import_module", refuse)

    return without


@pytest.mark.parametrize("rmw", ["", "rmw_cyclonedds_cpp", "rmw_fastrtps_cpp", "rmw_connextdds"])
def test_auto_takes_what_is_there(without, rmw):
    without("rclpy")
    if not missing("dds"):
        assert choose("auto", {"RMW_IMPLEMENTATION": rmw}) == "dds"


def test_auto_speaks_zenoh_where_ros_2_does(without):
    without("rclpy")
    if not missing("zenoh"):
        assert choose("auto", {"RMW_IMPLEMENTATION": "rmw_zenoh_cpp"}) == "zenoh"


def test_auto_takes_zenoh_without_dds(without):
    without("rclpy", "cyclonedds")
    if not missing("zenoh"):
        assert choose("auto", {}) == choose_standalone("auto", {}) == "zenoh"


def test_what_sees_the_network_without_ros_2(without, monkeypatch):
    without()
    monkeypatch.setattr("importlib.import_module", lambda name: None)
    assert choose_standalone("auto", {}) == "dds"
    assert choose_standalone("auto", {"RMW_IMPLEMENTATION": "rmw_zenoh_cpp"}) == "zenoh"
    assert choose_standalone("auto", {"RMW_IMPLEMENTATION": "rmw_unknown_cpp"}) == "dds"
    assert choose_standalone("zenoh") == "zenoh"
    with pytest.raises(InputError, match="expected auto, dds or zenoh, got 'ros2'"):
        choose_standalone("ros2")


def test_auto_takes_rclpy_first(without, monkeypatch):
    without()
    monkeypatch.setattr("importlib.import_module", lambda name: None)
    assert choose("auto", {"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}) == "ros2"


def test_auto_is_on_no_other_network_than_the_environment_says(without):
    without("rclpy")
    with pytest.raises(InputError, match=r"RMW_IMPLEMENTATION is rmw_unknown_cpp.*rclpy does not import"):
        choose("auto", {"RMW_IMPLEMENTATION": "rmw_unknown_cpp"})


def test_auto_names_what_is_missing_for_the_environments_middleware(without):
    without("rclpy", "cyclonedds")
    with pytest.raises(InputError, match="dds: cyclonedds does not import"):
        choose("auto", {"RMW_IMPLEMENTATION": "rmw_fastrtps_cpp"})


def test_none(without):
    without("rclpy", "cyclonedds", "zenoh")
    with pytest.raises(InputError) as caught:
        choose(environment={})
    for words in (
        "rclpy does not import",
        "setup.bash",
        "cyclonedds does not import",
        DDS_REMEDY,
        "zenoh does not import",
        "pose_regressor[zenoh]",
    ):
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "remedy"), [("ros2", "source ROS 2 first"), ("dds", DDS_REMEDY), ("zenoh", "pose_regressor[zenoh]")]
)
def test_asked_for_and_absent(without, name, remedy):
    without("rclpy", "cyclonedds", "zenoh")
    with pytest.raises(InputError, match=f"middleware {name}: .* does not import .*{re.escape(remedy)}"):
        choose(name)


def test_unknown():
    with pytest.raises(InputError, match="expected auto, ros2, dds or zenoh, got 'ros1'"):
        choose("ros1")
