"""Arguments of protocols, bands, fields and summaries that make no sense."""

import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import Potential
from wflow.learning import Snapshots
from wflow.learning.bands import Part, Prediction
from wflow.learning.baselines import ot_interpolation, persistence
from wflow.measures import Particles
from wflow.populations import (
    Deviation,
    Mean,
    Quantile,
    Share,
    force_field,
    hold_outs,
    interaction_profile,
    landscape,
    select_model,
    velocity_field,
)
from wflow.populations._backtest import ModelError
from wflow.populations._coverage import (
    Coverage,
    observations,
    persistence_bands,
    trend_bands,
)
from wflow.populations.fields import lattice
from wflow.populations.leave_one_out import score
from wflow.populations.protocols import forecast_split, interpolation_split
from wflow.populations.reading import pair_distances
from wflow.populations.scores import half_sample_w1
from wflow.populations.summaries import summaries, total_mass, units


X = np.random.default_rng(0).normal(size=(4, 5, 2))
DATA = Snapshots([0, 1, 2, 3], X)
CLOUD = Particles.from_samples(jnp.asarray(X[0]))
BOWL = Potential(lambda x: jnp.sum(x**2))
MEAN = {"mean": Mean(0)}
ROW = np.ones(2)


@pytest.mark.parametrize("bands", [persistence_bands, trend_bands])
@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([5.0, 4.0], "times to increase strictly, found 5.0 before 4.0"),
        ([4.0, 4.0], "times to increase strictly"),
        ([2.0, 4.0], "times from 3 on"),
        ([np.nan], "times finite"),
        ([], "times of shape"),
    ],
)
def test_times_of_bands(bands, times, message):
    with pytest.raises(ValueError, match=f"{bands.__name__}: expected {message}"):
        bands(MEAN, DATA, times)


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf])
def test_bandwidth_of_a_velocity_field(wrong):
    with pytest.raises(ValueError, match="velocity_field: expected bandwidth > 0"):
        velocity_field(CLOUD, X[1], X[2], bandwidth=wrong)


@pytest.mark.parametrize("wrong", [-1e-9, np.nan, np.inf])
def test_rate_of_a_model_error(wrong):
    with pytest.raises(ValueError, match="ModelError: expected rate >= 0"):
        ModelError(wrong, 3.0)


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        ([np.nan, 0], [1, 1], "low of numbers"),
        ([0, 0], [1, np.nan], "high of numbers"),
        ([0, 2], [1, 1], "low <= high"),
        ([0], [1, 1], "low and high of shape"),
        ([[0]], [[1]], "low and high of shape"),
    ],
)
def test_boxes(low, high, message):
    with pytest.raises(ValueError, match=f"Share: expected {message}"):
        Share(low, high)


def test_open_boxes():
    weights = np.full(5, 0.2)
    share = Share([0.0, -np.inf], [np.inf, np.inf])(X[0], weights)
    assert share == pytest.approx((X[0][:, 0] >= 0).mean())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Mean(-1), "axis >= 0"),
        (lambda: Mean(2)(X[0], np.ones(5)), "found axis 2"),
        (lambda: Deviation(0.5), "axis to be a whole number"),
        (lambda: Quantile(0, 1.0), r"share in \(0, 1\)"),
        (lambda: summaries(["x", "x"]), "different labels"),
        (lambda: summaries("xy"), "labels to be a list"),
        (lambda: summaries(["x"], [1.5]), "quantiles in"),
        (lambda: total_mass(X[0], np.ones(4)), "weights of shape"),
        (lambda: units({"a": Mean(5)}, DATA), "below 2, found 5"),
        (lambda: observations({}, DATA), "at least one, found none"),
        (lambda: observations({"a": lambda x, w: x}, DATA), "return one number"),
        (lambda: Prediction([0, 1], ROW, {"a": Part(-ROW)}), "variance of parts"),
        (lambda: Prediction([0, 1], ROW, {"a": Part(ROW[:1])}), "variance of parts"),
        (lambda: Prediction([1, 0], ROW, {}), "times to increase"),
        (
            lambda: Coverage(("a",), ROW[:1], 1.0, *[ROW[:1, None]] * 3, ROW[:1]),
            r"level in \(0, 1\)",
        ),
        (
            lambda: Coverage(("a",), ROW[:1], 0.9, *[ROW[:1, None]] * 3, 0 * ROW[:1]),
            "unit > 0",
        ),
        (lambda: lattice(DATA, 2.5), "size to be a whole number"),
        (lambda: lattice(DATA, margin=np.nan), "margin >= 0"),
        (lambda: landscape(BOWL, CLOUD, X[0][:, :1]), r"points of shape \(m, 2\)"),
        (lambda: force_field(BOWL, X[0], X[0]), "cloud to be Particles"),
        (lambda: force_field(CLOUD, CLOUD, X[0]), "energy to be an energy"),
        (
            lambda: velocity_field(
                Particles.from_samples(X[0], period=6.0), X[0], X[0]
            ),
            "velocity_field: .* without period",
        ),
        (lambda: interaction_profile(BOWL, [-1.0]), "distances >= 0"),
        (lambda: pair_distances(DATA, count=0), "count >= 1"),
        (lambda: half_sample_w1(X[0] * np.nan), "cloud finite"),
        (lambda: half_sample_w1(X[0], splits=0), "splits >= 1"),
        (lambda: forecast_split(DATA, fraction=np.nan), "fraction in"),
        (lambda: forecast_split(DATA, held_out=1.5), "held_out to be a whole number"),
        (lambda: forecast_split(DATA), "either fraction, .* found none"),
        (lambda: interpolation_split(DATA, [1.5]), "held_out to be a whole number"),
        (lambda: interpolation_split(DATA, 1), "held_out to be a list"),
        (lambda: hold_outs(X), "snapshots to be Snapshots"),
        (lambda: score((X[0][:, :1], np.ones(5)), hold_outs(DATA)[0]), "points of"),
        (lambda: persistence(DATA, 9, 1.0), "k of one of 4 snapshots, found 9"),
        (lambda: persistence(DATA, 0, np.nan), "time finite"),
        (lambda: ot_interpolation(DATA, 0, 1.5), "time from 0 to 1"),
        (lambda: ot_interpolation(DATA, -1, 1.5), "k below 3, found 3"),
        (lambda: select_model({"a": 1.5}, DATA), "candidates to be a function"),
        (lambda: select_model({"a": lambda *_: 1.5}, DATA), "return a Fit"),
    ],
)
def test_refuses(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def test_a_snapshot_counted_from_the_end_is_the_same():
    for k in range(4):
        np.testing.assert_array_equal(persistence(DATA, k - 4, 5.0)[0], X[k])
