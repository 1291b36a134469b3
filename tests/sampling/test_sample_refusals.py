"""What cannot be sampled, or be read as it is, is refused in a sentence or told."""

import importlib.util
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import KDE
from wflow.kernels import GaussianKernel
from wflow.measures import Gaussian, GaussianMixture, Particles
from wflow.sampling import (
    ALDI,
    CBS,
    MALA,
    MSIP,
    NUTS,
    SHK,
    SMCWFR,
    SVGD,
    ULA,
    WFRMMD,
    ExactEmbedding,
    FredholmEmbedding,
    MeanShift,
    MMDFlow,
    Target,
    find_modes,
    laplace,
    sample,
)
from wflow.sampling.mean_shift_runs import damped_iteration, stationary
from wflow.sampling.privacy import PrivacyAccountant
from wflow.sampling.privacy.bounds import (
    drift_term,
    duhamel_bound,
    gradient_bound,
    kl_bound,
    source_bound,
    warm_start_bound,
)
from wflow.sampling.privacy.conversions import (
    delta_from_pure,
    divergence_budget,
    epsilon_from_kl,
    epsilon_from_pure,
    epsilon_from_renyi,
    gaussian_renyi,
    kl_from_pure,
    renyi_from_pure,
)
from wflow.sampling.privacy.utility import utility_bound, warm_start_kl
from wflow.sampling.quadrature import optimal_quadrature
from wflow.solvers import solve


KEY = jax.random.key(0)
CLOUD = np.random.default_rng(0).normal(size=(12, 2))
bayesian = pytest.mark.skipif(
    importlib.util.find_spec("numpyro") is None, reason="needs the extra bayes"
)


def normal(x):
    return -x @ x / 2


# Log-densities that are no number.

NO_NUMBERS = {
    "shaped": (lambda x: -jnp.sum(x**2, keepdims=True) / 2, r"found shape \(1,\)"),
    "batched": (lambda x: -(x**2) / 2, r"found shape \(2,\)"),
    "pair": (lambda x: (-x @ x, 0.0), "one real number"),
    "complex": (lambda x: -x @ x / 2 + 1j, "complex ones .complex"),
    "whole": (lambda x: 1, "dtype int"),
    "text": ("normal", "found 'normal'"),
}
TAKERS = {
    "sample": lambda f: sample(f, CLOUD, key=KEY, method=ULA(0.05, 2)),
    "find_modes": lambda f: find_modes(f, CLOUD),
    "laplace": lambda f: laplace(f, np.zeros(2)),
    "target": lambda f: Target.of(f, np.zeros(2)),
    "quadrature": lambda f: optimal_quadrature(
        CLOUD, FredholmEmbedding(f), GaussianKernel(1.0)
    ),
}


@pytest.mark.parametrize("taker", TAKERS)
@pytest.mark.parametrize("kind", NO_NUMBERS)
def test_log_densities_that_are_no_number_are_named(kind, taker):
    density, match = NO_NUMBERS[kind]
    with pytest.raises((ValueError, TypeError), match=rf"log_density.*{match}"):
        TAKERS[taker](density)


# Supports.


def exponential(x):
    return jnp.where(x[0] > 0, -x[0], -jnp.inf)


def gamma(x):
    return 2 * jnp.log(x[0]) - 2 * x[0]


def box(x):
    return jnp.where((x[0] > 0) & (x[0] < 1), 0.0, -jnp.inf)


@pytest.mark.slow
@pytest.mark.parametrize("density", [exponential, box])
def test_weight_outside_the_support_is_told_with_its_share(density):
    start = np.linspace(0.05, 0.95, 40)[:, None]
    with pytest.warns(UserWarning, match="outside the support") as told:
        samples = sample(density, start, key=KEY, method=ULA(0.2, 20), saves=1)
    lost = ~np.isfinite(jax.vmap(density)(samples.particles))
    share = 100 * float(samples.weights @ lost)
    assert f"ULA: {share:.3g} % of the weight" in str(told[0].message)
    assert "supports=" in str(told[0].message)
    assert len(str(told[0].message)) < 400


