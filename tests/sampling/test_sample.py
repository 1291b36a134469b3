"""The one entry: what every method finds on known targets, and what it returns."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.stats import gamma

from wflow.energies import KDE, GaussianClosure
from wflow.measures import Gaussian, GaussianMixture, Particles
from wflow.sampling import (
    ALDI,
    CBS,
    MALA,
    NUTS,
    SHK,
    SMCWFR,
    SVGD,
    ULA,
    WFRMMD,
    ExactEmbedding,
    GaussHermite,
    GradientInformedEmbedding,
    MeanShift,
    MMDFlow,
    find_modes,
    sample,
)
from wflow.sampling.samples import SignedWeightsError


LAW = Gaussian([1.0, -0.5], [[1.0, 0.6], [0.6, 0.8]])
N = 200
START = 2 * jax.random.normal(jax.random.key(0), (N, 2))
KEY = jax.random.key(1)
exact = ExactEmbedding(LAW)
informed = lambda log_density: GradientInformedEmbedding(log_density, GaussHermite(3))

# Draws that are independent at the end, but for weights and the last resampling.
DRAWS = {
    "shk": SHK(step_size=0.1, steps=200),
    "shk_jumps": SHK(step_size=0.1, steps=200, reaction="jumps"),
    "shk_gaussian": SHK(step_size=0.1, steps=200, density=GaussianClosure()),
    "smc_wfr": SMCWFR(step_size=0.1, steps=100),
    "ula": ULA(step_size=0.02, steps=400),
    "mala": MALA(step_size=0.2, steps=100),
    "aldi": ALDI(step_size=0.02, steps=400),
    "nuts": NUTS(warmup=100, thin=3),
}
# Nodes that settle, no noise is left at the end: method, tolerance of mean and cov. In
# the flat tails of their kernel flows of a discrepancy are slow.
NODES = {
    "svgd": (SVGD(step_size=0.2, steps=400), 0.05, 0.15),
    "msip": (
        MeanShift(
            step_size=0.2,
            steps=150,
            bandwidth=0.7,
            embedding=informed,
            ridge=1e-4,
            max_shift=1.0,
        ),
        0.05,
        0.15,
    ),
    "wfr_mmd": (
        WFRMMD(step_size=0.2, steps=400, bandwidth=1.5, embedding=exact, alpha=20.0),
        0.06,
        0.2,
    ),
    "mmd_flow": (
        MMDFlow(step_size=4.0, steps=300, bandwidth=1.5, embedding=exact, noise=0.3),
        0.3,
        1.0,
    ),
}


def moments(samples):
    mean = samples.weights @ samples.particles
    centered = samples.particles - mean
    return mean, (samples.weights[:, None] * centered).T @ centered


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        name if name in ("shk", "mala") else pytest.param(name, marks=pytest.mark.slow)
        for name in DRAWS
    ],
)
def test_draws_have_the_moments_of_the_target(name):
    samples = sample(LAW.log_density, START, method=DRAWS[name], key=KEY, saves=4)
    mean, cov = moments(samples)
    # Five standard errors of as many draws as the weights are worth; steps that are
    # not adjusted and a density that is estimated add a bias of some per cent.
    error = 5 / np.sqrt(min(float(samples.ess), N / 2))
    np.testing.assert_allclose(mean, LAW.mean, atol=error)
    np.testing.assert_allclose(cov, LAW.cov, atol=1.5 * error)
    np.testing.assert_allclose(samples.weights.sum(), 1, rtol=1e-12)
    assert samples.evaluations > N
    assert samples.history.x.shape == (len(samples.times), N, 2)
    assert np.isfinite(samples.energy).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        name if name == "msip" else pytest.param(name, marks=pytest.mark.slow)
        for name in NODES
    ],
)
def test_nodes_have_the_moments_of_the_target(name):
    method, of_mean, of_cov = NODES[name]
    samples = sample(LAW.log_density, START[:50], method=method, key=KEY, saves=4)
    mean, cov = moments(samples)
    np.testing.assert_allclose(mean, LAW.mean, atol=of_mean)
    np.testing.assert_allclose(cov, LAW.cov, atol=of_cov)
    # Mean shifts that are shortened do not descend; these nodes start far apart.
    assert name == "msip" or samples.energy[-1] <= samples.energy[0]


@pytest.mark.slow
def test_consensus_finds_the_target_with_densities_alone():
    # Its noise makes spread that the ensemble's own size limits: bias of order 1 / n.
    method = CBS(step_size=0.05, steps=200)
    samples = sample(LAW.log_density, START, method=method, key=KEY, saves=4)
    mean, cov = moments(samples)
    np.testing.assert_allclose(mean, LAW.mean, atol=0.5)
    np.testing.assert_allclose(cov, LAW.cov, atol=0.5)


MIXTURE = GaussianMixture(
    [[-3.0, 0.0], [3.0, 0.0]], jnp.tile(0.5 * jnp.eye(2), (2, 1, 1)), [0.3, 0.7]
)


@pytest.mark.slow
def test_masses_of_modes_come_right_from_a_start_in_one():
    # A tenth of the particles starts in the mode that has 0.7 of the mass.
    near = jax.random.normal(jax.random.key(4), (N, 2)) * 0.7
    start = (
        near + jnp.where(jnp.arange(N) < N // 10, 3.0, -3.0)[:, None] * jnp.eye(2)[0]
    )
    method = SHK(
        step_size=0.05, steps=160, transport="langevin", density=KDE(0.4, "plug_in")
    )
    samples = sample(MIXTURE.log_density, start, method=method, key=KEY, saves=2)
    modes = samples.modes()
    assert len(modes) == 2
    np.testing.assert_allclose(modes[0].location, [3, 0], atol=1e-3)
    # Noise of resampling some hundred particles, and the bias of the kernel.
    np.testing.assert_allclose([m.weight for m in modes], [0.7, 0.3], atol=0.12)
    alone = sample(MIXTURE.log_density, start, method=ULA(0.05, 160), key=KEY, saves=2)
    assert alone.modes()[0].weight > 0.8


@pytest.mark.slow
def test_modes_are_maxima_and_weights_add_up():
    x = 4 * jax.random.normal(jax.random.key(2), (64, 2))
    weights = jnp.arange(1.0, 65) / 2080
    modes = find_modes(MIXTURE.log_density, x, weights)
    assert sum(mode.weight for mode in modes) == pytest.approx(1, abs=1e-12)
    assert sum(mode.particles for mode in modes) == 64
    for mode in modes:
        gradient = jax.grad(MIXTURE.log_density)(jnp.asarray(mode.location))
        np.testing.assert_allclose(gradient, 0, atol=1e-5)
        np.testing.assert_allclose(
            mode.log_density, MIXTURE.log_density(jnp.asarray(mode.location))
        )


@pytest.mark.slow
def test_parameters_come_back_in_their_supports():
    log_density = lambda p: gamma.logpdf(p["rate"], 4.0) - jnp.sum(p["x"] ** 2) / 2
    draws = jax.random.normal(jax.random.key(3), (N, 3))
    start = {"rate": jnp.exp(draws[:, 0]), "x": draws[:, 1:]}
    samples = sample(
        log_density,
        start,
        supports={"rate": "positive"},
        method=MALA(step_size=0.2, steps=200),
        key=KEY,
        saves=2,
    )
    assert (samples.parameters["rate"] > 0).all()
    # Gamma(4): mean 4, sd 2; five standard errors.
    np.testing.assert_allclose(samples.mean["rate"], 4, atol=5 * 2 / N**0.5)
    np.testing.assert_allclose(samples.std["rate"], 2, atol=0.7)
    twice = samples.expect(lambda p: 2 * p["rate"])
    np.testing.assert_allclose(twice, 2 * samples.mean["rate"])
    labels = samples.summary()
    assert list(labels) == ["rate", "x[1]", "x[2]"]
    np.testing.assert_allclose(labels["rate"][0], samples.mean["rate"])


@pytest.mark.slow
def test_quadratures_refuse_what_needs_a_probability():
    method, _, _ = NODES["msip"]
    samples = sample(LAW.log_density, START[:50], method=method, key=KEY, saves=4)
    assert samples.signed
    np.testing.assert_allclose(samples.weights, samples.quadrature.weights)
    for what in (
        lambda: samples.log_weights,
        lambda: samples.to_arviz(),
        lambda: samples.draws(KEY),
    ):
        with pytest.raises(SignedWeightsError, match="MeanShift"):
            what()


@pytest.mark.slow
def test_ksd_falls_as_particles_come_to_rest():
    short, long = (
        sample(LAW.log_density, START[:50], method=SVGD(0.2, n), key=KEY, saves=1)
        for n in (2, 200)
    )
    assert long.ksd(1.0) < short.ksd(1.0) / 3
    assert float(long.ksd()) >= 0


@pytest.mark.slow
def test_one_compiled_function_and_its_derivative():
    # Probability flow and exact weights: nothing is drawn, all is differentiable.
    method = SHK(
        step_size=0.1,
        steps=5,
        transport="probability_flow",
        reaction="weights",
        density=GaussianClosure(),
        settle=0.0,
    )

    def mean(shift):
        log_density = lambda x: LAW.log_density(x - shift)
        samples = sample(log_density, START[:50], method=method, key=KEY, saves=1)
        return (samples.weights @ samples.particles)[0]

    shift, h = np.array([0.3, 0.1]), np.array([1e-5, 0])
    several = jnp.asarray([shift, shift + h, shift - h])
    values, gradients = jax.jit(jax.vmap(jax.value_and_grad(mean)))(several)
    np.testing.assert_allclose(values[0], mean(several[0]), rtol=1e-9)
    # Central differences: error of order h^2, beside rounding over h.
    slope = (values[1] - values[2]) / 2 / h[0]
    np.testing.assert_allclose(gradients[0, 0], slope, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["shk", "svgd", "msip"])
def test_single_precision_stays_single(name):
    method = DRAWS.get(name) or NODES[name][0]
    start = START[:50].astype(jnp.float32)
    samples = sample(
        lambda x: LAW.log_density(x).astype(x.dtype), start, method=method, key=KEY
    )
    leaves = [samples.particles, samples.weights, samples.energy, samples.times]
    assert {leaf.dtype for leaf in leaves} == {jnp.dtype(jnp.float32)}


@pytest.mark.slow
def test_saves_divide_the_steps_and_end_with_the_result():
    samples = sample(LAW.log_density, START, method=ULA(0.1, 30), key=KEY, saves=7)
    np.testing.assert_allclose(samples.times, 0.1 * np.arange(5, 31, 5))
    np.testing.assert_array_equal(samples.history.x[-1], samples.particles)
    particles = Particles.from_samples(START)
    same = sample(LAW.log_density, particles, method=ULA(0.1, 30), key=KEY, saves=7)
    np.testing.assert_array_equal(same.particles, samples.particles)
