"""Ensembles: their spread is that of the data, and they come back from disk."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oscillator import N, oscillation
from scipy import stats

import wflow as wf
from wflow.energies import Potential
from wflow.flows import LagrangianFlow
from wflow.learning import (
    AdamW,
    CharacteristicDistance,
    Ensemble,
    Fit,
    FullHorizon,
    Rollouts,
    Snapshots,
    fit_ensemble,
)
from wflow.learning.bands import Part, Prediction, evaluated, predict, reweighted
from wflow.parameters import Learnable


# One compiled forecast for all tests.
LATER = [2.5, 3.0]


def _square(x):
    return 0.5 * jnp.sum(x**2)


def harmonic(key):
    friction = jax.random.uniform(key, minval=0.2)
    return LagrangianFlow(Potential(_square), Learnable(friction))


def mean(x, weights):
    return weights @ x[:, 0] / weights.sum()


# Nothing is learned: members differ by their start and their weights.
OPTIONS = {
    "members": 3,
    "key": jax.random.key(0),
    "steps": 2,
    "objective": Rollouts(loss=CharacteristicDistance(), horizon=FullHorizon()),
    "optimizer": AdamW(scalar_learning_rate=0.0),
    "progress": False,
}


@pytest.fixture(scope="module")
def ensemble(snapshots):
    return fit_ensemble(harmonic, snapshots, **OPTIONS)


@pytest.mark.slow
def test_the_bayesian_bootstrap_has_the_standard_error_of_a_mean(snapshots):
    rng = np.random.default_rng(0)
    clouds, velocities = oscillation([0.0], n=40)
    data = Snapshots([0.0], clouds, velocities)
    found = [evaluated(mean, reweighted(data, rng))[0] for _ in range(2000)]
    error = clouds[0][:, 0].std() / np.sqrt(41)
    np.testing.assert_allclose(np.std(found), error, rtol=5 / np.sqrt(4000))
    # Rows that are one point have one weight in all snapshots.
    rows = reweighted(snapshots, rng, rows=True)
    np.testing.assert_array_equal(rows.weight(0), rows.weight(3))
    other = reweighted(snapshots, rng)
    assert (other.weight(0) != other.weight(3)).any()
    with pytest.raises(ValueError, match="snapshots of one size, found 1 to 2"):
        reweighted(
            Snapshots([0, 1], [np.ones((1, 2)), np.ones((2, 2))]), rng, rows=True
        )


@pytest.mark.slow
def test_the_leapfrog_carries_the_standard_error(snapshots):
    """Linear motion: x(t) = a x + b v, so the mean's error is that of a x + b v."""
    count, rng = 32, np.random.default_rng(1)
    flow = LagrangianFlow(Potential(_square), Learnable(0.5))
    members = [
        Fit(flow, reweighted(snapshots, rng), snapshots.velocities, {}, step=0.5)
        for _ in range(count)
    ]
    ensemble = Ensemble(tuple(members), snapshots)
    found = ensemble.predict({"mean": mean}, LATER)["mean"]
    clouds, _ = oscillation(LATER)
    error = [cloud[:, 0].std() / np.sqrt(N + 1) for cloud in clouds]
    # Of 32 draws; 1 + 1/32 for the error of their own mean.
    expected = np.array(error) * np.sqrt(1 + 1 / count)
    np.testing.assert_allclose(found.deviation, expected, rtol=0.4)
    band = ensemble.band(mean, LATER, 0.8)
    half = stats.t.ppf(0.9, count - 1) * found.deviation
    np.testing.assert_allclose(band.high - band.center, half)
    np.testing.assert_allclose(band.center - band.low, half)


def test_the_sampling_part_is_the_standard_error_of_the_observed_mean():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(400, 1))
    clouds = [Snapshots([1.0, 2.0], [x, x])] * 8
    found = predict(clouds, {"mean": mean}, [50, 200], draws=64)["mean"]
    np.testing.assert_allclose(found.parts["members"].variance, 0, atol=1e-30)
    error = x.std() / np.sqrt([50, 200])
    np.testing.assert_allclose(found.deviation, error, rtol=0.15)
    with pytest.raises(ValueError, match="each of 2 times, found"):
        predict(clouds, {"mean": mean}, [50])


