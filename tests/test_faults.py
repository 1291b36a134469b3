"""Kinds of faults that users met: the right number, or a sentence that names the cause.

Most kinds are held where they belong, in the tests of their rooms:

- transport: ``test_sinkhorn`` (flags, gradients and energies at a small blur, whole
  numbers, iterations), ``test_exact`` (SciPy, POT, memory), ``test_hellinger``;
- times: ``test_solve_times`` (rounding, large, late), ``test_filter_refusals``,
  ``test_times`` and ``test_what_files_hold`` (close, far from zero);
- precision: ``test_causes`` (complex, half, stiff, nan, first steps, focus, singular
  pairs), ``test_resolved_scales`` (offsets), ``test_refused_measures``,
  ``test_filter_refusals`` (covariances of any unit), ``test_scale_layers``;
- shapes: ``test_refused_kernels``, ``test_refused_energies``, ``test_causes`` (steps),
  ``test_sample_refusals``, ``test_fit``, ``test_tables``;
- sampling: ``test_sample_refusals``, ``test_sample``;
- filtering: ``test_filter_refusals``, ``test_baseline_filters``;
- networks: ``test_saddle_inputs``, ``test_attention_inputs``, ``test_chaos_oracles``,
  ``test_refused_energies`` (labels), ``test_estimators``;
- ranges: ``test_refused_kernels``, ``test_refused_measures``,
  ``test_refused_geometries``, ``populations/test_refusals``, and every argument of
  every public name in ``tests/hostile``;
- files: ``test_what_files_hold``, ``test_snapshots``, ``test_tables``;
- runs: ``test_population``, ``test_population_data``, ``test_replacing``,
  ``test_runner``, ``test_config``, ``test_outcome``.

Here is what none of them holds.
"""

import json
import tracemalloc
from pathlib import Path

import anndata
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import ot
import pandas as pd
import pytest

from wflow.energies import Interaction, Potential
from wflow.flows import Exponential, GradientFlow, LagrangianFlow, ResettingFlow
from wflow.flows.leapfrog import KineticState, force_factor, leapfrog_step
from wflow.geometries import HellingerKantorovich, Wasserstein
from wflow.io import read_snapshots
from wflow.io.base import Layout
from wflow.learning import Rollouts, Sinkhorn, Snapshots, Zero, fit
from wflow.measures import Gaussian, Particles, Point
from wflow.parameters import Learnable
from wflow.populations.conversion import Units
from wflow.sampling import SHK, ULA, find_modes, sample
from wflow.solvers import SolveError, solve
from wflow.studies import load
from wflow.studies._configs import override, read_yaml
from wflow.studies._folder import RunDirectory
from wflow.studies._params import validate
from wflow.studies.population._saved import read_context, write_context


CONFIGS = Path(__file__).resolve().parents[1] / "configs"
KEY = jax.random.key(3)


def half_square(x):
    return x @ x / 2


QUADRATIC = Potential(half_square)
DECAY = GradientFlow(QUADRATIC, Wasserstein())


# ---------------------------------------------------------------------- learning


@pytest.mark.slow
def test_the_loss_of_a_first_step_is_the_cost_of_the_best_plan():
    """Points at rest without a force: they meet the second snapshot as they are."""
    rng = np.random.default_rng(11)
    x, y = rng.uniform(size=(20, 2)), rng.uniform(size=(25, 2)) + [1.5, 0.5]
    flow = LagrangianFlow(Potential(lambda x: 0.0 * x[0]), Learnable(0.4))
    objective = Rollouts(Sinkhorn(p=1, blur=0.01), velocity=Zero(), substeps=1)
    data = Snapshots([0.0, 2.0], [x, y])
    history = fit(flow, data, objective, steps=1, key=KEY, progress=False).history
    cost = ot.emd2([], [], ot.dist(x, y, metric="euclidean"))
    # The entropy of a plan at this blur is a hundredth of the cost.
    np.testing.assert_allclose(history["loss"][0], cost, rtol=0.02)
    assert history["converged"][0] == 1


# ------------------------------------------------------------------------- times


