"""The table as ROS 2 parameters."""

import pytest

from pose_regressor.middleware.pose.parameters import PARAMETERS, NodeConfig
from pose_regressor.types import InputError

pytest.importorskip("rclpy")
import rclpy
from rclpy.parameter import Parameter

from pose_regressor.middleware.ros2.parameters import declare_parameters

pytestmark = pytest.mark.ros2


@pytest.fixture
def make_node(domain):
    context = rclpy.Context()
    rclpy.init(context=context)
    nodes = []

    def make(**given):
        overrides = [Parameter(name, value=value) for name, value in given.items()]
        options = {"automatically_declare_parameters_from_overrides": True, "parameter_overrides": overrides}
        nodes.append(rclpy.create_node("parameters", context=context, **options))
        return nodes[-1]

    yield make
    for node in nodes:
        node.destroy_node()
    rclpy.try_shutdown(context=context)


def test_every_parameter_is_declared_and_described(make_node):
    node = make_node()
    assert declare_parameters(node, NodeConfig) == NodeConfig()
    for parameter in PARAMETERS:
        descriptor = node.describe_parameter(parameter.name)
        assert descriptor.name == parameter.name
        assert descriptor.description.startswith(parameter.description)
        assert parameter.unit in descriptor.description
        assert descriptor.read_only != parameter.live
        if parameter.kind in ("int", "float"):
            (span,) = descriptor.integer_range if parameter.kind == "int" else descriptor.floating_point_range
            assert (span.from_value, span.to_value) == (parameter.low, parameter.high)
        else:
            assert descriptor.additional_constraints == parameter.constraint
        value = node.get_parameter(parameter.name).value
        assert parameter.check(value) == parameter.default
        (result,) = node.set_parameters([Parameter(parameter.name, value=value)])
        assert result.successful == parameter.live


def test_given_values_are_used(make_node):
    node = make_node(score_threshold=1, objects=["mug", "cup"], frame_prefix="seen/", use_sim_time=True)
    config = declare_parameters(node, NodeConfig)
    assert (config.score_threshold, config.objects, config.frame_prefix) == (1.0, ("mug", "cup"), "seen/")
    assert node.get_parameter("score_threshold").value == 1.0
    assert node.get_parameter("objects").value == ["mug", "cup"]
    assert node.get_parameter("use_sim_time").value is True


def test_a_configuration_from_elsewhere_is_shown(make_node):
    node = make_node()
    config = NodeConfig(model=("a", "b"), follow=False)
    assert declare_parameters(node, NodeConfig, config) is config
    assert node.get_parameter("model").value == ["a", "b"]
    assert node.get_parameter("follow").value is False


@pytest.mark.parametrize(
    ("given", "words"),
    [({"scroe_threshold": 0.5}, "scroe_threshold: no such key"), ({"score_threshold": 2.0}, "from 0 to 1")],
)
def test_bad_values_are_refused_by_name(make_node, given, words):
    with pytest.raises(InputError, match=words):
        declare_parameters(make_node(**given), NodeConfig)
