"""What a fit can do: forecast, interpolate, report, save."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oscillator import TIMES, oscillation, weighted

from wflow.energies import Potential
from wflow.flows import LagrangianFlow
from wflow.learning import Fit, Snapshots, simulate
from wflow.learning.paired import Difference, Interval
from wflow.learning.report import Report
from wflow.parameters import Learnable


def truth(friction=0.5):
    """A fit that knows the law of the oscillation."""
    flow = LagrangianFlow(Potential(lambda x: 0.5 * jnp.sum(x**2)), Learnable(friction))
    snapshots = Snapshots(TIMES, *oscillation(TIMES))
    history = {"loss": np.arange(3.0), "horizon": np.arange(3)}
    return Fit(flow, snapshots, snapshots.velocities, history, step=0.05)


@pytest.fixture(scope="module")
def fit():
    return truth()


@pytest.mark.slow
def test_padding_moves_no_point(fit):
    begin = fit.start(0)
    alone, among = (
        simulate(fit.flow, begin, [0.7], 0.1, padding=rows) for rows in (None, 20)
    )
    assert among.sizes == begin.sizes
    assert among.weights is None
    np.testing.assert_allclose(among[0], alone[0], rtol=1e-6)
    np.testing.assert_allclose(among.velocity(0), alone.velocity(0), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("start", ["last_snapshot", "initial"])
def test_forecast_of_the_true_law(fit, start):
    times = [2.5, 3.0]
    clouds, velocities = oscillation(times)
    found = fit.forecast(times, start)
    np.testing.assert_array_equal(found.times, times)
    np.testing.assert_allclose(found.clouds, clouds, atol=2e-4)
    np.testing.assert_allclose(found.velocities, velocities, atol=2e-4)


@pytest.mark.slow
def test_forecast_at_its_start_is_the_start(fit):
    np.testing.assert_array_equal(fit.forecast([2.0])[0], fit.snapshots[3])
    both = fit.forecast([0.0, 0.5], "initial")
    np.testing.assert_array_equal(both[0], fit.snapshots[0])


@pytest.mark.slow
def test_interpolation_restarts_at_the_snapshot_before(fit):
    (cloud,), _ = oscillation([1.2])
    np.testing.assert_allclose(fit.interpolate(1.2)[0], cloud, atol=1e-4)
    with pytest.raises(ValueError, match="from the first snapshot's"):
        fit.interpolate(-1.0)


@pytest.mark.slow
def test_velocities_that_are_missing_come_from_a_rollout(fit):
    """The rollout arrives at the true points, so the plan pairs them exactly."""
    rng = np.random.default_rng(0)
    order = rng.permutation(12)
    shuffled = Snapshots(TIMES, [*fit.snapshots.clouds[:3], fit.snapshots[3][order]])
    velocities = (fit.velocities[0], None, None, None)
    blind = Fit(fit.flow, shuffled, velocities, {}, step=0.05)
    start = blind.start(3)
    np.testing.assert_array_equal(start[0], shuffled[3])
    np.testing.assert_allclose(start.velocity(0), fit.velocities[3][order], atol=2e-3)
    none = Fit(fit.flow, shuffled, (None,) * 4, {}, step=0.05)
    with pytest.raises(ValueError, match="first snapshot has no velocities"):
        none.initial_velocity  # noqa: B018


@pytest.mark.slow
def test_report(fit):
    clouds, velocities = oscillation([0.2, 1.0, 2.5])
    test = Snapshots([0.2, 1.0, 2.5], clouds, velocities)
    report = fit.report(test)
    assert set(report.scores) == {
        "model",
        "persistence",
        "constant_velocity",
        "extrapolated_velocity",
        "mean_shift",
    }
    assert report.model < 1e-3
    # So few points, not known to be the same ones, would lie apart by chance as well.
    assert "cannot be told from nothing moves" in report.verdict
    tracked = fit.report(test, tracked=True)
    np.testing.assert_array_equal(tracked.scores["model"], report.scores["model"])
    found = tracked.differences["persistence"], report.differences["persistence"]
    assert found[0].w1.sign == -1
    assert found[0].w1.error < 0.7 * found[1].w1.error
    assert found[0].energy.error < 0.7 * found[1].energy.error
    assert "nothing moves" in str(report)
    assert report.to_dict()["model_w1"] == report.model
    alone = fit.report(test, baselines=False)
    assert set(alone.scores) == {"model"}
    assert "mean W1 is" in alone.verdict
    # Between training snapshots the geodesic applies too.
    assert "ot_interpolation" in fit.report(test.take([0, 1])).scores
    trained = fit.report()
    np.testing.assert_array_equal(trained.times, TIMES[1:])
    assert trained.model < 1e-3


def test_the_words_of_a_report_are_those_of_its_intervals():
    times = np.array([1.0])
    scores = {"model": 0.5, "persistence": 0.4, "constant_velocity": 0.6}
    scores = {name: np.array([score]) for name, score in scores.items()}
    bare = Report("title", times, scores)
    assert "beats" not in bare.verdict
    no, yes = Interval(0.0, -1.0, 1.0), Interval(1.0, 0.5, 1.5)
    lost, unsure = Difference(yes, yes), Difference(yes, no)
    told = {"persistence": lost, "constant_velocity": unsure}
    assert Report("title", times, scores, differences=told).verdict == (
        "The model (mean W1 0.5) cannot be told from constant velocity (0.6), loses to "
        "nothing moves (0.4). It is worse than saying that nothing moves."
    )


class Frozen(eqx.Module):
    """An embedding that knows one time alone."""

    embedding: eqx.Module

    def __call__(self, t):
        return self.embedding(2.0)


@pytest.mark.slow
def test_time_dependent_energies_stay_as_they_were_beyond_training(
    timed_flow, snapshots
):
    fit = Fit(timed_flow, snapshots, snapshots.velocities, {}, step=0.5)
    frozen = eqx.tree_at(lambda f: f.energy.time, timed_flow, replace_fn=Frozen)
    clouds = []
    for one in (fit, dataclasses.replace(fit, flow=frozen)):
        with pytest.warns(UserWarning, match="trained up to 2: beyond, it stays"):
            clouds.append(one.forecast([2.5], substeps=1)[0])
    fit.interpolate(1.9, substeps=1)
    np.testing.assert_allclose(*clouds, rtol=1e-12)


def test_save_and_load(tmp_path, flow, snapshots):
    data = weighted(snapshots)
    velocities = (data.velocity(0), None, None, None)
    history = {"loss": np.arange(3.0), "horizon": np.arange(3)}
    fit = Fit(flow, data, velocities, history, 0.5, False, 1.0, 2.0)
    fit.save(tmp_path / "model.eqx")
    blank = jax.tree.map(jnp.zeros_like, flow)
    back = Fit.load(tmp_path / "model.eqx", blank)
    for a, b in zip(jax.tree.leaves(back.flow), jax.tree.leaves(flow), strict=True):
        np.testing.assert_array_equal(a, b)
    assert back.step == 0.5
    assert not back.consistent
    assert np.isnan(back.seconds_per_step)
    np.testing.assert_array_equal(back.snapshots[1], data[1])
    np.testing.assert_array_equal(back.snapshots.weight(2), data.weight(2))
    np.testing.assert_array_equal(back.initial_velocity, velocities[0])
    assert back.velocities[1] is None
    np.testing.assert_array_equal(back.history["horizon"], history["horizon"])
    back.save(tmp_path / "again.eqx")
    bits = [(tmp_path / f"{name}.eqx").read_bytes() for name in ("model", "again")]
    assert bits[0] == bits[1]


def test_refuses(tmp_path, fit):
    with pytest.raises(ValueError, match="'last_snapshot' or 'initial', found 'end'"):
        fit.forecast([3.0], "end")
    with pytest.raises(ValueError, match="increasing times from 2 on"):
        fit.forecast([1.0])
    with pytest.raises(ValueError, match="times to increase strictly, found 3.0"):
        fit.forecast([3.0, 2.5])
    with pytest.raises(ValueError, match="times finite"):
        fit.forecast([np.nan])
    with pytest.raises(ValueError, match="substeps >= 1"):
        fit.forecast([3.0], substeps=0)
    (tmp_path / "x").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="not a file that wflow wrote"):
        Fit.load(tmp_path / "x", fit.flow)
