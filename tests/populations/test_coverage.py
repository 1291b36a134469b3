"""Coverage of bands whose truth is known, and summaries against numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import Potential
from wflow.flows import LagrangianFlow
from wflow.learning import (
    AdamW,
    Ensemble,
    Fit,
    FixedHorizon,
    Rollouts,
    Snapshots,
    fit_ensemble,
)
from wflow.learning.bands import Part, Prediction, predict, reweighted
from wflow.parameters import Learnable
from wflow.populations import (
    Deviation,
    Mean,
    Quantile,
    Share,
    backtest,
    coverage,
    forecast_bands,
)
from wflow.populations._backtest import ModelError, error_rate, usual_origins
from wflow.populations._coverage import observations, persistence_bands, trend_bands
from wflow.populations.scores import half_sample_floors, half_sample_w1
from wflow.populations.summaries import summaries, total_mass, units


def test_summaries():
    rng = np.random.default_rng(0)
    x, uniform = rng.normal(size=(31, 2)), np.full(31, 1 / 31)
    np.testing.assert_allclose(Mean(1)(x, uniform), x[:, 1].mean())
    np.testing.assert_allclose(Deviation(0)(x, uniform), x[:, 0].std())
    for share in (0.1, 0.5, 0.8):
        expected = np.quantile(x[:, 0], share, method="hazen")
        np.testing.assert_allclose(Quantile(0, share)(x, uniform), expected)
    np.testing.assert_allclose(Share([0, -9], [9, 9])(x, uniform), (x[:, 0] > 0).mean())
    # Weights count like repetitions, whatever they sum to.
    counts = rng.integers(1, 4, size=31)
    many = np.repeat(x, counts, axis=0)
    np.testing.assert_allclose(Mean(0)(x, 2.0 * counts), many[:, 0].mean())
    np.testing.assert_allclose(Deviation(1)(x, 2.0 * counts), many[:, 1].std())
    assert total_mass(x, 2.0 * counts) == 2 * counts.sum()
    assert len(summaries(["a", "b"], [0.5])) == 6
    with pytest.raises(ValueError, match=r"share in \(0, 1\), found 1"):
        Quantile(0, 1)


def _world(rng, n=40):
    """One population seen twice, by samples of its own; it moves as is known."""
    law = lambda x: 0.7 * x + 1
    start, later = rng.normal(size=(2, n, 2))
    first = Snapshots([0.0], [start])
    return first, Snapshots([1.0], [law(later)]), law


@pytest.mark.slow
def test_bands_of_a_law_that_is_known_cover_as_they_claim():
    rng, hits, worlds = np.random.default_rng(1), {0.5: [], 0.9: []}, 100
    statistics = {"mean": Mean(0), "spread": Deviation(1)}
    for seed in range(worlds):
        first, truth, law = _world(rng)
        members = [reweighted(first, rng) for _ in range(8)]
        clouds = [Snapshots([1.0], [law(m[0])], None, [m.weight(0)]) for m in members]
        found = predict(clouds, statistics, 40, draws=12, seed=seed)
        observed = observations(statistics, truth)
        for level, rows in hits.items():
            rows.append(coverage(found, observed, np.ones(2), level).covered[:, 0])
    for level, rows in hits.items():
        # Coordinates are independent, worlds too: each share is a binomial one.
        error = np.sqrt(level * (1 - level) / worlds)
        np.testing.assert_allclose(np.mean(rows, axis=0), level, atol=3 * error)


def test_width_and_interval_score():
    part = {"a": Part(np.array([1.0, 4.0]))}
    found = {"s": Prediction(np.array([1.0, 2.0]), np.zeros(2), part)}
    z = 1.6448536269514722
    inside = coverage(found, np.zeros((1, 2)), np.array([2.0]), 0.9)
    assert inside.share == 1
    assert inside.count == 2
    np.testing.assert_allclose(inside.width, 1.5 * z)
    np.testing.assert_allclose(inside.widths, [z, 2 * z])
    np.testing.assert_allclose(inside.interval_score, inside.width)
    outside = coverage(found, np.array([[z + 1, 0]]), np.array([2.0]), 0.9)
    assert outside.share == 0.5
    np.testing.assert_array_equal(outside.shares, [0, 1])
    # Two tenths: a miss costs twenty times its distance.
    np.testing.assert_allclose(outside.interval_score, 1.5 * z + 20 / 2 / 2)


def test_trivial_bands():
    line = Snapshots([0, 1, 3], [np.full((2, 1), v) for v in (0.0, 2.0, 6.0)])
    mean = {"mean": Mean(0)}
    still = persistence_bands(mean, line, [4.0, 5.0])["mean"]
    np.testing.assert_allclose(still.center, 6)
    np.testing.assert_allclose(still.deviation, [2, 4])
    trend = trend_bands(mean, line, [4.0, 5.0])["mean"]
    np.testing.assert_allclose(trend.center, [8, 10])
    np.testing.assert_allclose(trend.deviation, 0)
    with pytest.raises(ValueError, match="at least three snapshots, found 2"):
        trend_bands(mean, line.take([0, 1]), [4.0])


def test_the_rate_of_past_errors_is_recovered():
    rng = np.random.default_rng(3)
    variances, scales = np.full(4000, 0.04), rng.uniform(0.5, 2, 4000)
    errors = rng.normal(size=4000) * np.sqrt(variances + 0.3**2 * scales**2)
    np.testing.assert_allclose(error_rate(errors, variances, scales), 0.3, rtol=0.05)
    # Errors smaller than the bands say add nothing.
    assert error_rate(0.1 * np.sqrt(variances), variances, scales) == 0
    assert error_rate(np.zeros(3), np.zeros(3), np.ones(3)) == 0


def _square(x):
    return 0.5 * jnp.sum(x**2)


class Still:
    """Members that all say that nothing moves."""

    def __init__(self, train):
        self.train = train

    def predict(self, statistics, times, *, sizes, **options):
        assert sizes is None
        last = self.train.take([len(self.train) - 1])[0]
        clouds = [Snapshots(times, [last] * len(times))] * 2
        return predict(clouds, statistics, sizes)


def test_backtest_measures_what_the_model_misses():
    """The truth drifts at 0.5 standard deviations a time, the model stays."""
    base = np.random.default_rng(0).normal(size=(50, 1))
    times = np.arange(6.0)
    data = Snapshots(times, [base + 0.5 * t for t in times])
    mean = {"mean": Mean(0)}
    error = backtest(Still, data, [3, 4], mean, longest=2, followed=True)
    # Units are the pooled deviations of what each origin had seen.
    sigma = [units(mean, data.take(range(k)))[0] for k in (3, 4)]
    expected = 0.5 * np.sqrt(np.mean(np.repeat(1 / np.square(sigma), 2)))
    np.testing.assert_allclose(error.rate, expected, rtol=1e-5)
    assert error.degrees == 4
    assert error.power == 1
    still = {"mean": Prediction(np.array([7.0]), np.zeros(1), {})}
    wider = error.added(still, 5.0, np.array([3.0]))["mean"]
    np.testing.assert_allclose(wider.deviation, 2 * 3 * error.rate)
    with pytest.raises(ValueError, match="origins from 2 to 5, found"):
        backtest(Still, data, [6], mean)


def test_errors_that_grow_with_the_square_of_the_lead_are_told():
    base, times = np.random.default_rng(0).normal(size=(50, 1)), np.arange(7.0)
    # From the third snapshot on it accelerates, which what stays knows nothing of.
    data = Snapshots(times, [base + 0.2 * max(t - 2, 0) ** 2 for t in times])
    mean = {"mean": Mean(0)}
    error = backtest(Still, data, [3], mean, followed=True)
    sigma = units(mean, data.take(range(3)))[0]
    assert error.power == 2
    np.testing.assert_allclose(error.rate, 0.2 / sigma, rtol=1e-4)
    still = {"mean": Prediction(np.array([8.0]), np.zeros(1), {})}
    wider = error.added(still, 5.0, np.array([3.0]))["mean"]
    np.testing.assert_allclose(wider.deviation, 9 * 3 * error.rate)


@pytest.mark.parametrize(
    ("trained", "held_out", "origins"),
    [(9, 3, [6]), (9, 7, [5]), (3, 1, [2]), (2, 1, []), (4, 9, [2])],
)
def test_a_backtest_leaves_as_many_as_will_be_forecast(trained, held_out, origins):
    assert usual_origins(trained, held_out) == origins


def _flying(shifts):
    """Members that fly on at velocities of their own, by the first of two snapshots."""
    x = np.random.default_rng(2).normal(size=(6, 1))
    train = Snapshots([0.0, 1.0, 2.0], [x, x + 1, x + 2])
    flow = LagrangianFlow(Potential(lambda x: 0.0 * x[0]), friction=0.0)
    fits = [
        Fit(flow, train, tuple(np.full_like(x, v) for _ in range(3)), {}, 0.5)
        for v in shifts
    ]
    return Ensemble(tuple(fits), train)


@pytest.mark.slow
def test_bands_of_a_forecast_stand_beside_those_without_a_model():
    ensemble = _flying([0.5, 1.5])
    last = ensemble.snapshots[-1]
    test = Snapshots([3.0, 5.0], [last + 1, last + 3])
    mean, error = {"mean": Mean(0)}, ModelError(0.1, 3)
    found = forecast_bands(ensemble, test, mean, error, followed=True)
    assert list(found.predictions) == ["model", "members", "persistence", "trend"]
    # The members fly apart; on average they are right.
    np.testing.assert_allclose(found.observed, [last.mean() + [1, 3]])
    members = found.predictions["members"]["mean"]
    np.testing.assert_allclose(members.center, found.observed[0], rtol=1e-6)
    np.testing.assert_allclose(members.deviation**2, [0.75, 6.75], rtol=1e-5)
    own = found.predictions["model"]["mean"].deviation ** 2
    past = (0.1 * np.array([1, 3]) * found.unit[0]) ** 2
    np.testing.assert_allclose(own, members.deviation**2 + past)
    shares = {name: each.share for name, each in found.coverages(0.9).items()}
    assert shares["model"] == shares["persistence"] == 1
    alone = forecast_bands(ensemble, test, mean, followed=True)
    assert alone.error is None
    assert list(alone.predictions) == ["model", "persistence", "trend"]


def test_floors_are_the_distance_of_two_halves():
    rng = np.random.default_rng(3)
    clouds = [rng.normal(size=(n, 2)) for n in (12, 3, 8)]
    found = half_sample_floors(Snapshots([0, 1, 2], clouds))
    assert found[1] is None
    turned = [cloud[::-1] for cloud in clouds]
    np.testing.assert_allclose(
        np.array(half_sample_floors(Snapshots([0, 1, 2], turned)), float),
        np.array(found, float),
    )
    np.testing.assert_allclose(found[2], half_sample_w1(clouds[2]), rtol=0.5)


def test_a_population_that_grows_has_a_band_of_its_mass():
    x = np.random.default_rng(0).normal(size=(20, 2))
    clouds = [Snapshots([1.0], [x], masses=[mass]) for mass in (1.8, 2.2)]
    found = predict(clouds, {"mass": total_mass, "mean": Mean(0)}, 20)
    np.testing.assert_allclose(found["mass"].center, 2)
    np.testing.assert_allclose(found["mass"].deviation, np.sqrt(0.08 * 1.5))
    np.testing.assert_allclose(found["mean"].center, x[:, 0].mean())


@pytest.mark.slow
def test_a_learned_law_of_the_right_form_covers():
    """Friction learned from independent samples; forecasts of samples not seen."""
    times, rng, covered = np.array([0.0, 0.4, 0.8, 1.2]), np.random.default_rng(0), []
    statistics = summaries(["x", "y"], [0.5])
    w, worlds = np.sqrt(1 - 0.25**2), 8

    def sample(t):
        """Damped harmonic motion, friction 0.5, of 40 points drawn anew."""
        x, v = rng.normal(size=(40, 2)) + [2, 0], 0.5 * rng.normal(size=(40, 2))
        c, s, decay = np.cos(w * t), np.sin(w * t) / w, np.exp(-0.25 * t)
        at = decay * (c * x + s * (v + 0.25 * x))
        return at, decay * (c * v - s * (x + 0.25 * v))

    for world in range(worlds):
        clouds, velocities = zip(*map(sample, times), strict=True)
        data = Snapshots(times, clouds, velocities)
        ensemble = fit_ensemble(
            lambda key: LagrangianFlow(
                Potential(_square), Learnable(jax.random.uniform(key, minval=0.2))
            ),
            data,
            Rollouts(starts="any", horizon=FixedHorizon(2), substeps=2),
            members=6,
            key=jax.random.key(world),
            steps=60,
            optimizer=AdamW(scalar_learning_rate=0.05, schedule="cosine"),
            progress=False,
        )
        later = [1.6, 2.0]
        truth = Snapshots(later, [sample(t)[0] for t in later])
        found = ensemble.predict(statistics, later, sizes=40)
        observed = observations(statistics, truth)
        unit = units(statistics, data)
        covered.append(
            [coverage(found, observed, unit, level).share for level in (0.5, 0.9)]
        )
    # Shares of a world are dependent, worlds are not.
    error = np.std(covered, axis=0, ddof=1) / np.sqrt(worlds)
    for share, level, sigma in zip(
        np.mean(covered, axis=0), (0.5, 0.9), error, strict=True
    ):
        np.testing.assert_allclose(share, level, atol=3 * sigma)
    assert (error < 0.1).all()
