"""Snapshots: what they hold, what they refuse, how they are padded."""

import numpy as np
import pytest

from wflow.learning import Snapshots
from wflow.learning.stacks import stacked


rng = np.random.default_rng(0)
CLOUDS = [rng.normal(size=(5, 2)), rng.normal(size=(4, 2)), rng.normal(size=(6, 2))]
TIMES = [0.0, 1.0, 3.0]


def test_holds_copies_of_one_dtype():
    clouds = [x.astype(np.float32) for x in CLOUDS]
    snapshots = Snapshots(TIMES, clouds)
    clouds[0][:] = 0
    assert snapshots.dtype == np.float32
    assert snapshots.sizes == (5, 4, 6)
    assert len(snapshots) == len(list(snapshots)) == 3
    np.testing.assert_array_equal(snapshots[0], CLOUDS[0].astype(np.float32))
    with pytest.raises(ValueError, match="read-only"):
        snapshots[0][:] = 0
    assert Snapshots([0], [np.ones((2, 2), int)]).dtype == np.float64
    assert "3 times in [0, 3], 4 to 6 points" in repr(snapshots)


def test_take_and_before():
    velocities = [CLOUDS[0], None, None]
    snapshots = Snapshots(TIMES, CLOUDS, velocities)
    last = snapshots.take([0, 2])
    np.testing.assert_array_equal(last[1], CLOUDS[2])
    assert last.velocity(1) is None
    assert snapshots.take([1, 2]).velocities is None
    assert [snapshots.before(t) for t in (0.0, 0.9, 1.0, 2.0, 9.0)] == [0, 0, 1, 1, 2]
    with pytest.raises(ValueError, match="from the first snapshot's"):
        snapshots.before(-0.1)
    with pytest.raises(ValueError, match="indices below 3, found 3"):
        snapshots.take([0, 3])


def test_standardization():
    weights = [np.ones(len(x)) for x in CLOUDS]
    snapshots = Snapshots(TIMES, [[3, 0.1] * x for x in CLOUDS], CLOUDS, weights)
    standard, units = snapshots.standardize()
    pooled = np.concatenate(standard.clouds)
    np.testing.assert_allclose(pooled.mean(axis=0), 0, atol=1e-14)
    np.testing.assert_allclose(pooled.std(axis=0), 1, rtol=1e-14)
    np.testing.assert_allclose(standard.velocity(0), CLOUDS[0] / units.std)
    back = units.invert(standard)
    np.testing.assert_allclose(back[1], snapshots[1], rtol=1e-14)
    np.testing.assert_allclose(back.velocity(2), snapshots.velocity(2), rtol=1e-14)
    # A coordinate that does not vary stays finite.
    flat = Snapshots([0, 1], [np.ones((3, 1)), np.ones((3, 1))])
    np.testing.assert_array_equal(flat.standardize()[0][0], np.zeros((3, 1)))


def test_rows_that_are_not_finite_leave_with_their_velocity():
    x, v = CLOUDS[0].copy(), CLOUDS[0].copy()
    x[1] = np.nan
    padded = Snapshots([0.0], [x], [v])
    np.testing.assert_array_equal(padded[0], np.delete(x, 1, axis=0))
    np.testing.assert_array_equal(padded.velocity(0), np.delete(v, 1, axis=0))
    v[3, 0] = np.inf
    with pytest.warns(UserWarning, match="1 of 5 rows of snapshot 0 are not finite"):
        snapshots = Snapshots([0.0], [x], [v], [[1, 1, 1, 5, 1]])
    np.testing.assert_array_equal(snapshots[0], x[[0, 2, 4]])
    np.testing.assert_allclose(snapshots.weight(0), 1 / 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], []), "at least one cloud"),
        (([0, 1], CLOUDS), r"expected 3 times, .* found shape \(2,\)"),
        (([0, 2, 2], CLOUDS), "time 2 is 2 after 2"),
        (([0, np.nan, 2], CLOUDS), "time 1 is not finite"),
        ((TIMES, [*CLOUDS[:2], np.ones((3, 1))]), "cloud 2 has 1"),
        ((TIMES, [*CLOUDS[:2], np.ones(3)]), r"cloud 2 of shape \(n, d\)"),
        ((TIMES, [*CLOUDS[:2], np.ones((0, 2))]), "cloud 2 has no finite row"),
        ((TIMES, CLOUDS, CLOUDS[:2]), "one entry of velocities"),
        ((TIMES, CLOUDS, [CLOUDS[1], None, None]), r"velocities 0 of shape \(5, 2\)"),
        ((TIMES, CLOUDS, None, [[1] * 5, [1] * 4, [1] * 5]), r"weights 2 of shape"),
        ((TIMES, CLOUDS, None, [[1] * 5, [0] * 4, [1] * 6]), "weights 1 >= 0"),
        ((TIMES, CLOUDS, None, [[-1, 3, 1, 1, 1], [1] * 4, [1] * 6]), "weights 0 >= 0"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        Snapshots(*arguments)


def test_stack_pads_with_weight_zero():
    stack = stacked(Snapshots(TIMES, CLOUDS))
    assert stack.x.shape == (3, 6, 2)
    np.testing.assert_allclose(stack.weights.sum(axis=1), 1, rtol=1e-15)
    np.testing.assert_array_equal(stack.weights[1], [0.25] * 4 + [0, 0])
    np.testing.assert_array_equal(stack.x[1, :4], CLOUDS[1])


def test_subset_takes_different_points_and_padding_last():
    import jax

    stack = stacked(Snapshots(TIMES, CLOUDS))
    rows = np.array([stack.rows(jax.random.key(k), 5) for k in range(50)])
    assert (np.diff(np.sort(rows, axis=2)) > 0).all()
    # Cloud 1 has four points: each is taken, and one row of padding.
    assert (np.sort(rows[:, 1])[:, :4] == np.arange(4)).all()
    # Cloud 2 leaves out one of six, each now and then.
    left = 15 - rows[:, 2].sum(axis=1)
    assert set(left) == set(range(6))
    subset = stack.subset(jax.random.key(0), 3)
    np.testing.assert_allclose(subset.weights, 1 / 3, rtol=1e-15)
