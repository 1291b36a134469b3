"""Energies on a torus: what pairs meet, and what is refused there."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow import energies as F
from wflow.checks import cast
from wflow.flows import GradientFlow
from wflow.geometries import HellingerKantorovich, Stein, Wasserstein
from wflow.kernels import GaussianKernel, LaplaceKernel, MedianGaussian
from wflow.measures import Gaussian, Grid, Particles, Phase


rng = np.random.default_rng(3)
key = jax.random.key(0)

# The second axis does not come round.
PERIOD = np.array([2.0, np.inf])
X = rng.uniform(-1, 1, size=(6, 2))
W = np.array([0.3, 0.1, 0.0, 0.4, 0.2, 0.5])
Y = rng.uniform(-1, 1, size=(4, 2))
# Other images of the same places.
MOVED = X + PERIOD[0] * np.array([[3, 0], [-2, 0], [1, 0], [0, 0], [-1, 0], [5, 0]])


def around(x):
    """A function on the torus."""
    return jnp.cos(jnp.pi * x[0]) + x[1] ** 2 / 2


def energies(dtype):
    target = Particles.from_samples(Y.astype(dtype), period=PERIOD)
    blob = F.KDE(0.3)
    return {
        "interaction": F.Interaction(lambda x, y: jnp.exp(-jnp.sum((x - y) ** 2))),
        "radial": F.Interaction(F.Radial(F.Morse(distance=0.3))),
        "log": F.LogInteraction(-1.0),
        "riesz": F.RieszInteraction(0.5),
        "learned": F.PairPotential(width=4, depth=1, key=key),
        "mmd": F.MMD(GaussianKernel(0.4), target),
        "mmd, matrix": F.MMD(GaussianKernel([[0.4, 0.0], [0.2, 0.3]]), target),
        "mmd, kink": F.MMD(LaplaceKernel(0.4), target),
        "ksd": F.KernelSteinDiscrepancy(GaussianKernel(0.4), lambda x: -around(x)),
        "kl": F.KLDivergence(lambda x: -around(x), blob),
        "kl, held": F.KLDivergence(lambda x: -around(x), F.KDE(0.3, "plug_in")),
        "fisher": F.FisherInformation(density=blob),
        "sinkhorn": F.SinkhornDivergence(target, 0.5),
    }


def differentials(energies, mu):
    """Those that flows follow, and values with theirs; of all, in one program."""
    return {
        name: (energy.differential(mu), mu.differential(energy.value))
        if name == "kl, held"
        else mu.differential(energy.value)
        for name, energy in energies.items()
    }


looked_at = eqx.filter_jit(differentials)


def same(given, dtype, **close):
    here, there = (
        looked_at(given, Particles.from_samples(x.astype(dtype), W, period=PERIOD))
        for x in (X, MOVED)
    )
    for name in given:
        for a, b in zip(*map(jax.tree.leaves, (here[name], there[name])), strict=True):
            np.testing.assert_allclose(a, b, err_msg=name, **close)


@pytest.mark.slow
def test_energies_see_places_not_turns():
    same(energies(np.float64), np.float64, rtol=1e-9, atol=1e-10)


@pytest.mark.slow
def test_in_single_precision_too():
    single = cast(energies(np.float32), np.float32)
    mu = Particles.from_samples(X.astype(np.float32), W, period=PERIOD)
    for leaf in jax.tree.leaves(eqx.filter_eval_shape(differentials, single, mu)):
        assert leaf.dtype == np.float32
    cheap = {name: single[name] for name in ("radial", "mmd", "kl")}
    same(cheap, np.float32, rtol=2e-3, atol=2e-4)


@pytest.mark.slow
def test_pairs_meet_the_short_way():
    """Two of distance 1.8 on a circle of length 2, attracted as by gravity."""
    masses = np.array([0.5, 2.0])
    mu = Particles.from_samples([[-0.9], [0.9]], masses, period=2.0)
    energy = F.LogInteraction(-1.0)
    product = masses.prod()
    np.testing.assert_allclose(energy.value(mu), product * np.log(0.2), rtol=1e-12)
    # Downhill is outwards, through the seam.
    slope = product / 0.2
    np.testing.assert_allclose(
        energy.differential(mu).x, [[slope], [-slope]], rtol=1e-12
    )
    here = jnp.array([[1.4]])
    felt = -0.5 * np.log(0.3) - 2 * np.log(0.5)
    np.testing.assert_allclose(-energy.first_variation(mu, here), felt, rtol=1e-12)


def test_a_periodic_interaction_needs_no_period():
    """Kuramoto's oscillators, whose order parameter is the energy."""
    theta = rng.uniform(-9, 9, size=(7, 1))
    energy = F.Interaction(lambda x, y: -jnp.cos(x - y)[0])
    look = eqx.filter_jit(lambda mu: (energy.value(mu), energy.differential(mu)))
    found = look(Particles.from_samples(theta, period=2 * np.pi))
    for a, b in zip(
        *map(jax.tree.leaves, (found, look(Particles.from_samples(theta)))), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)
    order = abs(np.exp(1j * theta).mean())
    np.testing.assert_allclose(found[0], -(order**2) / 2, rtol=1e-12)