@pytest.mark.parametrize("exponent", [-14, -3, 0, 8, 15])
def test_a_decay_over_its_own_time_at_any_length(exponent):
    """e^-1 at t = 1 / rate, of one program."""
    rate = jnp.asarray(10.0**-exponent, jnp.float32)
    flow = GradientFlow(rate * QUADRATIC, Wasserstein())
    start = Particles.from_samples(jnp.full((3, 1), 2.0, jnp.float32))
    end = solve(flow, start, 0.0, 10.0**exponent)[-1].x
    np.testing.assert_allclose(end, 2 * np.exp(-1), rtol=1e-3)


@pytest.mark.parametrize("labels", [("5", "40", "-3"), ("1.5", "0.25", "100")])
def test_categories_are_times_in_the_order_of_their_numbers(tmp_path, labels):
    day = pd.Categorical(np.repeat(labels, 4), categories=list(labels))
    index = [f"cell{k}" for k in range(len(day))]
    made = anndata.AnnData(
        np.zeros((len(day), 1), "f4"),
        obs=pd.DataFrame({"day": day}, index=index),
        obsm={"X_pca": np.arange(2.0 * len(day)).reshape(-1, 2)},
    )
    made.write_h5ad(tmp_path / "cells.h5ad")
    found = read_snapshots(tmp_path / "cells.h5ad").snapshots
    order = np.argsort([float(label) for label in labels])
    np.testing.assert_array_equal(found.times, [float(labels[k]) for k in order])
    for cloud, k in zip(found, order, strict=True):
        np.testing.assert_array_equal(cloud[0], [8 * k, 8 * k + 1])


# --------------------------------------------------------------------- precision


class Turned(eqx.Module):
    """Re(c (x + i)^2), of a complex parameter."""

    c: jax.Array

    def __call__(self, x):
        return jnp.real(self.c * (x[0] + 1j) ** 2)


@pytest.mark.slow
def test_a_complex_parameter_of_a_density_and_a_start_in_half_precision():
    """c = -1/2 + i/4 is N(-1/2, 1) times a constant; the real part alone is N(0, 1).

    Steps of h = 0.1 make the variance 1 / (1 - h/2).
    """
    density = Turned(jnp.array(-0.5 + 0.25j, jnp.complex64))
    start = jax.random.normal(KEY, (600, 1), jnp.bfloat16)
    draws = sample(density, start, key=KEY, method=ULA(0.1, 50), saves=1).particles
    assert draws.dtype == jnp.float32
    # Four standard errors of 600 draws.
    assert float(draws.mean()) == pytest.approx(-0.5, abs=4 / 600**0.5)
    assert float(draws.std()) == pytest.approx(0.95**-0.5, abs=4 / 1200**0.5)


def apart(x, y):
    return jnp.linalg.norm(x - y)


@pytest.mark.slow
@pytest.mark.parametrize("energy", [Potential(jnp.linalg.norm), Interaction(apart)])
def test_a_kink_under_a_particle(energy):
    """One of two stands where the force has no value: it is named."""
    start = Particles.from_samples(jnp.array([[3.0, 0.0], [0.0, 0.0]], jnp.float32))
    with pytest.raises(SolveError, match="nan at index|itself") as caught:
        solve(GradientFlow(energy, Wasserstein()), start, 0.0, 1.0)
    assert "max_steps" not in str(caught.value)


@pytest.mark.slow
def test_weights_that_are_nan_do_not_start():
    start = Particles(jnp.ones((2, 1)), jnp.array([0.0, jnp.nan]))
    with pytest.raises(SolveError, match="logw of mu0 is nan"):
        solve(DECAY, start, 0.0, 1.0)


def test_a_geometry_is_made_inside_a_program():
    mu = Particles.from_samples(jnp.array([[1.0], [-2.0]]))

    def speed(alpha):
        geometry = HellingerKantorovich(alpha, 0.5)
        return geometry.velocity(mu, QUADRATIC.differential(mu))[0]

    np.testing.assert_allclose(jax.jit(speed)(3.0), [[-3.0], [6.0]], rtol=1e-6)


