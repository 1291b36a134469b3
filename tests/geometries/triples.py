"""Energies, geometries and measures, and which of them mean something together."""

import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np

from wflow import energies as F
from wflow import geometries as K
from wflow import kernels
from wflow.measures import Gaussian, GaussianMixture, Grid, Particles, Point
from wflow.networks import NetworkRisk


P, G, N, O = "particles", "grid", "gaussian", "point"

rng = np.random.default_rng(0)
key = jax.random.key(0)


MEASURES = {
    # A weight of zero, and a mass that is not one.
    P: Particles.from_samples(rng.normal(size=(6, 2)), [0.3, 0.1, 0.0, 0.4, 0.2, 0.5]),
    G: Grid(rng.uniform(0.05, 1, size=(5, 4)), -1.0, 1.5, ("periodic", "no-flux")),
    N: Gaussian(np.array([0.4, -0.2]), np.array([[0.8, 0.3], [0.3, 0.6]])),
    O: Point(jnp.array([0.4, -0.7])),
}

A = np.array([[1.0, 0.3], [0.3, 2.0]])
C = np.array([0.7, -0.4])
MIXTURE = GaussianMixture(
    rng.normal(size=(2, 2)), np.stack([0.5 * np.eye(2), A / 2]), np.array([1.0, 2.0])
)
TARGET = Particles.from_samples(rng.normal(size=(4, 2)), rng.uniform(0.1, 0.4, size=4))


def potential(x):
    return x @ A @ x / 2 + jnp.sin(x[0] + 0.3 * x[1])


def pair(x, y):
    r2 = jnp.sum((x - y) ** 2)
    return r2 / 2 + 0.3 * jnp.cos((x - y) @ C) + jnp.exp(-x @ y / 9)


def risk():
    return NetworkRisk(
        lambda w, x: jnp.tanh(w @ x),
        jnp.asarray(rng.normal(size=(5, 2))),
        jnp.asarray(rng.normal(size=5)),
        jnp.asarray(rng.dirichlet(np.ones(5))),
    )


def combination():
    learned = F.MLPPotential(2, width=4, depth=1, key=key)
    return 2.0 * F.Potential(potential) - learned / 3 + (-F.Entropy(0.2, F.KDE(0.8)))


BLOB, CLOSURE = F.KDE([0.5, 0.7]), F.GaussianClosure()
H = np.array([0.6, 0.9])
# name: energy, the measures it acts on
ENERGIES = {
    "potential": (F.Potential(potential), {P, G, N, O}),
    "potential in time": (
        F.Potential(lambda x, t: potential(x) * (1 + t), with_time=True),
        {P, G, N, O},
    ),
    "interaction": (F.Interaction(pair), {P, G, N}),
    "entropy": (F.Entropy(0.7), {P, G, N}),
    "entropy, blob": (F.Entropy(0.7, BLOB), {P, G, N}),
    "entropy, closure": (F.Entropy(0.7, CLOSURE), {P, G, N}),
    "fisher": (F.FisherInformation(1.3), {G, N}),
    "fisher, blob": (F.FisherInformation(1.3, BLOB), {P, G, N}),
    "fisher, closure": (F.FisherInformation(1.3, CLOSURE), {P, G, N}),
    "kl": (F.KLDivergence(MIXTURE.log_density), {P, G, N}),
    "kl, blob": (F.KLDivergence(MIXTURE.log_density, BLOB), {P, G, N}),
    "mmd": (F.MMD(kernels.GaussianKernel(H), TARGET), {P, G}),
    "mmd, multiquadric": (F.MMD(kernels.InverseMultiquadric(0.8), TARGET), {P, G}),
    "mmd, laplace": (F.MMD(kernels.LaplaceKernel(0.8), TARGET), {P, G}),
    "mmd, energy distance": (F.MMD(kernels.EnergyDistance(), TARGET), {P, G}),
    "mmd, mixture": (F.MMD(kernels.GaussianKernel(H), MIXTURE), {P, G, N}),
    "mmd, normal": (F.MMD(kernels.GaussianKernel(0.7), Gaussian(C, A)), {P, G, N}),
    "ksd": (
        F.KernelSteinDiscrepancy(kernels.Matern52(0.9), MIXTURE.log_density),
        {P, G},
    ),
    "sinkhorn": (F.SinkhornDivergence(TARGET, 0.5), {P, G}),
    "sinkhorn, p = 1": (F.SinkhornDivergence(TARGET, 0.5, p=1), {P, G}),
    "risk": (risk(), {P, G, N}),
    "functional": (
        F.Functional(lambda mu, t: jnp.tanh(mu.integrate(lambda x: jnp.sum(x**3)))),
        {P, G, N, O},
    ),
    "attention": (
        F.AttentionPotential(
            2, width=4, depth=1, heads=2, feedforward=4, time_dim=2, key=key
        ),
        {P},
    ),
    "mlp": (F.MLPPotential(2, width=4, depth=1, time_dim=2, key=key), {P, G, N, O}),
    "pair": (F.PairPotential(width=4, depth=1, key=key), {P, G}),
    "combination": (combination(), {P, G, N}),
}

# Their entropy of particles is a coefficient, not a number.
IMPLICIT = {"entropy", "kl"}


def metric_at(x):
    return A + jnp.outer(jnp.sin(x), jnp.sin(x))


GEOMETRIES = {
    "euclidean": (K.Euclidean(), {O}),
    "wasserstein": (K.Wasserstein(), {P, G, N}),
    "wasserstein, scalar": (K.Wasserstein(0.7), {P, G, N}),
    "wasserstein, diagonal": (K.Wasserstein([0.7, 1.9]), {P, G, N}),
    "wasserstein, matrix": (K.Wasserstein(A), {P, N}),
    "wasserstein, function": (K.Wasserstein(metric_at), {P}),
    "fisher-rao": (K.FisherRao(), {P, G, N}),
    "fisher-rao, free": (K.FisherRao(conserve_mass=False), {P, G}),
    "hellinger-kantorovich": (K.HellingerKantorovich(0.6, 1.7), {P, G, N}),
    "hellinger-kantorovich, free": (
        K.HellingerKantorovich(0.6, 1.7, conserve_mass=False),
        {P, G},
    ),
    "stein": (K.Stein(kernels.InverseMultiquadric(0.9)), {P}),
    "riemannian": (K.Riemannian(metric_at), {P}),
    "riemannian, parameters": (
        K.Riemannian(
            lambda v: lx.MatrixLinearOperator(
                metric_at(v), lx.positive_semidefinite_tag
            )
        ),
        {O},
    ),
}


def pairing(mu, differential, tangent):
    """The derivative that a differential gives along a rate of change of the state."""
    match mu:
        case Particles():
            return jnp.sum(differential.x * tangent[0]) + jnp.sum(
                mu.w * differential.w * tangent[1]
            )
        case Grid():
            return jnp.sum(differential * tangent) * mu.cell_volume
        case _:
            products = jax.tree.map(
                lambda a, b: jnp.sum(a * b), tuple(differential), tuple(tangent)
            )
            return sum(jax.tree.leaves(products))
