import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from pose_regressor.tracking.association import assign

SIZES = st.tuples(st.integers(1, 6), st.integers(1, 6))


@given(SIZES, st.integers(0, 2**32 - 1), st.booleans())
def test_as_cheap_as_scipys(size, seed, ties):
    generator = np.random.default_rng(seed)
    costs = generator.integers(-2, 3, size).astype(float) if ties else generator.normal(size=size)
    pairs = assign(costs)
    rows, columns = zip(*pairs, strict=True)
    assert len(pairs) == min(size) == len(set(rows)) == len(set(columns))
    assert np.isclose(costs[rows, columns].sum(), costs[linear_sum_assignment(costs)].sum())


@given(SIZES, st.integers(0, 2**32 - 1))
def test_pairs_that_cannot_be_are_left_out_and_no_others(size, seed):
    generator = np.random.default_rng(seed)
    costs = np.where(generator.random(size) < 0.5, np.inf, generator.normal(size=size))
    pairs = assign(costs)
    assert all(np.isfinite(costs[pair]) for pair in pairs)
    matched = np.where(np.isfinite(costs), -1.0, 0.0)
    assert len(pairs) == -matched[linear_sum_assignment(matched)].sum()


def test_nothing_to_pair():
    assert assign(np.zeros((0, 3))) == assign(np.zeros((2, 0))) == []