@pytest.mark.slow
def test_energies_fall_by_their_dissipation():
    geometries = {
        "wasserstein": Wasserstein(),
        "hk": HellingerKantorovich(),
        "stein": Stein(GaussianKernel(0.5)),
    }
    flows = {
        (name, other): GradientFlow(energies(np.float64)[name], geometry)
        for name in ("radial", "mmd", "kl")
        for other, geometry in geometries.items()
    }
    mu = Particles.from_samples(MOVED, W, period=PERIOD)

    @eqx.filter_jit
    def rates(flows, mu):
        def rate(flow):
            along = flow.velocity(mu)
            value = lambda state: flow.value(mu.with_state(state))
            return jax.jvp(value, (mu.state,), (along,))[1], flow.dissipation(mu)

        return [rate(flow) for flow in flows]

    for name, (rate, dissipation) in zip(
        flows, rates(list(flows.values()), mu), strict=True
    ):
        assert dissipation > 0, name
        np.testing.assert_allclose(rate, -dissipation, rtol=1e-10, err_msg=str(name))


def test_a_periodic_grid_is_its_atoms():
    density = rng.uniform(0.1, 1, size=(4, 3))
    grid = Grid(density, [0.0, -1.0], [2.0, 1.0], ("periodic", "no-flux"))
    points, masses = grid.atoms
    turned = np.asarray(points) + np.array([4.0, 0.0])
    mu = Particles.from_samples(turned, masses, period=PERIOD)
    given = {name: energies(np.float64)[name] for name in ("interaction", "mmd")}
    on_grid, on_atoms = (looked_at(given, measure) for measure in (grid, mu))
    for name, (value, first_variation) in on_grid.items():
        np.testing.assert_allclose(value, on_atoms[name][0], rtol=1e-12)
        np.testing.assert_allclose(
            first_variation.ravel(), on_atoms[name][1].w, rtol=1e-9, atol=1e-12
        )


MU = Particles.from_samples(X, W, period=PERIOD)
LAW = Gaussian(np.zeros(2), np.eye(2))
OTHER = Particles.from_samples(Y, period=3.0)


@pytest.mark.parametrize(
    ("energy", "words"),
    [
        (F.CoulombInteraction(), "CoulombInteraction"),
        (F.Entropy(density=F.KDE()), "KDE without a bandwidth"),
        (F.Entropy(density=F.GaussianClosure()), "Particles.cov"),
        (F.MLPPotential(2, width=4, depth=1, key=key), "MLPPotential"),
        (
            F.AttentionPotential(2, width=4, depth=1, feedforward=4, key=key),
            "AttentionPotential",
        ),
        (F.MMD(GaussianKernel(0.4), LAW), "MMD"),
        (F.MMD(GaussianKernel(0.4), OTHER), "MMD: expected the target"),
        (F.SinkhornDivergence(OTHER, 0.4), "Divergence: expected the target"),
    ],
)
def test_what_knows_no_short_way_is_refused(energy, words):
    with pytest.raises(ValueError, match=rf"{words}.* period"):
        energy.value(MU)


@pytest.mark.slow
def test_a_target_on_a_torus_needs_a_measure_on_it():
    with pytest.raises(ValueError, match="MMD: expected the target .* period"):
        F.MMD(GaussianKernel(0.4), OTHER).value(Particles.from_samples(X))
    with pytest.raises(ValueError, match="MLPPotential: .* without period"):
        F.MLPPotential(2, width=4, depth=1, key=key).value(Phase.at_rest(MU))
    flow = GradientFlow(F.LogInteraction(), Stein(MedianGaussian()))
    with pytest.raises(ValueError, match="Stein with a rule .* period"):
        flow.velocity(MU)