@pytest.mark.slow
@pytest.mark.parametrize("method", [SVGD(0.3, 40), CBS(0.2, 10)])
def test_methods_of_either_kind_that_leave_the_support_tell(method):
    start = np.linspace(0.05, 2, 40)[:, None]
    with pytest.warns(UserWarning, match=f"{method.name}: .* outside the support"):
        sample(exponential, start, key=KEY, method=method, saves=1)


@pytest.mark.slow
def test_rejecting_methods_and_supports_stay_inside():
    start = np.linspace(0.05, 2, 40)[:, None]
    inside = sample(exponential, start, key=KEY, method=MALA(0.2, 20), saves=1)
    assert (inside.particles > 0).all()
    mapped = sample(
        lambda x: -x[0], start, key=KEY, method=ULA(0.1, 20), supports="positive"
    )
    assert (mapped.parameters["x"] > 0).all()


# Numbers of particles, and places.

EVERY = {
    "ula": ULA(0.05, 2),
    "mala": MALA(0.05, 2),
    "shk": SHK(0.05, 2),
    "smc_wfr": SMCWFR(0.05, 2),
    "svgd": SVGD(0.05, 2),
    "aldi": ALDI(0.05, 2),
    "cbs": CBS(0.05, 2),
    "nuts": NUTS(2, 1),
    "mean_shift": MeanShift(steps=2),
    "mmd": MMDFlow(steps=2),
    "wfr_mmd": WFRMMD(steps=2),
}
NEED_OTHERS = ("shk", "svgd", "aldi", "cbs")


@pytest.mark.parametrize(
    "name",
    [
        name
        if name in ("ula", *NEED_OTHERS)
        else pytest.param(name, marks=pytest.mark.slow)
        for name in EVERY
    ],
)
def test_one_particle_is_sampled_or_named(name):
    run = lambda: sample(normal, np.zeros((1, 2)), key=KEY, method=EVERY[name], saves=1)
    if name in NEED_OTHERS:
        with pytest.raises(ValueError, match="at least . particles .*found 1"):
            run()
    else:
        samples = run()
        assert np.isfinite(samples.particles).all()
        assert samples.weights[0] == pytest.approx(1)


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, 1e6])
@pytest.mark.parametrize(
    "method",
    [SHK(steps=4, transport="none", reaction="weights"), ALDI(), CBS(), SVGD()],
)
def test_particles_at_one_place_are_named(method, value):
    with pytest.raises(ValueError, match="particles (all )?coincide"):
        sample(normal, np.full((20, 2), value), key=KEY, method=method)


@pytest.mark.slow
def test_a_fixed_bandwidth_and_chains_start_anywhere():
    start = np.full((20, 2), 0.1)
    samples = sample(normal, start, key=KEY, method=ULA(0.05, 2), saves=1)
    assert len(np.unique(samples.particles, axis=0)) == 20
    assert np.isfinite(samples.energy).all()
    # Nothing was accepted: no spread, no estimate, and yet no lost run.
    still = sample(
        lambda x: -1e12 * x @ x, np.zeros((5, 2)), key=KEY, method=MALA(9, 1)
    )
    assert np.isnan(still.energy).all()
    assert (still.particles == 0).all()


@pytest.mark.parametrize(("first", "second"), [(0, 1), (1, 3), (2, 4)])
def test_coinciding_nodes_are_named(first, second):
    y = CLOUD[:5].copy()
    y[second] = y[first]
    law = GaussianMixture(np.zeros((1, 2)), np.eye(2)[None], np.ones(1))
    flow = MSIP(ExactEmbedding(law), GaussianKernel(1.5), 0.0)
    for run in (damped_iteration, stationary):
        with pytest.raises(ValueError, match=f"particles {first} and {second} coinc"):
            run(flow, y)


# Modes.


