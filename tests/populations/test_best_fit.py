"""What held-out snapshots speak for, on data whose law is known."""

import jax
import numpy as np
import pytest

from wflow.learning import Snapshots
from wflow.populations import fit_best
from wflow.populations._contest import STILL


RNG = np.random.default_rng(0)
QUICK = {"key": jax.random.key(0), "steps": 300}


def test_two_snapshots_are_joined_by_lines_which_nothing_chose():
    x = RNG.normal(size=(40, 2))
    ends = Snapshots([0.0, 2.0], [x, x + [3.0, 0.0]])
    found = fit_best(ends, **QUICK)
    assert found.between is None
    assert not found.moves
    middle = found.forecast([1.0])
    np.testing.assert_allclose(middle.weight(0) @ middle[0], x.mean(0) + [1.5, 0.0])
    source, row = found.origins(1.0)
    assert set(source) == {0, 1}
    assert row.max() < 40
    # Beyond, nothing says that it goes on.
    np.testing.assert_allclose(found.forecast([5.0])[0], x + [3.0, 0.0])


@pytest.mark.slow
def test_samples_of_one_law_do_not_move():
    sizes = (150, 90, 200, 120)
    clouds = [RNG.normal(size=(n, 3)) for n in sizes]
    found = fit_best(Snapshots(range(4), clouds), **QUICK)
    assert found.between is not None
    assert found.between.winner == STILL
    assert found.beyond is not None
    assert found.beyond.winner == STILL
    assert found.fit is None
    assert "nothing moves" in str(found)
