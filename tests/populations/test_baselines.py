"""Baselines, on exact motions and on the table of countries that plotly ships."""

import csv
import gzip
import io
from importlib import resources

import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import Potential
from wflow.flows import GrowthFlow, LagrangianFlow
from wflow.learning import Fit, Snapshots
from wflow.learning.baselines import (
    constant_velocity,
    extrapolated_velocity,
    mean_shift,
    ot_interpolation,
    persistence,
)
from wflow.populations.protocols import forecast_split, interpolation_split
from wflow.populations.scores import (
    forecast_scores,
    growth_correlation,
    interpolation_scores,
    mean_w1,
    noise_floor,
)
from wflow.transport import w1


rng = np.random.default_rng(0)
X, U = rng.normal(size=(20, 2)), np.array([0.3, -0.1])
TIMES = np.array([0.0, 1.0, 1.5, 3.0])


@pytest.fixture(scope="module")
def straight():
    """A translation, rows in random order."""
    return Snapshots(TIMES, [rng.permutation(X + t * U) for t in TIMES])


def free_fit(snapshots, velocity):
    """A law without force, whose start velocities are all ``velocity``."""
    flow = LagrangianFlow(Potential(lambda x: 0.0 * jnp.sum(x)))
    velocities = tuple(np.tile(velocity, (len(x), 1)) for x in snapshots)
    return Fit(flow, snapshots, velocities, {}, step=1.0)


@pytest.mark.slow
def test_a_translation_is_forecast_by_all_but_the_first(straight):
    truth = X + 5.0 * U
    for baseline in (constant_velocity, mean_shift):
        for k in (0, 2, 3):
            cloud, weights = baseline(straight, k, 5.0)
            np.testing.assert_allclose(w1(cloud, truth, weights), 0, atol=1e-12)
    still, _ = persistence(straight, 3, 5.0)
    np.testing.assert_allclose(w1(still, truth), 2 * np.hypot(*U), rtol=1e-12)


def test_even_acceleration_is_extrapolated():
    a = np.array([0.2, 0.1])
    paths = [X + t * U + t**2 / 2 * a for t in TIMES]
    velocities = [np.broadcast_to(U + t * a, X.shape) for t in TIMES]
    moving = Snapshots(TIMES, paths, velocities)
    for k in (0, 2, 3):
        cloud, _ = extrapolated_velocity(moving, k, 5.0)
        np.testing.assert_allclose(cloud, X + 5 * U + 12.5 * a, rtol=1e-12)
    for lacking in (Snapshots(TIMES, paths), moving.take([0])):
        with pytest.raises(ValueError, match="velocit"):
            extrapolated_velocity(lacking, 0, 5.0)


def test_given_velocities_come_first(straight):
    v = rng.normal(size=X.shape)
    given = Snapshots([0.0, 1.0], [X, X + U], [v, None])
    np.testing.assert_allclose(constant_velocity(given, 0, 2.0)[0], X + 2 * v)
    estimated, _ = constant_velocity(given, 1, 2.0)
    np.testing.assert_allclose(estimated, X + 2 * U, rtol=1e-10)


def test_interpolation_on_the_geodesic(straight):
    for time, k in ((0.5, 0), (1.25, 1), (2.7, 2)):
        cloud, weights = ot_interpolation(straight, k, time)
        np.testing.assert_allclose(w1(cloud, X + time * U, weights), 0, atol=1e-12)
    with pytest.raises(ValueError, match="no snapshot after the last"):
        ot_interpolation(straight, 3, 4.0)


def test_one_snapshot_gives_no_velocity():
    alone = Snapshots([0.0], [X])
    for baseline in (constant_velocity, mean_shift):
        with pytest.raises(ValueError, match="two snapshots, found one"):
            baseline(alone, 0, 1.0)


