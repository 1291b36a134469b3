"""Pairs of points: couplings, semi-couplings, blocks and chains."""

import numpy as np
import pytest

from wflow.learning import (
    EntropicOT,
    ExactOT,
    Snapshots,
    UnbalancedOT,
    WassersteinFisherRao,
)
from wflow.learning.pairs import (
    Pairs,
    ballistic,
    continued,
    drawn,
    masses,
    plan_between,
    systematic,
)


N = 12
RNG = np.random.default_rng(0)
X, V, A = (RNG.normal(size=(N, 2)) for _ in range(3))
ORDER = RNG.permutation(N)
SHARE = np.full(N, 1 / N)


def falling(times):
    """Points of constant accelerations, each snapshot in another order."""
    rng = np.random.default_rng(1)
    orders = [rng.permutation(N) for _ in times]
    clouds = [(X + t * V + t**2 * A / 2)[o] for t, o in zip(times, orders, strict=True)]
    moves = [(V + t * A)[o] for t, o in zip(times, orders, strict=True)]
    return Snapshots(times, clouds, moves), orders


def test_an_exact_plan_finds_a_permutation():
    plan = ExactOT()(X, X[ORDER], SHARE, SHARE)
    assert (plan.argmax(axis=1) == np.argsort(ORDER)).all()


def test_a_plan_of_much_entropy_is_the_product():
    plan = EntropicOT(1e4)(X, X[ORDER], SHARE, SHARE)
    np.testing.assert_allclose(plan, 1 / N**2, rtol=1e-2)


def test_points_that_do_not_meet_multiply_alone():
    # Of least Hellinger cost without travel, P_ii is the root of the two masses. Where
    # pieces do not meet, a fifth of what it starts from, the product, is left of it.
    x, a, b = np.array([[0.0], [100.0]]), np.array([1.0, 2.0]), np.array([3.0, 1.0])
    plan = WassersteinFisherRao(1.0)(x, x, a, b)
    np.testing.assert_allclose(np.diag(plan), np.sqrt(a * b), rtol=5e-2)
    assert plan[0, 1] < 1e-6
    assert plan[1, 0] < 1e-6
    # And here the same, as 100^2 is beyond any penalty of this order.
    plan = UnbalancedOT(1.0)(x, x, a, b)
    np.testing.assert_allclose(np.diag(plan), np.sqrt(a * b), rtol=5e-2)


def test_growth_is_cheaper_than_a_long_way():
    # Half of the mass has gone from one end and appeared at the other.
    x, a = np.array([[0.0], [1.0]]), np.array([1.0, 1.0])
    b = np.array([0.5, 1.5])
    moved = [
        1 - np.diag(WassersteinFisherRao(length)(x, x, a, b)).sum() / 2
        for length in (0.2, 50.0)
    ]
    assert moved[0] < 0.1
    assert moved[1] > 0.2


@pytest.mark.parametrize("coupling", [ExactOT(), WassersteinFisherRao(2.0)])
def test_masses_of_pairs_meet_those_of_points(coupling):
    weights = [RNG.uniform(0.5, 1.5, size=N) for _ in range(2)]
    grown = Snapshots([0.0, 1.0], [X, X[ORDER] + V], None, weights, [2.0, 3.0])
    plan = plan_between(coupling, grown, 0, 1, 100, RNG)
    start = np.bincount(plan.i, plan.start, N)
    end = np.bincount(plan.j, plan.end, N)
    np.testing.assert_allclose(start, masses(grown, 0), rtol=1e-10)
    np.testing.assert_allclose(end, masses(grown, 1), rtol=1e-10)
    np.testing.assert_allclose([start.sum(), end.sum()], [1.0, 1.5], rtol=1e-10)


def test_a_coupling_that_pairs_nothing_is_refused():
    two = Snapshots([0.0, 1.0], [X, X])
    with pytest.raises(ValueError, match="coupling to pair every point"):
        plan_between(lambda x, y, a, b: np.zeros((N, N)), two, 0, 1, 100, RNG)
    with pytest.raises(ValueError, match=r"shape \(12, 12\)"):
        plan_between(lambda x, y, a, b: np.zeros(3), two, 0, 1, 100, RNG)