@pytest.mark.slow
def test_modes_are_those_of_the_parameters():
    # Gamma(4, 2): mode 1.5, and log 2 in the logarithm.
    density = lambda p: 3 * jnp.log(p["rate"]) - 2 * p["rate"] - (p["x"] - 1) ** 2
    start = {"rate": np.array([0.5, 1.0, 3.0]), "x": np.array([0.0, 2.0, 1.0])}
    supports = {"rate": "positive"}
    samples = sample(
        density, start, key=KEY, method=MALA(0.01, 2), supports=supports, saves=1
    )
    (mode,) = samples.modes()
    assert mode.parameters["rate"] == pytest.approx(1.5, rel=1e-4)
    assert mode.parameters["x"] == pytest.approx(1, rel=1e-4)
    np.testing.assert_allclose(mode.location, [1.5, 1], rtol=1e-4)
    best = float(density({"rate": 1.5, "x": 1.0}))
    assert mode.log_density == pytest.approx(best, abs=1e-6)
    white = samples.target.whitened(Gaussian([0.3, 0.2], [[0.5, 0.1], [0.1, 2.0]]))
    (same,) = find_modes(white, CLOUD[:3])
    np.testing.assert_allclose(same.location, mode.location, rtol=1e-4)


@pytest.mark.slow
@bayesian
def test_modes_of_a_model_are_those_of_its_density():
    import numpyro
    import numpyro.distributions as dist

    def model(y):
        rate = numpyro.sample("rate", dist.Gamma(4.0, 2.0))
        numpyro.deterministic("double", 2 * rate)
        numpyro.sample("y", dist.Poisson(rate), obs=y)

    target = Target.from_numpyro(model, 3.0, key=KEY)
    (mode,) = find_modes(target, np.array([[0.0], [1.0]]))
    # Gamma(7, 3), by conjugacy.
    assert mode.parameters["rate"] == pytest.approx(2.0, rel=1e-4)
    assert mode.parameters["double"] == pytest.approx(4.0, rel=1e-4)


@pytest.mark.parametrize("radius", [math.nan, -1.0, "near", np.ones(3)])
def test_a_radius_that_is_none_is_named(radius):
    with pytest.raises((ValueError, TypeError), match="radius"):
        find_modes(normal, CLOUD, radius=radius)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"x": np.full((2, 2), np.nan)}, "x finite"),
        ({"x": np.zeros(2)}, r"x of shape \(n, d\)"),
        ({"weights": np.ones(3)}, r"weights of shape \(12,\)"),
        ({"weights": np.full(12, np.inf)}, "weights finite"),
        ({"max_steps": 2.5}, "max_steps to be a whole number"),
    ],
)
def test_arguments_of_find_modes_are_named(options, match):
    with pytest.raises((ValueError, TypeError), match=match):
        find_modes(**({"log_density": normal, "x": CLOUD} | options))


# Chains.


@bayesian
@pytest.mark.slow
def test_chains_that_never_met_are_seen():
    stats = pytest.importorskip("arviz_stats")
    density = lambda x: jnp.logaddexp(-((x[0] - 20) ** 2), -((x[0] + 20) ** 2))
    start = np.tile([[-20.0], [20.0]], (20, 1))
    for method, chains, draws in (
        (NUTS(warmup=20, thin=1), 4, 10),
        (MALA(0.1, 20), 40, 5),
    ):
        samples = sample(density, start, key=KEY, method=method, saves=10)
        data = samples.to_arviz()
        assert data.posterior.sizes == {"chain": chains, "draw": draws, "x_dim_0": 1}
        assert float(stats.rhat(data)["x"].max()) > 1.5


@pytest.mark.slow
@bayesian
def test_interacting_particles_are_no_chains():
    samples = sample(normal, CLOUD, key=KEY, method=SVGD(0.05, 2), saves=1)
    with pytest.warns(UserWarning, match="SVGD gives one sample of 12 particles, no M"):
        data = samples.to_arviz()
    assert data.posterior["x"].shape == (1, 12, 2)


# Arguments of sample.


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"key": 0}, "key to be one random key"),
        ({"key": jax.random.split(KEY, 3)}, "key to be one random key"),
        ({"method": ULA}, r"method to be a method.*call it: ULA\(...\)"),
        ({"method": "ULA"}, "method to be a method, found str"),
        ({"saves": 2.5}, "saves to be a whole number"),
        ({"saves": 0}, "saves >= 1"),
        ({"initial": np.zeros((0, 2))}, r"shape \(n, d\)"),
        ({"initial": np.full((3, 2), "a")}, "initial to be a number"),
        ({"initial": CLOUD + 1j}, "initial of real numbers"),
        ({"initial": np.full((3, 2), np.nan)}, "nan at initial particle 0"),
        ({"supports": 3}, "supports"),
    ],
)
def test_arguments_of_sample_are_named(options, match):
    given = {"initial": CLOUD, "key": KEY, "method": ULA(0.05, 2)} | options
    with pytest.raises((ValueError, TypeError), match=match):
        sample(normal, **given)