@pytest.mark.slow
def test_scores_stand_beside_their_baselines(straight):
    split = forecast_split(straight, held_out=1)
    reports = forecast_scores(free_fit(split.train, U), split)
    assert set(reports) == {"train", "from_last", "from_first"}
    speed = np.hypot(*U)
    for name, time in (("from_last", 1.5), ("from_first", 3.0)):
        scores = reports[name].means
        np.testing.assert_allclose(scores["model"], 0, atol=1e-12)
        np.testing.assert_allclose(scores["persistence"], time * speed, rtol=1e-12)
        np.testing.assert_allclose(scores["constant_velocity"], 0, atol=1e-12)
    split = interpolation_split(straight, [2])
    reports = interpolation_scores(free_fit(split.train, 0 * U), split)
    scores = reports["test"].means
    np.testing.assert_allclose(scores["model"], 0.5 * speed, rtol=1e-12)
    np.testing.assert_allclose(scores["ot_interpolation"], 0, atol=1e-12)
    assert "cannot be told from nothing moves" in reports["test"].verdict


def test_noise_floor_predicts_the_distance_of_two_samples():
    x, y = rng.normal(size=(2, 400, 2))
    np.testing.assert_allclose(noise_floor(x), w1(x, y), rtol=0.25)
    with pytest.raises(ValueError, match="n >= 4"):
        noise_floor(x[:3])


@pytest.fixture(scope="module")
def countries():
    file = resources.files("plotly") / "package_data/datasets/gapminder.csv.gz"
    text = gzip.decompress(file.read_bytes()).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    years = sorted({int(row["year"]) for row in rows})

    def cloud(year):
        return [
            (np.log10(float(row["gdpPercap"])), float(row["lifeExp"]))
            for row in rows
            if int(row["year"]) == year
        ]

    return Snapshots(years, [np.array(cloud(year)) for year in years])


@pytest.mark.parametrize(
    ("baseline", "expected"),
    [
        (persistence, [0.161, 0.267, 0.394]),
        (constant_velocity, [0.168, 0.263, 0.382]),
        (mean_shift, [0.148, 0.234, 0.330]),
    ],
)
def test_countries(countries, baseline, expected):
    """Forecasts from 1992, in units of the snapshots 1952 to 1992."""
    split = forecast_split(countries, held_out=3)
    train, units = split.train.standardize()
    test = units.apply(split.test)
    assert train.sizes == (142,) * 9
    scores = [
        w1(baseline(train, 8, time)[0], cloud)
        for time, cloud in zip(test.times, test, strict=True)
    ]
    np.testing.assert_allclose(scores, expected, atol=6e-4)


def test_growth_is_met_up_to_its_unit():
    x = [np.array([[0.0], [1.0], [2.0]]), np.array([[4.0]])]
    seen = Snapshots([0.0, 1.0], x)
    true = lambda x: 3 * x[:, 0] ** 2
    learned = lambda c: GrowthFlow(lambda x, t: c * x[0] ** 2 + 0 * t)
    assert growth_correlation(learned(0.5), seen, true) == pytest.approx(1)
    assert growth_correlation(learned(-0.5), seen, true) == pytest.approx(-1)
    # What does not vary says nothing.
    assert growth_correlation(learned(0.0), seen, true) == 0
    # At the time of its snapshot: 0, 0, 0 and 4 against 0, 3, 12 and 48.
    late = GrowthFlow(lambda x, t: x[0] * t)
    expected = np.corrcoef([0, 0, 0, 4], [0, 3, 12, 48])[0, 1]
    assert growth_correlation(late, seen, true) == pytest.approx(expected)


def test_the_mean_distance_to_several():
    ends = [
        Snapshots([0.0, 1.0], [np.zeros((2, 1)), np.full((2, 1), c)]) for c in (1, 3)
    ]
    weighted = Snapshots(
        [0.0, 1.0],
        [np.array([[0.0], [1.0]])] * 2,
        weights=[np.array([1.0, 3.0])] * 2,
    )
    # Three quarters at 1, a quarter at 0: 0.75 from 0; 0.25 from 1 and 2.25 from 3.
    np.testing.assert_allclose(mean_w1(weighted, ends), [0.75, 1.25])
