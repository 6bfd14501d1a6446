"""The journal: what was answered comes back exactly, what was half written does not."""

from dataclasses import fields, replace

import numpy as np
import pytest

pytest.importorskip("mcap")

from pose_regressor.bag.journal import Journal, pack, unpack
from pose_regressor.types import InputError, ObjectModel, PoseEstimate

CORNERS = np.array([[-0.1, -0.1, -0.1], [0.1, 0.1, 0.1]])
MODELS = tuple(ObjectModel(name, number, 0.3, CORNERS, CORNERS, CORNERS) for number, name in enumerate(("cup", "box")))


def estimate(seed):
    rng = np.random.default_rng(seed)
    pose, covariance, box = rng.normal(size=(4, 4)), rng.normal(size=(6, 6)), rng.normal(size=4)
    return PoseEstimate(
        MODELS[seed % 2],
        pose,
        covariance,
        float(rng.random()),
        ("pnp", "regression")[seed % 2],
        box,
        seed,
        depth_share=float(rng.random()) if seed % 2 else None,
    )


def test_every_field_comes_back():
    before = [*map(estimate, range(5)), replace(estimate(5), method=None, box=None)]
    after = unpack(pack(before, MODELS), MODELS)
    assert len(after) == 6
    for one, other in zip(before, after, strict=True):
        assert one.model is other.model
        for field in fields(PoseEstimate):
            a, b = getattr(one, field.name), getattr(other, field.name)
            assert type(a) is type(b)
            assert a is b is None or np.array_equal(a, b)
    assert unpack(pack([], MODELS), MODELS) == []


@pytest.mark.parametrize("kept", range(0, 60, 7))
def test_a_torn_end_is_cut_off(tmp_path, kept):
    path, key = tmp_path / "journal", {"bag": 1}
    with Journal(path, key) as journal:
        for block in (b"one", b"", b"three"):
            journal.add(block)
    whole = path.read_bytes()
    path.write_bytes(whole[:kept])
    with Journal(path, key) as journal:
        earlier = journal.earlier
        assert earlier == [b"one", b"", b"three"][: len(earlier)]
        for block in (b"one", b"", b"three")[len(earlier) :]:
            journal.add(block)
    assert path.read_bytes() == whole


def test_another_key_starts_afresh(tmp_path):
    path = tmp_path / "journal"
    with Journal(path, {"model": "a"}) as journal:
        journal.add(b"answer")
    with Journal(path, {"model": "a"}) as journal:
        assert journal.earlier == [b"answer"]
    with Journal(path, {"model": "b"}) as journal:
        assert journal.earlier == []


def test_one_process_at_a_time(tmp_path):
    with Journal(tmp_path / "journal", {}), pytest.raises(InputError, match="another process is writing this bag"):
        Journal(tmp_path / "journal", {})