# ------------------------------------------------------------------------ shapes


@pytest.mark.parametrize("origin", [Point(jnp.ones(2)), Gaussian([0.0], [[1.0]]), None])
def test_an_origin_is_no_measure(origin):
    with pytest.raises((ValueError, TypeError), match="origin"):
        ResettingFlow(DECAY, Exponential(0.7), origin)


@pytest.mark.parametrize("scaling", ["unfied", "Inertial", None, 1.0])
def test_a_force_is_scaled_in_one_of_two_ways(scaling):
    x = jnp.ones((3, 2))
    state = KineticState(x, x, -x)
    for call in (
        lambda: force_factor(jnp.asarray(0.2), scaling),
        lambda: leapfrog_step(lambda x: -x, state, 0.1, 0.2, scaling),
        lambda: LagrangianFlow(QUADRATIC, 0.2, scaling),
    ):
        with pytest.raises(ValueError, match="force_scaling 'inertial' or 'unified'"):
            call()


# ---------------------------------------------------------------------- sampling


def wedge(x):
    """The density 2 x on the unit interval."""
    return jnp.where((x[0] > 0) & (x[0] < 1), jnp.log(jnp.abs(x[0])), -jnp.inf)


@pytest.mark.slow
def test_what_is_rejected_and_reweighted_stays_inside():
    start = np.linspace(0.02, 0.98, 30)[:, None]
    found = sample(wedge, start, key=KEY, method=SHK(0.02, 10), saves=1)
    assert np.isfinite(jax.vmap(wedge)(found.particles)).all()


def test_one_function_is_compiled_once():
    traced = []

    def density(x):
        traced.append(x)
        return -jnp.sum((x - 1.0) ** 2)

    start = np.array([[0.0, 2.0], [3.0, -1.0]])
    counts = []
    for shift in (0.0, 0.5, -2.0):
        (mode,) = find_modes(density, start + shift, radius=0.1)
        np.testing.assert_allclose(mode.location, 1.0, atol=1e-6)
        counts.append(len(traced))
        traced.clear()
    # What it returns is looked at each time.
    assert counts[0] > 2
    assert counts[1:] == [1, 1]


# ------------------------------------------------------------- files and settings


def test_genes_are_left_where_they_are(tmp_path):
    """4000 genes of 1500 cells take 23 MiB; two components of them 24 kB."""
    t = np.arange(1500) % 3
    made = anndata.AnnData(
        np.ones((1500, 4000), "f4"),
        obs=pd.DataFrame({"day": t}, index=np.arange(1500).astype(str)),
        obsm={"X_pca": np.random.default_rng(0).normal(size=(1500, 2))},
    )
    made.write_h5ad(tmp_path / "cells.h5ad", compression="gzip")
    tracemalloc.start()
    try:
        found = read_snapshots(tmp_path / "cells.h5ad").snapshots
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.sizes == (500, 500, 500)
    assert peak < made.X.nbytes / 4


@pytest.mark.parametrize("std", [0.0, -2.0, float("nan"), None])
def test_units_of_no_length_are_named(tmp_path, std):
    directory = RunDirectory(tmp_path)
    write_context(directory, Units([0.5], [2.0], 0.0, 1.0, "float64"), Layout("csv"))
    context = json.loads(directory.units.read_text())
    context["units"]["std"] = [std]
    directory.units.write_text(json.dumps(context))
    with pytest.raises(ValueError, match=r"units\.json.* std"):
        read_context(directory)


@pytest.mark.parametrize(
    "setting",
    [
        "fit.optimizer.learning_rate=.inf",
        "fit.optimizer.learning_rate=.nan",
        "fit.loss.blur=-.inf",
    ],
)
def test_settings_are_finite_numbers(setting):
    raw = override(read_yaml(CONFIGS / "gapminder.yaml"), [setting])
    part, _, name = setting.partition("=")[0].rpartition(".")
    with pytest.raises(ValueError, match=f"{part}: .* expected {name} "):
        validate(load(raw["task"]).config, raw, "here")
