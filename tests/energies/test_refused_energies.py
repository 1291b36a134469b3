"""Energies look at their parts and at what functions return; nan stays nan."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import (
    KDE,
    MMD,
    AttentionPotential,
    Bumps,
    Entropy,
    FisherInformation,
    Functional,
    GaussianClosure,
    Interaction,
    KernelSteinDiscrepancy,
    KLDivergence,
    MLPPotential,
    Morse,
    PairPotential,
    Polynomial,
    Potential,
    Power,
    Radial,
    RadialBumps,
)
from wflow.energies.base import Scaled, Sum
from wflow.kernels import GaussianKernel, InverseMultiquadric, LaplaceKernel
from wflow.measures import Gaussian as Law
from wflow.measures import Grid, Particles, Point


KEY = jax.random.key(0)
X = np.array([[0.1, 0.4], [1.0, -0.3], [-0.7, 0.2], [0.5, 0.9]])
CLOUD = Particles.from_samples(X)
V = Potential(lambda x: x @ x)
MEASURES = {
    "particles": CLOUD,
    "gaussian": Law(np.zeros(2), np.eye(2)),
    "grid": Grid(jnp.ones((3, 3)), -1, 1),
    "point": Point(jnp.ones(2)),
}


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("wrong", [lambda x: x, lambda x: x[:1], lambda x: 1j * x[0]])
def test_what_is_no_number_is_named_by_the_function_that_returned_it(measure, wrong):
    mu = MEASURES[measure]
    found = "expected {} to return one real number, found"
    with pytest.raises(ValueError, match=found.format("potential")):
        Potential(wrong).value(mu)
    with pytest.raises(ValueError, match=found.format("potential")):
        jax.jit(lambda t: Potential(lambda x, t: wrong(x), True).differential(mu, t))(
            0.0
        )
    with pytest.raises(ValueError, match=found.format("function")):
        Functional(lambda mu, t: wrong(jnp.ones(2))).value(mu)
    if measure != "point":
        with pytest.raises(ValueError, match=found.format("pair")):
            Interaction(lambda x, y: wrong(x)).value(mu)
        density = GaussianClosure() if measure == "particles" else None
        with pytest.raises(ValueError, match=found.format("log_density")):
            KLDivergence(wrong, density).value(mu)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Potential("x"), "potential to be a function of x"),
        (lambda: Potential(V), "potential to be a function"),
        (lambda: Interaction(2.0), "pair to be a function of x, y"),
        (lambda: Interaction(lambda x, y: 0.0, "no"), "diagonal True or False"),
        (lambda: Sum((V, 1.0)), "parts to be energies"),
        (lambda: Sum(()), "parts to hold an energy"),
        (lambda: Scaled(2.0, CLOUD), "energy to be an energy"),
        (lambda: V * np.ones(3), "factor to be one number"),
        (lambda: Entropy(-1.0), "temperature >= 0"),
        (lambda: Entropy(1.0, 0.5), "density to be a particle density"),
        (lambda: Entropy(1.0, KDE), "call it: KDE"),
        (lambda: FisherInformation(np.nan), "hbar >= 0"),
        (lambda: KLDivergence(CLOUD), "log_density to be a function"),
        (lambda: KDE(-0.5), "bandwidth > 0"),
        (lambda: KDE(0.0), "bandwidth > 0"),
        (lambda: KDE(np.inf), "bandwidth > 0"),
        (lambda: KDE([[1.0, 1.0], [1.0, 1.0]]), "bandwidth to be an invertible"),
        (lambda: KDE(np.ones(3)).entropy(CLOUD), "bandwidth .*dimension 2"),
        (lambda: KDE().entropy(Particles.from_samples(X[:1])), "n >= 2"),
        (lambda: KDE().entropy(Particles.from_samples(np.ones((20, 2)))), "coincide"),
        (
            lambda: GaussianClosure().entropy(Particles.from_samples(X * 0)),
            "covariance",
        ),
        (lambda: MMD(1.0, CLOUD), "kernel to be a kernel"),
        (lambda: MMD(GaussianKernel(1.0), X), "target to be Particles"),
        (lambda: KernelSteinDiscrepancy(GaussianKernel, V), "kernel to be a kernel"),
        (
            lambda: KernelSteinDiscrepancy(GaussianKernel(1.0), 1.0),
            "log_density to be a",
        ),
        (
            lambda: KernelSteinDiscrepancy(GaussianKernel(1.0), lambda x: x).value(
                CLOUD
            ),
            "log_density to return one real number",
        ),
        (lambda: Polynomial(2, 1.5), "degree to be a whole number"),
        (lambda: Polynomial(1, 1, [np.nan]), "coefficients finite"),
        (lambda: Bumps(X, 0.0), "width > 0"),
        (lambda: Bumps(X[0], 1.0), "centers of shape"),
        (lambda: Bumps.lattice(1, np.nan, 1.0, 3), "low finite"),
        (lambda: RadialBumps(3, np.nan), "reach > 0"),
        (lambda: Morse(length=-1.0), "length > 0"),
        (lambda: Power(exponent=0.0), "exponent to be other than 0"),
        (lambda: Radial(1.0), "profile to be a function"),
        (lambda: Radial(lambda r: r, -1.0), "softening >= 0"),
        (lambda: MLPPotential(0, key=KEY), "dim >= 1"),
        (lambda: AttentionPotential(2, depth=1.5, key=KEY), "depth to be a whole"),
        (lambda: AttentionPotential(2, heads=0, key=KEY), "heads >= 1"),
        (lambda: PairPotential(softening=0.0, key=KEY), "softening > 0"),
    ],
)
def test_refused_in_a_sentence(make, words):
    with pytest.raises((ValueError, TypeError), match=words) as refused:
        make()
    assert len(str(refused.value)) < 300


@eqx.filter_jit
def value_of(energy, mu):
    return energy.value(mu)


@pytest.mark.slow
def test_a_nan_in_a_cloud_shows():
    lost = Particles.from_samples(np.where(X < 0, np.nan, X))
    for energy in (
        MMD(LaplaceKernel(1.0), CLOUD),
        MMD(GaussianKernel(1.0), MEASURES["gaussian"]),
        KernelSteinDiscrepancy(InverseMultiquadric(1.0), lambda x: -x @ x),
        Entropy(1.0, KDE(0.5)),
        FisherInformation(1.0, KDE(0.5)),
        V,
    ):
        assert np.isnan(value_of(energy, lost))
    assert np.isnan(value_of(MMD(LaplaceKernel(1.0), lost), CLOUD))
    assert jnp.isnan(KDE(0.5).log_density(lost)).all()
    assert jnp.isnan(
        MMD(LaplaceKernel(1.0), CLOUD).first_variation(lost, CLOUD.x)
    ).all()
