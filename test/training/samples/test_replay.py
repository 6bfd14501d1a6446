"""Which images a step sees: fresh ones and those held, the same whether it was interrupted or shared out."""

from dataclasses import fields

import pytest
import torch

from pose_regressor_training.samples import replay
from pose_regressor_training.samples.batches import Batch
from pose_regressor_training.samples.replay import Replay

SIZE = 4


def numbered(number, rows=slice(None)):
    """A batch whose images say which they are: 10 * number of the batch + row."""
    marks = (10 * number + torch.arange(SIZE))[rows]
    return Batch(*(marks.clone() for _ in fields(Batch)))


def seen(start=0, stop=60, uses=3, part=(0, 1)):
    rows = slice(part[0], None, part[1])
    again = Replay(uses, SIZE, 5, part)
    fresh = (numbered(i, rows) for i in range(again.first_fresh(start), 1000))
    steps = list(again.steps(fresh, start, stop))
    for batch in steps:
        assert all(torch.equal(getattr(batch, f.name), batch.image) for f in fields(Batch))
    return torch.stack([batch.image for batch in steps])


@pytest.fixture(autouse=True)
def few_are_held(monkeypatch):
    monkeypatch.setattr(replay, "HELD", 7 * SIZE)


def test_every_third_batch_is_fresh_and_the_others_are_of_the_last_ones():
    images = seen()
    assert torch.equal(images[::3], torch.stack([numbered(i).image for i in range(20)]))
    for step, image in enumerate(images):
        age = step // 3 - image // 10
        assert ((age >= 0) & (age < 7)).all()
        assert torch.equal(image % 10, torch.arange(SIZE))
    counts = torch.bincount(images.flatten())
    assert counts[counts > 0].float().mean() == pytest.approx(3, abs=0.1)


@pytest.mark.parametrize("at", [1, 2, 3, 10, 29, 30, 31, 59])
def test_gone_on_with_it_sees_the_same(at):
    assert torch.equal(seen(start=at), seen()[at:])


@pytest.mark.parametrize("at", [0, 7])
def test_each_of_two_processes_sees_its_rows_of_what_one_would(at):
    whole = seen(start=at)
    for rank in range(2):
        assert torch.equal(seen(start=at, part=(rank, 2)), whole[:, rank::2])


def test_used_once_they_are_what_was_rendered():
    assert torch.equal(seen(start=5, uses=1, stop=9), torch.stack([numbered(i).image for i in range(5, 9)]))


def turnable(number, rows):
    """A batch of images and labels drawn at random."""
    draw = torch.Generator().manual_seed(number)
    image, half = torch.randint(0, 256, (SIZE, 3, 8, 8), generator=draw, dtype=torch.uint8), (SIZE, 4, 4)
    shapes = {"coordinates": (SIZE, 3, 4, 4), "cam_from_obj": half, "camera_matrix": (SIZE, 3, 3)}
    shapes |= {"mask": half, "other_box": (SIZE, 2, 4)}
    labels = {f.name: torch.rand(shapes.get(f.name, (SIZE, 4)), generator=draw) for f in fields(Batch)}
    return Batch(*(of[rows] for of in (labels | {"image": image}).values()))


def turned_steps(start=0, part=(0, 1), turns=True):
    rows, again = slice(part[0], None, part[1]), Replay(3, SIZE, 5, part, turns)
    return list(again.steps((turnable(i, rows) for i in range(again.first_fresh(start), 1000)), start, 30))


def same(batches, others, rows=slice(None)):
    pairs = zip(batches, others, strict=True)
    return all(torch.equal(getattr(a, f.name), getattr(b, f.name)[rows]) for a, b in pairs for f in fields(Batch))


def test_turns_are_the_same_gone_on_with_and_shared_out():
    whole, plain = turned_steps(), turned_steps(turns=False)
    assert same(whole[::3], plain[::3])  # fresh images stay as they are
    assert not same(whole, plain)
    for start in (1, 2, 3, 29):
        assert same(turned_steps(start), whole[start:])
    for rank in range(2):
        assert same(turned_steps(7, (rank, 2)), whole[7:], slice(rank, None, 2))
