"""What flows are declared as: sums, refusals, learnable scalars, widths of floats."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flow_problems import ORIGIN, GaussianLogDensity, half_square, ornstein_uhlenbeck

from wflow.energies import (
    KDE,
    AttentionPotential,
    KLDivergence,
    Potential,
)
from wflow.flows import (
    AbstractDissipativeFlow,
    BirthDeathFlow,
    Exponential,
    GradientFlow,
    LagrangianFlow,
    LangevinFlow,
    ResettingFlow,
)
from wflow.flows.sums import SumFlow
from wflow.geometries import (
    FisherRao,
    Stein,
    Wasserstein,
)
from wflow.kernels import GaussianKernel
from wflow.measures import Gaussian, Particles, Phase, UnsupportedMeasureError
from wflow.measures.base import ImplicitEntropyError
from wflow.parameters import Learnable
from wflow.regression import PoissonMomentFlow
from wflow.solvers import solve


def test_flows_add():
    mu = Particles.from_samples(np.random.default_rng(0).normal(size=(5, 2)))
    v = GradientFlow(Potential(half_square), Wasserstein())
    total = v + v + v
    assert isinstance(total, SumFlow)
    np.testing.assert_allclose(total.velocity(mu)[0], -3 * mu.x, rtol=1e-12)
    noisy = LangevinFlow(Potential(half_square), 0.5)
    np.testing.assert_allclose(
        (noisy + noisy).noise(mu).on(mu)[0], np.sqrt(2.0), rtol=1e-12
    )
    assert not isinstance(total, AbstractDissipativeFlow)
    with pytest.raises(TypeError):
        v + 1  # pyright: ignore


def test_refusals():
    mu = Particles.from_samples(np.zeros((3, 2)))
    target = GaussianLogDensity(jnp.zeros(2), jnp.eye(2))
    with pytest.raises(ValueError, match=r"friction >= 0, found -1"):
        LagrangianFlow(Potential(half_square), -1.0)
    with pytest.raises(ValueError, match=r"'inertial' or 'unified', found 'fast'"):
        LagrangianFlow(Potential(half_square), 1.0, "fast")
    with pytest.raises(UnsupportedMeasureError, match=r"Phase.at_rest"):
        LagrangianFlow(Potential(half_square)).velocity(mu)
    with pytest.raises(TypeError, match="found both"):
        LangevinFlow(KLDivergence(target), 1.0).velocity(mu)
    with pytest.raises(TypeError, match="found neither"):
        LangevinFlow(Potential(half_square)).velocity(mu)
    with pytest.raises(UnsupportedMeasureError):
        LangevinFlow(Potential(half_square), 1.0).velocity(Gaussian([0.0], [[1.0]]))
    with pytest.raises(ImplicitEntropyError, match="Stein.*LangevinFlow.*density"):
        GradientFlow(KLDivergence(target), Wasserstein()).velocity(mu)
    with pytest.raises(ImplicitEntropyError):
        GradientFlow(KLDivergence(target), FisherRao()).velocity(mu)
    with pytest.raises(ImplicitEntropyError):
        LagrangianFlow(KLDivergence(target)).velocity(Phase.at_rest(mu))
    with pytest.raises(ImplicitEntropyError):
        BirthDeathFlow(KLDivergence(target)).jump(mu, 0.0, 0.1, jax.random.key(0))
    with pytest.raises(ValueError, match="rate > 0"):
        Exponential(0.0)
    with pytest.raises(UnsupportedMeasureError):
        PoissonMomentFlow(ornstein_uhlenbeck(), 1.0, ORIGIN).velocity(mu)
    # Stein takes the entropy by parts.
    stein = GradientFlow(KLDivergence(target), Stein(GaussianKernel(1.0)))
    assert jnp.isfinite(stein.velocity(mu)[0]).all()


@pytest.mark.slow
def test_learnable():
    gamma = Learnable(0.3)
    np.testing.assert_allclose(gamma.value, 0.3, rtol=1e-12)
    assert repr(gamma) == "Learnable(0.3)"
    with pytest.warns(UserWarning, match=r"starts at 0.01"):
        assert Learnable(0.0).value == pytest.approx(0.01)
    with pytest.raises(ValueError, match="found -1"):
        Learnable(-1.0)
    assert Learnable(-1.0, positive=False).value == -1
    flow = LagrangianFlow(Potential(half_square), Learnable(0.5))
    start = Phase.at_rest(Particles.from_samples(np.ones((2, 1))))
    fixed = LagrangianFlow(Potential(half_square), 0.5)
    np.testing.assert_allclose(
        solve(flow, start, 0.0, 1.0)[-1].measure.x,
        solve(fixed, start, 0.0, 1.0)[-1].measure.x,
        rtol=1e-12,
    )


@pytest.mark.slow
def test_float32_stays_float32():
    key = jax.random.key(0)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(8, 2)), jnp.float32)
    mu = Particles.from_samples(x)
    kl = KLDivergence(half_square, KDE(form="plug_in"))
    attention = AttentionPotential(2, width=4, depth=1, key=key)
    cases = [
        (GradientFlow(Potential(half_square), Wasserstein()), mu, None),
        (LagrangianFlow(attention, 0.1, "unified"), Phase.at_rest(mu), None),
        (LangevinFlow(Potential(half_square), 0.1) + BirthDeathFlow(kl), mu, key),
        (
            ResettingFlow(
                GradientFlow(Potential(half_square), Wasserstein()),
                Exponential(1.0),
                jnp.zeros(2),
            ),
            mu,
            key,
        ),
    ]
    for flow, start, k in cases:
        end = solve(flow, start, 0.0, 1.0, dt0=0.5, key=k)
        assert {leaf.dtype for leaf in jax.tree.leaves(end[-1].state)} == {
            jnp.dtype(jnp.float32)
        }
