"""Exact solutions and identities of the laws of motion."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm

from wflow.energies import (
    KDE,
    AttentionPotential,
    Entropy,
    FisherInformation,
    Functional,
    GaussianClosure,
    Interaction,
    KLDivergence,
    Potential,
)
from wflow.flows import (
    BirthDeathFlow,
    Exponential,
    GradientFlow,
    LagrangianFlow,
    LangevinFlow,
    PoissonMomentFlow,
    ResettingFlow,
    SplitFlow,
    SumFlow,
)
from wflow.geometries import (
    Euclidean,
    FisherRao,
    HellingerKantorovich,
    Stein,
    Wasserstein,
)
from wflow.kernels import Gaussian as GaussianKernel
from wflow.measures import (
    Gaussian,
    Grid,
    ImplicitEntropyError,
    Particles,
    Phase,
    Point,
    UnsupportedMeasureError,
)
from wflow.parameters import Learnable
from wflow.solve import solve


def half_square(x):
    return jnp.sum(x**2) / 2


class GaussianLogDensity:
    """An unnormalised Gaussian log-density, one function object for each target."""

    def __init__(self, mean, precision):
        self.mean, self.precision = mean, precision

    def __call__(self, x):
        return -(x - self.mean) @ self.precision @ (x - self.mean) / 2


# Spherical Hellinger-Kantorovich flows of KL on Gaussians.


def shk_closed_form(s, c0, alpha, beta, t):
    """Variance and contraction of the mean, in one dimension."""
    x0, a = c0 / s, 2 * alpha / s
    lam = a + beta
    growth = np.exp(lam * t)
    denominator = beta * (1 - x0) + (a + beta * x0) * growth
    x = ((a + beta * x0) * growth - a * (1 - x0)) / denominator
    return s * x, lam * np.exp(alpha * t / s) / denominator


def shk(alpha, beta, mean, cov, target_mean, target_cov, t):
    flow = GradientFlow(
        KLDivergence(
            GaussianLogDensity(
                jnp.asarray(target_mean), jnp.linalg.inv(jnp.asarray(target_cov))
            )
        ),
        HellingerKantorovich(alpha, beta),
    )
    return solve(flow, Gaussian(mean, cov), 0.0, t)[-1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("alpha", "beta", "s", "c0", "variance", "factor"),
    [
        (1.0, 1.0, 0.7, 2.1, 0.70130975, 0.01061145),
        (0.3, 2.0, 0.5, 2.0, 0.50227050, 0.00419770),
        (1.0, 0.0, 1.3, 0.52, 1.24295107, 0.27044344),
        (0.0, 1.0, 1.3, 0.52, 1.02038791, 0.35847704),
    ],
)
def test_shk_scalar(alpha, beta, s, c0, variance, factor):
    # The printed numbers have eight digits; the solver's tolerance is 1e-7 relative.
    assert shk_closed_form(s, c0, alpha, beta, 1.7) == pytest.approx(
        (variance, factor), abs=1e-8
    )
    mu = shk(alpha, beta, [1.0], [[c0]], [0.0], [[s]], 1.7)
    np.testing.assert_allclose(mu.cov[0, 0], variance, atol=1e-7)
    np.testing.assert_allclose(mu.mean[0], factor, atol=1e-7)


@pytest.mark.slow
def test_shk_matrix():
    # Against the matrix exponential of the Hamiltonian of the Riccati equation.
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3, 3))
    target, start = a @ a.T + np.eye(3), b @ b.T + np.eye(3)
    mean, centre, alpha, beta, t = rng.normal(size=3), rng.normal(size=3), 0.8, 1.2, 0.8
    precision = np.linalg.inv(target)
    top = -alpha * precision + beta / 2 * np.eye(3)
    h = np.block([[top, 2 * alpha * np.eye(3)], [beta * precision, -top.T]])
    x, y = np.split(expm(t * h) @ np.vstack([start, np.eye(3)]), 2)
    mu = shk(alpha, beta, mean, start, centre, target, t)
    np.testing.assert_allclose(mu.cov, x @ np.linalg.inv(y), rtol=1e-6)
    np.testing.assert_allclose(
        mu.mean - centre,
        np.exp(-beta * t / 2) * np.linalg.inv(y).T @ (mean - centre),
        atol=1e-6,
    )


@pytest.mark.slow
def test_shk_fixed_point():
    target = GaussianLogDensity(jnp.array([0.5, -1.0]), jnp.linalg.inv(COV2))
    geometry = HellingerKantorovich(1.0, 1.0)
    still = GradientFlow(KLDivergence(target), geometry).velocity(
        Gaussian(target.mean, COV2)
    )
    np.testing.assert_allclose(still[0], 0, atol=1e-12)
    np.testing.assert_allclose(still[1], 0, atol=1e-12)
    # Particles whitened to have exactly the target's moments do not move either.
    z = np.random.default_rng(0).normal(size=(50, 2))
    z = (z - z.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(z.T, bias=True))).T
    x = target.mean + z @ np.linalg.cholesky(COV2).T
    flow = GradientFlow(KLDivergence(target, GaussianClosure()), geometry)
    dx, dlogw = flow.velocity(Particles.from_samples(x))
    np.testing.assert_allclose(dx, 0, atol=1e-11)
    # The closure's first variation is the log-ratio of two equal Gaussians: constant.
    np.testing.assert_allclose(dlogw, 0, atol=1e-11)


COV2 = jnp.array([[1.0, 0.3], [0.3, 0.5]])


@pytest.mark.slow
def test_shk_agrees_between_measures():
    # One declaration, three discretisations; the closed form is the judge.
    target = GaussianLogDensity(jnp.zeros(1), jnp.array([[1 / 0.7]]))
    geometry = HellingerKantorovich(0.6, 0.9)
    variance, factor = shk_closed_form(0.7, 0.3, 0.6, 0.9, 0.5)
    grid = Grid.from_log_density(
        lambda x: -jnp.sum((x - 1) ** 2) / 0.6, -4.0, 5.0, (180,)
    )
    on_grid = solve(GradientFlow(KLDivergence(target), geometry), grid, 0.0, 0.5)[-1]
    # Second order in the cell width 0.05.
    np.testing.assert_allclose(on_grid.mean[0], factor, rtol=2e-3)
    np.testing.assert_allclose(on_grid.cov[0, 0], variance, rtol=2e-3)
    np.testing.assert_allclose(on_grid.mass, 1, rtol=1e-12)
    # Particles with a Gaussian closure: exact up to the particles' own quadrature.
    q, w = np.polynomial.hermite_e.hermegauss(20)
    start = Particles.from_samples((1 + np.sqrt(0.3) * q)[:, None], weights=w / w.sum())
    flow = GradientFlow(KLDivergence(target, GaussianClosure()), geometry)
    moved = solve(flow, start, 0.0, 0.5)[-1]
    np.testing.assert_allclose(moved.mean[0], factor, rtol=1e-5)
    np.testing.assert_allclose(moved.cov[0, 0], variance, rtol=1e-5)


# Second-order flows.


@pytest.mark.slow
def test_quantum_packets_on_gaussians():
    # Free packet: Var = s^2 + hbar^2 t^2 / (4 s^2); harmonic: stationary at hbar/(2w).
    hbar, s2, t, w = 0.7, 0.4, 1.3, 1.5
    packet = Phase.at_rest(Gaussian([0.0], [[s2]]))
    free = solve(LagrangianFlow(FisherInformation(hbar)), packet, 0.0, t)[-1]
    np.testing.assert_allclose(
        free.measure.cov[0, 0], s2 + hbar**2 * t**2 / (4 * s2), rtol=1e-6
    )
    harmonic = LagrangianFlow(FisherInformation(hbar) + w**2 * Potential(half_square))
    ground = Phase.at_rest(Gaussian([0.3], [[hbar / (2 * w)]]))
    moved = solve(harmonic, ground, 0.0, t)[-1].measure
    np.testing.assert_allclose(moved.cov[0, 0], hbar / (2 * w), rtol=1e-6)
    np.testing.assert_allclose(moved.mean[0], 0.3 * np.cos(w * t), rtol=1e-6)


@pytest.mark.slow
def test_quantum_packets_on_grids():
    # Second order in the cell width: 0.125 of a packet of width 0.5 and more.
    packet = Grid.from_log_density(lambda x: -jnp.sum(x**2) / 0.5, -4.0, 4.0, (64,))
    free = solve(LagrangianFlow(FisherInformation()), Phase.at_rest(packet), 0.0, 0.75)
    expected = 0.25 + 0.75**2 / (4 * 0.25)
    np.testing.assert_allclose(free[-1].measure.cov[0, 0], expected, rtol=1e-2)
    np.testing.assert_allclose(free[-1].measure.mass, 1, rtol=1e-10)
    harmonic = LagrangianFlow(FisherInformation() + Potential(half_square))
    shifted = Grid.from_log_density(
        lambda x: -jnp.sum((x - 0.5) ** 2), -4.0, 4.0, (64,)
    )
    solution = solve(harmonic, Phase.at_rest(shifted), 0.0, 1.0, times=[0.0, 1.0])
    moved = solution[-1].measure
    np.testing.assert_allclose(moved.mean[0], 0.5 * np.cos(1.0), rtol=1e-2)
    np.testing.assert_allclose(moved.cov[0, 0], 0.5, rtol=1e-2)
    # The discrete energy is conserved by the flow itself, whatever the grid.
    np.testing.assert_allclose(solution.energy[1], solution.energy[0], rtol=1e-6)


@pytest.mark.slow
def test_gaussian_mechanics():
    # Damped harmonic: every point is scaled by C(t). Isothermal: the variance obeys an
    # equation of its own, and rests at tau / k.
    k, gamma, t = 2.0, 0.5, 1.2
    omega = np.sqrt(k - gamma**2 / 4)
    c = np.exp(-gamma * t / 2) * (
        np.cos(omega * t) + gamma / (2 * omega) * np.sin(omega * t)
    )
    assert c == pytest.approx(0.05878219013, abs=1e-10)
    start = Phase.at_rest(Gaussian([1.0, -0.5], COV2))
    flow = LagrangianFlow(k * Potential(half_square), gamma)
    moved = solve(flow, start, 0.0, t)[-1].measure
    np.testing.assert_allclose(moved.mean, c * np.array([1.0, -0.5]), atol=1e-6)
    np.testing.assert_allclose(moved.cov, c**2 * COV2, atol=1e-6)
    tau = 0.3
    gas = LagrangianFlow(k * Potential(half_square) + Entropy(tau), 2.0)
    rest = solve(gas, start, 0.0, 25.0)[-1].measure
    np.testing.assert_allclose(rest.cov, tau / k * np.eye(2), atol=1e-5)


@pytest.mark.slow
def test_overdamped_limit_on_gaussians():
    # U = gamma (V + tau S): Var -> s^2 e^{-2t} + tau (1 - e^{-2t}), error O(1/gamma).
    tau, t = 0.5, 0.2
    limit = 0.2 * np.exp(-2 * t) + tau * (1 - np.exp(-2 * t))
    assert limit == pytest.approx(0.298904, abs=1e-6)
    start = Phase.at_rest(Gaussian([0.0], [[0.2]]))
    errors = []
    for gamma in (80.0, 160.0):
        flow = LagrangianFlow(gamma * (Potential(half_square) + Entropy(tau)), gamma)
        moved = solve(flow, start, 0.0, t)[-1]
        errors.append(abs(float(moved.measure.cov[0, 0]) - limit))
    assert errors[0] < 0.01
    assert errors[1] / errors[0] == pytest.approx(0.5, abs=0.1)


@pytest.mark.slow
def test_lagrangian_energy_balance():
    # dE/dt = -dissipation for each force scaling and each kind of phase.
    rng = np.random.default_rng(1)
    energy = Potential(lambda x: jnp.sum(x**4) / 4) + Interaction(
        lambda x, y: jnp.sum((x - y) ** 2) / 2
    )
    grid = Grid.from_log_density(lambda x: -jnp.sum(x**2), -2.0, 2.0, (12,), "periodic")
    phases = [
        Phase(Particles.from_samples(rng.normal(size=(6, 2))), rng.normal(size=(6, 2))),
        Phase.at_rest(Gaussian([0.2, 0.1], COV2)),
        Phase(grid, jnp.asarray(rng.normal(size=12))),
    ]
    phases[1] = Phase(
        phases[1].measure, type(phases[1].velocity)(jnp.array([0.3, -1.0]), COV2)
    )
    for scaling in ("inertial", "unified"):
        flow = LagrangianFlow(energy, 0.7, scaling)
        for mu in phases:
            rate = jax.jvp(
                lambda state, mu=mu: flow.value(mu.with_state(state)),
                (mu.state,),
                (flow.velocity(mu),),
            )[1]
            np.testing.assert_allclose(rate, -flow.dissipation(mu), rtol=1e-9)


# Noise, jumps, resets.


@pytest.mark.slow
def test_langevin_matches_the_gaussian_flow():
    # Two measures, one law: KL hands its entropy over as noise on particles.
    target = GaussianLogDensity(jnp.array([1.0]), jnp.array([[2.0]]))
    kl, n, t = KLDivergence(target), 4000, 0.6
    exact = solve(GradientFlow(kl, Wasserstein()), Gaussian([0.0], [[0.2]]), 0.0, t)[-1]
    x0 = np.sqrt(0.2) * np.random.default_rng(0).normal(size=(n, 1))
    start = Particles.from_samples(x0)
    moved = solve(LangevinFlow(kl), start, 0.0, t, dt0=0.03, key=jax.random.key(0))[-1]
    # Five standard errors of a mean and of a variance.
    sd = float(exact.cov[0, 0]) ** 0.5
    assert abs(moved.mean[0] - exact.mean[0]) < 5 * sd / n**0.5
    assert abs(moved.cov[0, 0] / exact.cov[0, 0] - 1) < 5 * (2 / n) ** 0.5


@pytest.mark.slow
def test_underdamped_langevin_is_stationary():
    # exp(-V/tau - v^2/2tau) stays; variances tau/k and tau, by five standard errors.
    n, tau, k = 4000, 0.5, 2.0
    rng = np.random.default_rng(0)
    start = Phase(
        Particles.from_samples(rng.normal(size=(n, 1)) * (tau / k) ** 0.5),
        jnp.asarray(rng.normal(size=(n, 1)) * tau**0.5),
    )
    flow = LangevinFlow(k * Potential(half_square), tau, friction=1.5)
    moved = solve(flow, start, 0.0, 3.0, dt0=0.1, key=jax.random.key(1))[-1]
    bound = 5 * (2 / n) ** 0.5
    assert abs(jnp.var(moved.measure.x) / (tau / k) - 1) < bound
    assert abs(jnp.var(moved.velocity) / tau - 1) < bound
    assert abs(jnp.mean(moved.measure.x * moved.velocity)) < 5 * tau / k**0.5 / n**0.5


@pytest.mark.slow
def test_birth_death_follows_fisher_rao():
    # Against the closed form of the reaction, with jumps alone.
    target = GaussianLogDensity(jnp.zeros(1), jnp.ones((1, 1)))
    kl = KLDivergence(target, GaussianClosure())
    variance, factor = shk_closed_form(1.0, 0.25, 0.0, 1.0, 0.5)
    n = 4000
    x0 = 1 + 0.5 * np.random.default_rng(0).normal(size=(n, 1))
    flow = BirthDeathFlow(kl, 1.0)
    moved = solve(
        flow, Particles.from_samples(x0), 0.0, 0.5, dt0=0.02, key=jax.random.key(0)
    )[-1]
    # Copies double a particle's share of the sampling error: ten standard errors.
    assert abs(moved.mean[0] - factor) < 10 * variance**0.5 / n**0.5
    assert abs(moved.cov[0, 0] / variance - 1) < 10 * (2 / n) ** 0.5
    assert set(np.asarray(moved.x).ravel()) <= set(x0.ravel())


@pytest.mark.slow
def test_langevin_with_birth_death():
    # SHK by jumps; mean and variance by the closed form (oracle with tau = 0.02).
    target = GaussianLogDensity(jnp.zeros(1), jnp.array([[1 / 1.3]]))
    kl = KLDivergence(target, GaussianClosure())
    n = 4000
    x0 = 1 + 0.5 * np.random.default_rng(0).normal(size=(n, 1))
    flow = LangevinFlow(-1 * Potential(target), 1.0) + BirthDeathFlow(kl, 1.0)
    assert isinstance(flow, SplitFlow)
    moved = solve(
        flow, Particles.from_samples(x0), 0.0, 1.0, dt0=0.02, key=jax.random.key(0)
    )[-1]
    variance, factor = shk_closed_form(1.3, 0.25, 1.0, 1.0, 1.0)
    assert abs(moved.mean[0] - factor) < 0.05
    assert abs(moved.cov[0, 0] - variance) < 0.08


CURVATURE = jnp.array([[2.0, 0.6], [0.6, 0.5]])
LINEAR = jnp.array([1.0, -0.5])
DIFFUSION = jnp.array([[0.3, 0.1], [0.1, 0.2]])
ORIGIN = jnp.array([0.2, 0.4])


def quadratic(x):
    return x @ CURVATURE @ x / 2 - LINEAR @ x


def ornstein_uhlenbeck():
    """dx = -(A x - b) dt + Q^{1/2} dW, on a Gaussian."""
    return GradientFlow(Potential(quadratic), Wasserstein()) + GradientFlow(
        Entropy(0.5), Wasserstein(DIFFUSION)
    )


@pytest.mark.slow
def test_poisson_resetting_moments():
    # Stationary mean and covariance: printed to eight digits.
    flow = PoissonMomentFlow(ornstein_uhlenbeck(), 1 / 1.5, ORIGIN)
    moved = solve(flow, Gaussian(ORIGIN, COV2), 0.0, 40.0)[-1]
    np.testing.assert_allclose(moved.mean, [0.53150242, -0.4733441], atol=1e-7)
    np.testing.assert_allclose(
        moved.cov,
        [[0.11945308, -0.15348762], [-0.15348762, 0.53560306]],
        atol=1e-7,
    )


@pytest.mark.slow
@pytest.mark.parametrize("rate", [1e-3, 1.0, 1e3])
def test_poisson_resetting_is_ridge(rate):
    # The moment flow is at rest in the mean exactly at the ridge solution.
    rng = np.random.default_rng(0)
    design, response = rng.normal(size=(20, 6)), rng.normal(size=20)
    loss = Functional(
        lambda mu, t: mu.integrate(
            lambda theta: jnp.sum((response - design @ theta) ** 2) / 2
        )
    )
    flow = PoissonMomentFlow(GradientFlow(loss, Wasserstein()), rate, jnp.zeros(6))

    def mean_rate(mean):
        return flow.velocity(Gaussian(mean, jnp.eye(6)))[0]

    # Linear in the mean: one Newton step from anywhere is exact.
    slope, offset = jax.jacfwd(mean_rate)(jnp.zeros(6)), mean_rate(jnp.zeros(6))
    stationary = -jnp.linalg.solve(slope, offset)
    ridge = np.linalg.solve(design.T @ design + rate * np.eye(6), design.T @ response)
    np.testing.assert_allclose(stationary, ridge, rtol=1e-10)


@pytest.mark.slow
def test_poisson_resetting_at_finite_times():
    # Simulated resets against the moment equations at several times, z-scores below 4;
    # the exact ages of lone particles, and the splitting that interaction needs.
    n, rate = 4000, 1.0
    times = jnp.array([0.3, 0.8, 2.0])
    inner = GradientFlow(Potential(quadratic), Wasserstein())
    exact = solve(
        PoissonMomentFlow(inner, rate, ORIGIN),
        Gaussian(jnp.array([1.5, -1.0]), 1e-12 * jnp.eye(2)),
        0.0,
        2.0,
        times=times,
    )
    start = Particles.from_samples(jnp.tile(jnp.array([1.5, -1.0]), (n, 1)))
    flow = ResettingFlow(inner, Exponential(rate), ORIGIN)
    ages = solve(flow, start, 0.0, 2.0, times=times, key=jax.random.key(0))
    interacting = GradientFlow(
        Potential(quadratic) + 0.0 * Interaction(lambda x, y: x @ y), Wasserstein()
    )
    segments = solve(
        ResettingFlow(interacting, Exponential(rate), ORIGIN),
        Particles.from_samples(start.x[:1000]),
        0.0,
        2.0,
        times=times,
        dt0=0.05,
        key=jax.random.key(1),
    )
    for solution, size in ((ages, n), (segments, 1000)):
        for k in range(3):
            error = solution[k].mean - exact[k].mean
            z = error / jnp.sqrt(jnp.diagonal(exact[k].cov) / size)
            assert jnp.max(jnp.abs(z)) < 4


@pytest.mark.slow
def test_resetting_a_noisy_flow():
    # Ornstein-Uhlenbeck with resets: both parts of the covariance.
    n, rate, tau = 4000, 0.8, 0.3
    exact = solve(
        PoissonMomentFlow(
            GradientFlow(Potential(half_square) + Entropy(tau), Wasserstein()),
            rate,
            jnp.ones(1),
        ),
        Gaussian([1.0], [[1e-12]]),
        0.0,
        2.0,
    )[-1]
    flow = ResettingFlow(
        LangevinFlow(Potential(half_square), tau), Exponential(rate), jnp.ones(1)
    )
    moved = solve(
        flow,
        Particles.from_samples(jnp.ones((n, 1))),
        0.0,
        2.0,
        dt0=0.05,
        key=jax.random.key(0),
    )[-1]
    sd = float(exact.cov[0, 0]) ** 0.5
    assert abs(moved.mean[0] - exact.mean[0]) < 5 * sd / n**0.5
    # The law is not Gaussian: a loose bound on its fourth moment.
    assert abs(moved.cov[0, 0] / exact.cov[0, 0] - 1) < 5 * (3 / n) ** 0.5


@pytest.mark.slow
def test_resetting_a_point():
    # One clock for all parameters: they are reset together or not at all.
    start = Point({"a": jnp.ones(2), "b": jnp.full((), 3.0)})
    still = GradientFlow(
        Potential(lambda p: 0.0 * jnp.sum(p["a"]) * p["b"]), Euclidean()
    )
    origin = {"a": jnp.zeros(2), "b": jnp.zeros(())}
    flow = ResettingFlow(still, Exponential(1.0), origin)
    keys = jax.random.split(jax.random.key(0), 200)
    ends = jax.vmap(lambda key: solve(flow, start, 0.0, 1.0, key=key)[-1].value)(keys)
    together = np.isclose(ends["a"][:, 0], 0) == np.isclose(ends["b"], 0)
    assert together.all()
    share = np.mean(np.isclose(ends["b"], 0))
    assert abs(share - (1 - np.exp(-1))) < 5 * (0.25 / 200) ** 0.5


# Networks as particles.


TEACHER = jnp.diag(jnp.array([1.0, 0.0, 0.0, 0.0]))


def second_moment(mu):
    return mu.integrate(lambda w: jnp.outer(w, w))


def inner_product(b, c):
    return 2 * jnp.trace(b @ c) + jnp.trace(b) * jnp.trace(c)


def shifted(b):
    return 2 * b + jnp.trace(b) * jnp.eye(4)


# Half the squared error of x -> E (w.x)^2 against x^T M* x, x standard normal.
QUADRATIC_NETWORK = Functional(
    lambda mu, t: (
        inner_product(second_moment(mu) - TEACHER, second_moment(mu) - TEACHER) / 2
    )
)


@pytest.mark.slow
def test_network_follows_its_moment_equation():
    # The second moment of the neurons obeys a closed equation, at every width; the
    # Gaussian measure carries it too.
    rng = np.random.default_rng(0)
    flow = GradientFlow(QUADRATIC_NETWORK, Wasserstein())
    neurons = Particles.from_samples(rng.normal(size=(16, 4)) / 2)
    at = {"times": jnp.array([1.0, 100.0])}
    moved = solve(flow, neurons, 0.0, 100.0, **at)
    m0 = second_moment(neurons)
    closed = solve(flow, Gaussian(jnp.zeros(4), m0), 0.0, 100.0, **at)
    for k in range(2):
        gap = second_moment(moved[k]) - closed[k].cov
        assert jnp.max(jnp.abs(gap)) < 1e-6


@pytest.mark.slow
def test_network_fluctuation_identity():
    rng = np.random.default_rng(1)
    flow = GradientFlow(QUADRATIC_NETWORK, Wasserstein())
    neurons = Particles.from_samples(rng.normal(size=(16, 4)) / 2)
    limit = Gaussian(jnp.zeros(4), jnp.eye(4) / 4)

    def tangent(moment, b):
        return 2 * (moment @ shifted(b) + shifted(b) @ moment)

    dx, _ = flow.velocity(neurons)
    half = jnp.einsum("ni,nj->ij", dx, neurons.x) / 16
    rate = half + half.T - flow.velocity(limit)[1]
    m, m_limit = second_moment(neurons), limit.cov
    delta, error = m - m_limit, m_limit - TEACHER
    total = (
        inner_product(delta, rate)
        + inner_product(delta, tangent(m, delta))
        + inner_product(delta, tangent(m, error) - tangent(m_limit, error))
    )
    np.testing.assert_allclose(total, 0, atol=1e-12)


# Declarations.


def test_flows_add():
    mu = Particles.from_samples(np.random.default_rng(0).normal(size=(5, 2)))
    v = GradientFlow(Potential(half_square), Wasserstein())
    total = v + v + v
    assert isinstance(total, SumFlow)
    np.testing.assert_allclose(total.velocity(mu)[0], -3 * mu.x, rtol=1e-12)
    noisy = LangevinFlow(Potential(half_square), 0.5)
    np.testing.assert_allclose((noisy + noisy).noise(mu)[0], np.sqrt(2.0), rtol=1e-12)
    with pytest.raises(TypeError, match="no one energy"):
        total.value(mu)
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