def test_parts_add_and_degrees_follow_satterthwaite():
    parts = {"a": Part(np.array([1.0, 0.0]), 3), "b": Part(np.array([3.0, 0.0]))}
    band = Prediction(np.array([0.0, 1.0]), np.zeros(2), parts).band(0.9)
    degrees = 16 / (1 / 3)
    np.testing.assert_allclose(band.high, [2 * stats.t.ppf(0.95, degrees), 0])
    # Without an error that is badly known, the normal law.
    normal = Prediction(np.zeros(1), np.zeros(1), {"b": Part(np.ones(1))}).band(0.9)
    np.testing.assert_allclose(normal.high, stats.norm.ppf(0.95))
    with pytest.raises(ValueError, match=r"level in \(0, 1\), found 1"):
        Prediction(np.zeros(1), np.zeros(1), {}).band(1)


@pytest.mark.slow
def test_members_differ_and_are_the_same_again(ensemble, snapshots):
    frictions = [member.friction for member in ensemble.members]
    assert len(set(frictions)) == 3
    again = fit_ensemble(harmonic, snapshots, **{**OPTIONS, "members": 2})
    # A member does not depend on how many there are.
    assert again.members[1].friction == frictions[1]
    weights = [e.members[1].snapshots.weight(0) for e in (again, ensemble)]
    np.testing.assert_array_equal(*weights)
    # One program serves all.
    assert ensemble.members[2].compile_seconds < 0.5


@pytest.mark.slow
def test_members_over_devices_are_the_same(ensemble, snapshots):
    # Learned, so that steps count; three members on two devices.
    options = OPTIONS | {"optimizer": AdamW(scalar_learning_rate=0.1)}
    alone = fit_ensemble(harmonic, snapshots, **options)
    mesh = jax.make_mesh((2,), ("members",))
    ended = []
    spread = fit_ensemble(
        harmonic, snapshots, mesh=mesh, done=lambda m, _: ended.append(m), **options
    )
    assert ended == [0, 1, 2]
    for one, other in zip(alone.members, spread.members, strict=True):
        assert one.friction == other.friction != ensemble.members[0].friction
        np.testing.assert_array_equal(one.history["loss"], other.history["loss"])
    band, other = (e.band(mean, LATER, sizes=9) for e in (alone, spread))
    np.testing.assert_array_equal(band.high, other.high)


@pytest.mark.slow
def test_points_that_are_followed_start_where_they_were_seen(ensemble, snapshots):
    for forecast in ensemble.forecast([2.0], followed=True):
        np.testing.assert_array_equal(forecast[0], snapshots[3])
        np.testing.assert_allclose(forecast.weight(0), 1 / N)
    own = [forecast.weight(0) for forecast in ensemble.forecast([2.0])]
    assert (own[0] != own[1]).any()
    band = ensemble.band(mean, [2.0], followed=True)
    np.testing.assert_allclose(band.high, band.low)
    with pytest.raises(ValueError, match="no new sample"):
        ensemble.band(mean, [2.0], sizes=12, followed=True)


@pytest.mark.slow
def test_save_and_load(tmp_path, ensemble, snapshots):
    ensemble.save(tmp_path)
    back = Ensemble.load(tmp_path, harmonic(jax.random.key(5)))
    assert len(back) == 3
    np.testing.assert_array_equal(back.snapshots[2], snapshots[2])
    assert back.snapshots.weights is None
    bands = [e.band(mean, LATER, sizes=9) for e in (back, ensemble)]
    np.testing.assert_allclose(bands[0].low, bands[1].low, rtol=1e-12)
    # A smaller ensemble takes the place of the larger one.
    Ensemble(ensemble.members[:2], snapshots).save(tmp_path)
    assert len(Ensemble.load(tmp_path, harmonic(jax.random.key(5)))) == 2
    with pytest.raises(ValueError, match="holds no ensemble"):
        Ensemble.load(tmp_path / "none", harmonic(jax.random.key(5)))


def test_refuses(snapshots):
    with pytest.raises(ValueError, match="members >= 2, found 1"):
        fit_ensemble(harmonic, snapshots, **{**OPTIONS, "members": 1})
    with pytest.raises(ValueError, match="'none', 'points' or 'rows', found 'all'"):
        fit_ensemble(harmonic, snapshots, resample="all", **OPTIONS)
    with pytest.raises(TypeError, match="'stepps'"):
        fit_ensemble(harmonic, snapshots, stepps=2, **OPTIONS)
    mesh = jax.make_mesh((2,), ("members",))
    spread = wf.sharding.shard(snapshots, mesh)
    with pytest.raises(ValueError, match="rows are in one place with a mesh"):
        fit_ensemble(harmonic, spread, mesh=mesh, **OPTIONS)
