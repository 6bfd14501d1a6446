"""Every parameter of the nodes is described and read by the services, in messages that can be sent."""

import logging
from types import SimpleNamespace

import pytest

from pose_regressor.middleware.fusion.parameters import FusionConfig
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.middleware.standalone.services import FIELDS, NodeServices
from pose_regressor.middleware.wire import service_types

CONFIGS = [NodeConfig(), FusionConfig(fixed_frame="room")]


def services(config):
    return NodeServices(SimpleNamespace(config=config), logging.getLogger())


@pytest.mark.parametrize("config", CONFIGS, ids=["pose", "fusion"])
def test_all_parameters_are_described_and_read(config):
    own, names = services(config), [parameter.name for parameter in config.table()]
    request = SimpleNamespace(names=names)
    described = own.describe_parameters(request)["descriptors"]
    values = own.get_parameters(request)["values"]
    kinds = own.get_parameter_types(request)["types"]
    assert [d.name for d in described] == names
    assert [d.type for d in described] == [v.type for v in values] == kinds
    for name, value in zip(names, values, strict=True):
        stated = getattr(config, name)
        assert getattr(value, FIELDS[value.type]) == (list(stated) if isinstance(stated, tuple) else stated)
    for message in (*described, *values):
        assert type(message).deserialize(message.serialize()).serialize() == message.serialize()


def test_a_whole_number_has_a_range():
    descriptor = services(NodeConfig()).describe_parameters(SimpleNamespace(names=["threads"]))["descriptors"][0]
    assert descriptor.type == 2 and descriptor.integer_range == [service_types.IntegerRange(0, 1024, 1)]
