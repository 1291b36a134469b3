"""Averages, labeled arrays, sweeps and figures of filters, on made-up courses."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.filtering import (
    DiscreteMap,
    EnKF,
    Fields,
    GaussianObservation,
    KalmanFilter,
    StateSpace,
    sweep,
    twin,
)
from wflow.filtering.averages import time_average
from wflow.filtering.online import FilterState
from wflow.filtering.result import FilterResult
from wflow.filtering.twins import Twin
from wflow.measures import Particles
from wflow.plotting import plot_assimilation


xarray = pytest.importorskip("xarray")

T, N, D = 12, 5, 4
RNG = np.random.default_rng(0)
X = RNG.normal(size=(T, N, D))
TRUTH = RNG.normal(size=(T, D))
TIMES = np.arange(1.0, T + 1)


def made():
    ok = jnp.ones(T, bool)
    last = Particles.from_samples(jnp.asarray(X[-1]))
    return FilterResult(
        times=jnp.asarray(TIMES),
        mean=jnp.asarray(X.mean(1)),
        variance=jnp.asarray(X.var(1, ddof=1)),
        log_evidence=jnp.zeros(T),
        ess=jnp.full(T, float(N)),
        measures=jax.vmap(Particles)(jnp.asarray(X), jnp.full((T, N), -np.log(N))),
        forecast_finite=ok,
        finite=ok,
        state=FilterState(last, jnp.array(T), jnp.array(0.0), jax.random.key(0), ok[0]),
        name="EnKF",
    )


def test_averages_know_the_correlation_of_cycles():
    # Of an autoregression a: the variance of the mean is (1 + a) / (1 - a) / n.
    a, n = 0.8, 20_000
    x = RNG.normal(size=n)
    for k in range(1, n):
        x[k] = a * x[k - 1] + (1 - a**2) ** 0.5 * x[k]
    found = time_average(np.append(np.full(100, 50.0), x), burn_in=100)
    exact = ((1 + a) / (1 - a) / n) ** 0.5
    # From 141 batches: six per cent of deviation.
    assert found.error == pytest.approx(exact, rel=0.25)
    assert found.low < 0 < found.high
    assert np.isnan(time_average(x[:10]).low)
    with pytest.raises(ValueError, match="burn_in below 5"):
        time_average(x[:5], 5)


def test_averages_of_a_result():
    found = made().averages(TRUTH, burn_in=2)
    exact = np.sqrt(((X.mean(1) - TRUTH) ** 2).mean(1))[2:].mean()
    assert found["rmse"].mean == pytest.approx(exact, rel=1e-12)
    assert set(found) == {"rmse", "spread", "crps", "coverage"}


def grid():
    field = np.arange(6.0).reshape(2, 3)
    return xarray.Dataset(
        {
            "u": (("lat", "lon"), field, {"units": "m/s"}),
            "level": ((), 7.0),
            "note": ((), "text"),
        },
        coords={"lat": [10.0, 20.0], "lon": [1.0, 2.0, 3.0]},
    )


def test_fields_go_into_states_and_back(tmp_path):
    path = tmp_path / "grid.nc"
    grid().to_netcdf(path)
    fields = Fields(path)
    assert (fields.size, fields.dims["u"]) == (7, ("lat", "lon"))
    np.testing.assert_array_equal(fields.pack(path), [0, 1, 2, 3, 4, 5, 7])
    # Axes in any order, and one that a variable lacks.
    several = grid().drop_vars("u").assign(u=grid()["u"].expand_dims(member=3).T)
    states = fields.pack(several)
    assert states.shape == (3, 7)
    back = fields.unpack(states, ("member",))
    np.testing.assert_array_equal(back["u"].sel(lat=20, lon=3), [5, 5, 5])
    assert back["u"].attrs["units"] == "m/s"
    with pytest.raises(ValueError, match="expected variables among u, level, note"):
        Fields(path, ["w"])
    with pytest.raises(ValueError, match="expected u with axes"):
        fields.pack(grid().isel(lat=[0]))
    with pytest.raises(ValueError, match="no such file"):
        Fields(tmp_path / "absent.nc")


def test_observations_at_dates_become_cycles():
    dates = np.array(["2026-01-01T12", "2026-01-01T00", "2026-01-02T00"], "M8[ns]")
    data = xarray.Dataset({"y": ("time", [2.0, 1.0, 3.0])}, coords={"time": dates})
    times, values = Fields(data).series(data, interval=6)
    np.testing.assert_allclose(times, [0, 6, 12, 18, 24])
    np.testing.assert_array_equal(values[:, 0], [1, np.nan, 2, np.nan, 3])
    times, values = Fields(data).series(data, unit="D")
    np.testing.assert_allclose(times, [0, 0.5, 1])
    with pytest.raises(ValueError, match="times 7 apart from 0, found 12"):
        Fields(data).series(data, interval=7)


def test_a_result_as_labeled_arrays(tmp_path):
    result = made()
    found = result.to_xarray(TRUTH)
    assert found["ensemble"].dims == ("time", "member", "component")
    np.testing.assert_array_equal(found["ensemble"].sel(time=3.0), X[2])
    np.testing.assert_allclose(found["rmse"], result.rmse(TRUTH))
    template = xarray.Dataset({"u": ("x", np.zeros(3))}, coords={"x": [0.1, 0.2, 0.3]})
    fields = Fields(template.assign(c=0.0))
    written = result.to_xarray(fields=fields)
    written.to_netcdf(tmp_path / "run.nc")
    with xarray.open_dataset(tmp_path / "run.nc") as again:
        np.testing.assert_array_equal(again["ensemble_u"].sel(x=0.2), X[..., 1])
        np.testing.assert_array_equal(again["mean_c"], result.mean[:, 3])
        assert again.attrs["method"] == "EnKF"


MODEL = StateSpace(
    DiscreteMap(lambda x, t: 0.9 * x),
    GaussianObservation(lambda x: x, np.eye(1)),
    [[1.0]],
)


@pytest.mark.slow
def test_a_sweep_is_its_runs():
    key = jax.random.key(1)
    truth = twin(MODEL, np.zeros(1), 30, key)
    start = jax.random.normal(key, (6, 1))
    of = {"inflation": [1.0, 1.1], "members": [3, 6], "burn_in": 10}
    found = sweep(MODEL, EnKF(), truth, start, key, **of)
    from wflow.filtering import filter

    one = filter(MODEL, EnKF(1.1), truth.observed, start[:3], key)
    exact = one.averages(truth.truth, burn_in=10)
    assert found.rmse[1, 0] == pytest.approx(exact["rmse"].mean, rel=1e-12)
    assert found.spread[1, 0] == pytest.approx(exact["spread"].mean, rel=1e-12)
    assert found.to_xarray()["rmse"].sel(inflation=1.1, members=3) == found.rmse[1, 0]
    head, _, *rows = str(found).splitlines()
    assert head == "EnKF: RMSE (spread)"
    assert [row.split()[0] for row in rows] == ["1", "1.1"]
    assert str(found).count("*") == 2
    with pytest.raises(TypeError, match="with an inflation, found KalmanFilter"):
        sweep(MODEL, KalmanFilter(), truth, start, key, **of)
    with pytest.raises(ValueError, match="members up to 6"):
        sweep(MODEL, EnKF(), truth, start, key, **(of | {"members": [7]}))


def test_figures_over_time():
    data = Twin(jnp.asarray(TIMES), jnp.asarray(TRUTH), jnp.asarray(TRUTH))
    other = dataclasses.replace(made(), name="other")
    drawn = plot_assimilation({"a": made(), "b": other}, data, component=2)
    assert len(drawn.axes) == 6
    course, _, error, _, ranks, _ = drawn.axes
    np.testing.assert_array_equal(course.lines[-1].get_ydata(), TRUTH[:, 2])
    np.testing.assert_allclose(error.lines[1].get_ydata(), made().spread)
    heights = ranks.patches[0].get_data().values
    assert heights.mean() == pytest.approx(1.0)
    with pytest.raises(ValueError, match="component below 4"):
        plot_assimilation({"a": made()}, data, component=4)