@pytest.mark.slow
def test_rows_of_numbers_are_particles():
    rows = CLOUD.tolist()
    found = sample(normal, rows, key=KEY, method=ULA(0.05, 2), saves=1)
    same = sample(normal, CLOUD, key=KEY, method=ULA(0.05, 2), saves=1)
    np.testing.assert_array_equal(found.particles, same.particles)


@pytest.mark.parametrize(
    "make",
    [
        lambda bad: ULA(step_size=bad),
        lambda bad: MALA(step_size=bad),
        lambda bad: SHK(alpha=bad),
        lambda bad: SHK(settle=bad),
        lambda bad: SHK(resample_below=bad),
        lambda bad: SMCWFR(alpha=bad),
        lambda bad: CBS(inverse_temperature=bad),
        lambda bad: MeanShift(bandwidth=bad),
        lambda bad: MeanShift(ridge=bad),
        lambda bad: MeanShift(max_shift=bad),
        lambda bad: MMDFlow(noise=bad),
        lambda bad: WFRMMD(beta=bad),
    ],
)
@pytest.mark.parametrize("bad", [math.nan, -1.0, "long", 1j])
def test_numbers_of_methods_are_in_range(make, bad):
    with pytest.raises((ValueError, TypeError), match=r"expected \w+"):
        make(bad)


@pytest.mark.parametrize(
    "make",
    [
        lambda bad: ULA(steps=bad),
        lambda bad: NUTS(warmup=bad),
        lambda bad: NUTS(thin=bad),
        lambda bad: NUTS(chains=bad),
    ],
)
@pytest.mark.parametrize("bad", [2.5, 0, -3, math.nan, True, "many"])
def test_numbers_of_steps_are_whole(make, bad):
    with pytest.raises((ValueError, TypeError), match="whole number|>= 1"):
        make(bad)


# Privacy.