def test_velocities_pair_what_positions_do_not():
    # Under a constant acceleration x + hv/2 and y - hu/2 are one point.
    seen, orders = falling([0.0, 2.0])
    x, y = ballistic(seen, 0, 1)
    np.testing.assert_allclose(
        x[np.argsort(orders[0])], y[np.argsort(orders[1])], atol=1e-12
    )
    plan = plan_between(ExactOT(), seen, 0, 1, 100, RNG)
    assert (orders[0][plan.i] == orders[1][plan.j]).all()
    blind = Snapshots(seen.times, seen.clouds)
    plan = plan_between(ExactOT(), blind, 0, 1, 100, RNG)
    assert (orders[0][plan.i] != orders[1][plan.j]).any()


def test_large_clouds_are_coupled_in_blocks():
    x = RNG.normal(size=(50, 2))
    two = Snapshots([0.0, 1.0], [x, RNG.permutation(x) + 3.0])
    plan = plan_between(ExactOT(), two, 0, 1, 20, np.random.default_rng(0))
    counts = np.bincount(plan.i, plan.start, 50)
    # Three blocks of seventeen rows: one point is drawn twice.
    np.testing.assert_allclose(counts.sum(), 1.0)
    np.testing.assert_allclose(np.sort(counts)[:49], 1 / 51)
    assert len(plan.i) == 51


def test_draws_are_spread_evenly():
    weights = np.array([0.5, 0.0, 0.2, 0.3])
    counts = np.bincount(systematic(weights, 1000, RNG), minlength=4)
    np.testing.assert_allclose(counts, 1000 * weights, atol=1)
    # From one row to three targets, in the shares of their pairs.
    rows, source = np.repeat([0, 2], 500), np.array([2, 0, 0, 0])
    target, mass = np.array([7, 1, 2, 3]), np.array([9.0, 1.0, 2.0, 1.0])
    found = continued(rows, source, target, mass, RNG)
    assert (found[500:] == 7).all()
    counts = np.bincount(found[:500], minlength=4)
    np.testing.assert_allclose(counts, [0, 125, 250, 125], atol=1)


def test_chains_follow_the_plans():
    times = [0.0, 0.5, 1.0, 1.5]
    seen, orders = falling(times)
    plans = [plan_between(ExactOT(), seen, k, k + 1, 100, RNG) for k in range(3)]
    pairs = drawn(seen, plans, 1, 4 * N, np.random.default_rng(0))
    chains = pairs.chains()
    assert isinstance(pairs, Pairs)
    who = orders[1][pairs.i]
    for t, places in zip(times, chains, strict=True):
        expected = (X + t * V + t**2 * A / 2)[who]
        np.testing.assert_allclose(places, expected, atol=1e-12)
    np.testing.assert_allclose(np.bincount(who), 4)
    np.testing.assert_allclose([pairs.start.mean(), pairs.end.mean()], 1.0)


@pytest.mark.parametrize("block", [100, N // 2])
def test_growth_that_is_known_is_met_by_every_pair(block):
    """Cells of the left half leave three times as many: pairs say so exactly."""
    x = np.concatenate([X[: N // 2] - [5, 0], X[N // 2 :] + [5, 0]])
    y = np.concatenate([x[: N // 2], x[: N // 2], x[: N // 2], x[N // 2 :]])
    shots = Snapshots([0.0, 2.0], [x, y + 0.1], None, None, [1.0, 2.0])
    rates = np.where(x[:, 0] < 0, np.log(3) / 2, 0.0)
    rng = np.random.default_rng(0)
    plan = plan_between(ExactOT(), shots, 0, 1, block, rng, rates)
    found = np.log(plan.end / plan.start) / 2
    np.testing.assert_allclose(found, rates[plan.i], atol=1e-12)
    np.testing.assert_allclose(plan.end.sum(), 2)
    if block > len(y):
        # Each is near its own: nobody has to go to the other side.
        assert (np.sign(x[plan.i, 0]) == np.sign(y[plan.j, 0])).all()
        np.testing.assert_allclose(np.bincount(plan.i, plan.start), 1 / N)
