"""The plane that objects stand on, from TF, to the frames that the tracker gets."""

import numpy as np
import pytest

from pose_regressor.geometry.rigid import rigid
from pose_regressor.geometry.so3 import exp
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.types import InputError

#: A table 0.8 m in front of the camera, which looks at it from 40 degrees above.
CAMERA_FROM_TABLE = rigid(exp(np.array([np.radians(-130), 0, 0])), np.array([0.1, 0.0, 0.8]))


@pytest.fixture
def core(node, info):
    """A core that looks up places in `places`, by (target, source)."""

    def make(places, **parameters):
        made = node(support_frame="table", **parameters)

        def lookup(target, source, stamp):
            if (target, source) not in places:
                raise InputError("TF: unknown frame", f"{source} is not known in {target}")
            return places[target, source]

        made.plane.lookup = lookup
        made.on_camera_info(info())
        return made

    return make


def test_a_frame_has_the_plane_of_the_frame_on_tf(core, image):
    core = core({("optical", "table"): CAMERA_FROM_TABLE})
    core.send(image())
    ((frame, estimates),) = core.published
    on_table = (CAMERA_FROM_TABLE @ [0.3, -0.2, 0.0, 1.0])[:3]
    assert frame.support_plane.normal @ on_table == pytest.approx(frame.support_plane.offset)
    above = (CAMERA_FROM_TABLE @ [0.0, 0.0, 0.1, 1.0])[:3]
    assert frame.support_plane.normal @ above == pytest.approx(frame.support_plane.offset + 0.1)
    assert estimates[0].translation[2] == pytest.approx(-frame.support_plane.offset)
    assert not core.plane.without


@pytest.mark.parametrize(
    ("places", "reason", "said"),
    [
        ({}, "support_frame: TF: unknown frame", "table is not known in optical"),
        (
            {("optical", "table"): CAMERA_FROM_TABLE @ rigid(np.diag([1.0, -1, -1]), np.zeros(3))},
            "support_frame: the camera is below table",
            "expected the z axis to point up, to the objects",
        ),
    ],
    ids=["unknown", "upside down"],
)
def test_a_plane_that_cannot_be_used_costs_no_image(core, image, log, places, reason, said):
    core = core(places)
    for _ in range(3):
        core.send(image())
    assert [frame.support_plane for frame, _ in core.published] == [None] * 3
    assert core.counts.processed == 3
    assert core.plane.without == {reason: 3}
    (line,) = log.of("warning")
    assert line.startswith(f"image without its support plane: {reason}") and said in line


def test_before_tf_is_heard(node, info, image, log):
    core = node(support_frame="table")
    core.on_camera_info(info())
    core.send(image())
    assert core.plane.without == {"support_frame: TF is not heard yet": 1}
    assert len(core.published) == 1


def test_without_the_parameter_there_is_none(node, info, image):
    core = node(support_plane=True)
    core.on_camera_info(info())
    core.send(image())
    assert core.plane is None and core.published[0][0].support_plane is None


def test_either_parameter_turns_it_on():
    assert not NodeConfig().on_plane
    assert NodeConfig(support_plane=True).on_plane and NodeConfig(support_frame="table").on_plane
    with pytest.raises(InputError, match="support_frame"):
        NodeConfig(support_frame="the table")