BOUNDS = {
    drift_term: (1.0, 1.0, 1.0, 1.0, 1.0),
    source_bound: (1.0, 1.0, 1.0, 1.0),
    warm_start_bound: (1.0, 1.0, 1.0, 1.0),
    gradient_bound: (1.0, 1.0, 1.0, 1.0),
    kl_bound: (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
    warm_start_kl: (1.0, 1.0, 1.0),
    utility_bound: (1.0, 1.0, 1.0),
}


@pytest.mark.parametrize("bad", [-0.5, math.nan, "one", 1j, np.ones(3)])
@pytest.mark.parametrize("bound", BOUNDS)
def test_bounds_of_negative_numbers_are_refused(bound, bad):
    names = bound.__code__.co_varnames
    healthy = BOUNDS[bound]
    last = (1.0,) if bound is drift_term else ()
    assert bound(*healthy, *last) >= 0
    for k, name in enumerate(names[: len(healthy)]):
        given = [*healthy[:k], bad, *healthy[k + 1 :], *last]
        with pytest.raises((ValueError, TypeError), match=rf"expected {name}\b"):
            bound(*given)


def test_duhamel_is_the_integral_over_any_length():
    # osc f = 1: (1 - e^-bt) / b, by the trapezoidal rule.
    times = np.linspace(0, 2, 4001)
    found = duhamel_bound(times, 3.0, np.ones(4001))
    np.testing.assert_allclose(found, (1 - np.exp(-3 * times)) / 3, atol=1e-6)
    long = duhamel_bound(np.linspace(0, 2000, 4001), 3.0, np.ones(4001))
    assert np.isfinite(long).all()
    with pytest.raises(ValueError, match="times from zero"):
        duhamel_bound(times + 1, 3.0, np.ones(4001))
    with pytest.raises(ValueError, match="osc_f >= 0"):
        duhamel_bound(times, 3.0, -np.ones(4001))


@pytest.mark.parametrize("above", [1e-15, 1e-12, 1e-9, 1e-6])
def test_orders_next_to_one_tend_to_kl(above):
    first = Gaussian([0.0, 0.0], [[1.0, 0.2], [0.2, 1.0]])
    second = Gaussian([0.1, 0.0], [[1.1, 0.2], [0.2, 0.9]])
    order = 1 + above
    exact = gaussian_renyi(first, second, 1.0)
    assert gaussian_renyi(first, second, order) == pytest.approx(exact, rel=1e-5)
    assert renyi_from_pure(0.7, order) == pytest.approx(kl_from_pure(0.7), rel=1e-5)
    budget = divergence_budget(0.5, 1e-3)
    assert divergence_budget(0.5, 1e-3, order) == pytest.approx(budget, rel=1e-4)


def test_renyi_of_gaussians_by_quadrature():
    mu, nu, order = Gaussian([0.3], [[0.8]]), Gaussian([0.0], [[1.1]]), 1.7
    x = np.linspace(-30, 30, 60_001)[:, None]
    p, q = (np.asarray(jax.vmap(law.log_density)(x)) for law in (mu, nu))
    integral = np.exp(order * p + (1 - order) * q).sum() * 1e-3
    right = np.log(integral) / (order - 1)
    assert gaussian_renyi(mu, nu, order) == pytest.approx(right, rel=1e-9)
    top = gaussian_renyi(mu, nu, math.inf)
    assert top == pytest.approx((p - q)[np.abs(x[:, 0]) < 20].max(), rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("draws", [1, 3, 10])
@pytest.mark.parametrize("delta", [0.0, 1e-300, 1e-18, 1e-16, 1e-12, 1e-6])
def test_small_deltas_cost_no_more_than_pure_privacy(delta, draws):
    accountant = PrivacyAccountant(osc_delta=0.5, alpha=0.0, beta=1.0)
    found = accountant.certificate(1.0, delta=delta, draws=draws).epsilon
    pure = accountant.pure(1.0, draws=draws)
    assert 0.9 * pure < found <= pure
    assert delta_from_pure(pure / draws, found, draws=draws) <= delta * (1 + 1e-6)
    # One step of the top outcome: delta = P(top) (1 - e^(eps - n eps_0)).
    level, top = 0.4, (1 / (1 + math.exp(-0.4))) ** draws
    right = draws * level + math.log1p(-delta / top)
    close = epsilon_from_pure(level, delta, draws=draws)
    assert close == pytest.approx(right, abs=1e-8)
    held = accountant.time_for(draws * level, delta, draws=draws)
    assert accountant.certificate(held, delta=delta, draws=draws).epsilon <= (
        draws * level * (1 + 1e-6)
    )


def test_infinite_levels_have_their_limits():
    assert divergence_budget(math.inf, 0.1) == math.inf
    assert delta_from_pure(1.0, math.inf) == 0
    assert epsilon_from_kl(math.inf, 0.1) == math.inf
    # The largest ratio alone: e^D q >= delta + e^eps q for q up to (1 - delta) e^-eps.
    sharp = divergence_budget(0.5, 0.1, math.inf)
    assert sharp == pytest.approx(0.5 - math.log1p(-0.1))
    assert divergence_budget(0.5, 0.1, 1e5) == pytest.approx(sharp, rel=1e-3)
    assert epsilon_from_renyi(sharp, 0.1, math.inf) == pytest.approx(0.5, rel=1e-6)


@pytest.mark.slow
def test_what_is_weighed_is_a_start():
    with pytest.raises(ValueError, match="log_density is|log-density is"):
        sample(exponential, -np.ones((3, 1)), key=KEY)
    weighed = Particles.from_samples(CLOUD, np.arange(12.0))
    samples = sample(normal, weighed, key=KEY, method=ULA(0.05, 2), saves=1)
    assert float(samples.weights[0]) == 0
    fixed = SHK(0.05, 2, density=KDE(0.5, "plug_in"))
    assert sample(normal, np.zeros((9, 2)), key=KEY, method=fixed).particles.std() > 0


def test_starts_are_looked_at_by_whatever_solves_them():
    far = lambda x: jnp.where(x[0] > 0, normal(x), -jnp.inf)
    flow = MSIP(FredholmEmbedding(far), GaussianKernel(0.5))
    start = Particles.from_samples([[-2.0, 0.0], [-1.0, 0.0]])
    with pytest.raises(ValueError, match="no particle sees the target"):
        solve(flow, start, 0.0, 1.0)
