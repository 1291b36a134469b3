"""Growth learned with the mechanics: gradients, masses, files, bits."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oscillator import TIMES, oscillation, random_like, trained

from wflow.energies import MLPPotential
from wflow.flows import GradientFlow, GrowthFlow, LagrangianFlow, NeuralRate
from wflow.geometries import Wasserstein
from wflow.learning import (
    AdamW,
    Fit,
    FullHorizon,
    MassAndShape,
    Sinkhorn,
    Snapshots,
    Zero,
    simulate,
)
from wflow.learning.rollout_loss import Model, Rollout, Task, step_grid
from wflow.learning.stacks import stacked
from wflow.learning.trained import split
from wflow.parameters import Learnable
from wflow.transport import sinkhorn_divergence


MASSES = np.array([2.0, 2.5, 3.5, 6.0])
LOSS = MassAndShape(Sinkhorn(blur=0.5, threshold=1e-12), 0.7)


def make_flow(key=0):
    a, b, c = jax.random.split(jax.random.key(key), 3)
    rate = NeuralRate(2, width=4, depth=1, time_dim=2, key=a)
    # Not zero, so that a gradient is not that of the start alone.
    last = lambda r: r.mlp.layers[-1].weight
    rate = eqx.tree_at(last, rate, jax.random.normal(b, (1, 4)))
    energy = MLPPotential(2, width=4, depth=1, key=c)
    return LagrangianFlow(energy, Learnable(0.3), "unified") + GrowthFlow(rate)


@pytest.fixture(scope="module")
def growing():
    return Snapshots(TIMES, *oscillation(TIMES), masses=MASSES)


@pytest.mark.slow
def test_gradient_and_value_of_the_loss(growing):
    task = Task(
        stacked(growing.take([0])),
        jnp.arange(1),
        jnp.zeros(1),
        stacked(growing.take(range(1, 4))),
        step_grid(TIMES, 0.25, np.dtype(float)),
        jnp.asarray(MASSES),
    )
    flow = make_flow()
    velocity = jnp.asarray(growing.velocity(0))
    params, held = split(Model(flow, velocity[None]))

    @jax.jit
    def loss(params):
        rule = Rollout(LOSS, 0.2)
        model = eqx.combine(params, held)
        every = jnp.asarray(3, jnp.int32)
        return rule(model, task, jnp.asarray(0, jnp.int32), every).value

    direction = random_like(params, 3)
    along = lambda h: jax.tree.map(lambda p, d: p + h * d, params, direction)
    gradient = jax.jit(jax.grad(loss))(params)
    products = jax.tree.map(lambda a, b: jnp.sum(a * b), gradient, direction)
    h = 1e-3
    slope = 8 * (loss(along(h)) - loss(along(-h))) - loss(along(2 * h))
    slope = (slope + loss(along(-2 * h))) / (12 * h)
    np.testing.assert_allclose(sum(jax.tree.leaves(products)), slope, rtol=1e-6)

    start = growing.take([0])
    predicted = simulate(flow, start, TIMES[1:], 0.25)
    fine = simulate(flow, start, np.linspace(0, 2, 9)[1:], 0.25)
    terms = []
    for k in range(3):
        shape = sinkhorn_divergence(
            predicted[k],
            growing[k + 1],
            weights_x=predicted.weight(k),
            blur=0.5,
            threshold=1e-12,
        ).value
        terms.append(shape + 0.7 * np.log(predicted.mass(k) / MASSES[k + 1]) ** 2)
    weights = [start.weight(0) * 2, *(fine.weight(k) * fine.mass(k) for k in range(8))]
    logs = np.log(weights)
    rates = np.diff(logs, axis=0) / 0.25
    share = np.exp((logs[1:] + logs[:-1]) / 2)
    share /= share.sum(axis=1, keepdims=True)
    action = 0.2 * np.sum(0.25 * share * rates**2) / 3
    np.testing.assert_allclose(loss(params), np.mean(terms) + action, rtol=1e-8)


def still_clusters(dtype):
    """Two clusters at rest; the right one grows at rate 1, the left one not."""
    rng = np.random.default_rng(0)
    left, right = rng.normal(0, 0.1, (2, 20, 2)) + [[[-1, 0]], [[1, 0]]]
    times = np.array([0.0, 0.5, 1.0])
    clouds = [np.concatenate([left, right]).astype(dtype)] * 3
    weights = [np.repeat([1, np.exp(t)], 20) for t in times]
    masses = [(1 + np.exp(t)) / 2 for t in times]
    return Snapshots(times, clouds, None, weights, masses)


@pytest.mark.slow
def test_recovers_where_growth_is():
    data = still_clusters(np.float32)
    energy = MLPPotential(2, width=4, depth=1, key=jax.random.key(0))
    rate = NeuralRate(2, width=8, depth=1, key=jax.random.key(1))
    found = trained(
        LagrangianFlow(energy, Learnable(1.0)) + GrowthFlow(rate),
        data,
        steps=300,
        key=jax.random.key(2),
        velocity=Zero(),
        horizon=FullHorizon(),
        optimizer=AdamW(2e-2, schedule="cosine"),
        loss=MassAndShape(Sinkhorn(blur=0.2), 5.0),
        growth_penalty=1e-4,
        progress=False,
    )
    assert found.history["loss"].dtype == np.float32
    report = found.report()
    assert report.mass_errors.max() < 0.02
    assert report.to_dict()["max_relative_mass_error"] == report.mass_errors.max()
    assert "relative error of the mass" in str(report)
    assert report.model < 0.05 < report.means["persistence"]
    rates = found.growth.rates(jnp.asarray([[-1.0, 0], [1.0, 0]]))
    np.testing.assert_allclose(rates, [0, 1], atol=0.1)
    after = found.forecast([2.0], "initial")
    np.testing.assert_allclose(after.mass(0), (1 + np.exp(2)) / 2, rtol=0.1)


def make(growing, steps=8, **options):
    return trained(
        make_flow(),
        growing,
        steps=steps,
        key=jax.random.key(1),
        batch=8,
        chunk=3,
        progress=False,
        **options,
    )


@pytest.mark.slow
def test_saved_and_resumed_to_the_bit(growing, tmp_path):
    class Stop(Exception):
        pass

    def stop(chunk):
        if chunk.step == 3:
            raise Stop

    whole = make(growing)
    whole.save(tmp_path / "whole")
    with pytest.raises(Stop):
        make(growing, checkpoint_dir=tmp_path, callbacks=[stop])
    make(growing, checkpoint_dir=tmp_path, resume=True).save(tmp_path / "resumed")
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "resumed").read_bytes()
    loaded = Fit.load(tmp_path / "whole", make_flow(1))
    np.testing.assert_array_equal(loaded.snapshots.masses, MASSES)
    a, b = (each.forecast([1.5, 2.0], "initial") for each in (whole, loaded))
    np.testing.assert_array_equal(a[0], b[0])
    np.testing.assert_array_equal(a.weight(0), b.weight(0))
    np.testing.assert_array_equal(a.masses, b.masses)
    # The forecast starts with the mass of its snapshot, and its weights have grown.
    assert whole.forecast([2.0]).mass(0) == pytest.approx(6.0)
    assert np.ptp(a.weight(0)) > 0
    assert whole.growth is not None


def test_masses_of_snapshots(growing):
    assert growing.take([1, 3]).masses.tolist() == [2.5, 6.0]
    standard, space = growing.standardize()
    assert space.invert(standard).masses.tolist() == MASSES.tolist()
    assert Snapshots(TIMES, growing.clouds).mass(2) == 1.0
    with pytest.raises(ValueError, match="expected 4 masses"):
        Snapshots(TIMES, growing.clouds, masses=[1.0, 2.0])
    with pytest.raises(ValueError, match="expected masses > 0"):
        Snapshots(TIMES, growing.clouds, masses=[1.0, 2.0, 0.0, 1.0])


def test_refusals(growing):
    with pytest.raises(ValueError, match="growth_penalty >= 0"):
        make(growing, growth_penalty=-1.0)
    with pytest.raises(ValueError, match="coefficient >= 0"):
        MassAndShape(coefficient=-1.0)
    flow = make_flow()
    first_order = GradientFlow(flow.parts[0].energy, Wasserstein()) + flow.parts[1]
    with pytest.raises(ValueError, match="no velocity, since SumFlow moves"):
        trained(first_order, growing, steps=1, key=jax.random.key(0), velocity=Zero())
