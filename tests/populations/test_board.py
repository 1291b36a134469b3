"""The protocols of the field on data whose law is known."""

import jax
import numpy as np
import pytest

from wflow.learning import Snapshots
from wflow.learning.paired import Chances, Traced
from wflow.populations._contest import STILL, Case, Standing
from wflow.populations._laws import ENERGY, GROWING, SECOND
from wflow.populations.board import (
    BEFORE,
    BLIND,
    BOTH,
    FIRST,
    MIDPOINT,
    PEEKED,
    SHIFT,
    Board,
    Row,
    _blind,
    board,
)


KEY = jax.random.key(0)


def sample(rng, time, n=120):
    """A Gaussian that moves at an even speed, drawn anew."""
    return rng.normal(size=(n, 2)) * 0.5 + [2.0 * time, 0.0]


def moving(seed, count=4, masses=None):
    rng, times = np.random.default_rng(seed), np.arange(count)
    return Snapshots(times, [sample(rng, t) for t in times], masses=masses)


def _row(name, cloud, case, learned=False, remark=""):
    one = Standing.of(name, [cloud], [case], learned=learned)
    return Row(one, BEFORE, (one.w1.value,), remark)


@pytest.mark.parametrize("far", [0.0, 3.0])
def test_a_board_says_what_its_scores_are_worth(far):
    rng = np.random.default_rng(0)
    clouds = [Traced.of(rng.normal(size=(150, 2)), np.ones(150), k) for k in range(3)]
    truth, other, free = clouds
    case = Case.of(truth, 1.0, 2, Chances())
    rows = (
        _row(MIDPOINT, free._replace(x=free.x + far), case),
        _row("law", other, case, True, BLIND),
    )
    found = Board(rows, (1.0,), (0.3,), (0.35,), True)
    assert found.blind is rows[1]
    assert found.baseline is rows[0]
    assert found.find("law", BEFORE, BLIND) is rows[1]
    np.testing.assert_allclose(found.above(rows[0]), rows[0].each[0] - 0.3)
    if far:
        assert not found.saturated
        assert "is nearer than the best of what needs no model" in found.verdict
        assert f"{rows[0].each[0]:.4g}" in str(found)
    else:
        assert found.saturated
        assert "cannot be told from" in found.verdict
        assert "at the distance of two halves of the truth" in str(found)


@pytest.mark.slow
def test_each_inner_snapshot_is_left_out():
    seen = moving(0, 3, [1.0, 1.5, 2.25])
    ask = lambda held: (held.truth[0], held.truth.weight(0))
    found = board(seen, key=KEY, steps=100, others={"truth": ask})
    assert found.times == (1.0,)
    still = found.find(STILL)
    np.testing.assert_allclose(still.standing.w1.value, 2.0, atol=0.15)
    np.testing.assert_allclose(found.find("truth").each, 0, atol=1e-6)
    blind, best = (found.find(GROWING.name, BOTH, said) for said in (BLIND, PEEKED))
    assert blind.standing.w1.value < 0.5
    # An epoch that the truth chose is at least as near, at each hold-out.
    assert np.less_equal(best.each, np.add(blind.each, 1e-3)).all()
    growing = found.find(GROWING.name, FIRST)
    assert growing.mass is not None
    # Few steps: without growth it would be off by a third.
    assert growing.mass < 0.25
    assert found.find(ENERGY.name, FIRST).mass is None
    assert found.held_out


@pytest.mark.slow
def test_another_sample_of_the_same_times_is_reached():
    found = board(moving(0), test=moving(1), key=KEY, steps=200)
    assert found.times == (1.0, 2.0, 3.0)
    assert not found.held_out
    shifted = found.find(SHIFT).standing.w1.value
    np.testing.assert_allclose(shifted, np.mean(found.floors), rtol=0.5)
    assert found.find(STILL).standing.w1.value > 1.8
    assert found.blind.standing.w1.value < 2 * shifted


def test_what_no_board_is_made_of():
    seen = moving(0)
    with pytest.raises(ValueError, match="test with the times of snapshots"):
        board(seen, test=seen.take([0, 1]), key=KEY)
    with pytest.raises(ValueError, match="no others beside test"):
        board(seen, test=seen, key=KEY, others={"a": lambda held: held.truth})
    with pytest.raises(TypeError, match="others"):
        board(seen, key=KEY, others=[1])  # pyright: ignore
    with pytest.raises(ValueError, match="at least three snapshots"):
        board(seen.take([0, 1]), key=KEY)


def test_growth_is_chosen_where_masses_tell_what_paths_do_not():
    rng = np.random.default_rng(0)
    times = np.arange(5.0)
    # One of two clusters that stay doubles from time to time.
    sizes = [(60, 5 * 2**k) for k in range(5)]
    apart = [
        np.concatenate([rng.normal(size=(n, 2)), rng.normal(size=(m, 2)) + 6])
        for n, m in sizes
    ]
    counts = np.array([sum(size) for size in sizes], float)
    assert _blind(Snapshots(times, apart, masses=counts)) is GROWING
    assert _blind(Snapshots(times[:2], apart[:2], masses=counts[:2])) is GROWING
    # All points of a parabola multiply alike, which is nothing to a spline.
    bent = [0.2 * rng.normal(size=(100, 2)) + np.array([t, 0.5 * t**2]) for t in times]
    assert _blind(Snapshots(times, bent, masses=2.0**times)) is SECOND
