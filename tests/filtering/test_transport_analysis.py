"""The whole analysis: fixed points, symmetries, and what compiled code makes of it."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.filtering import GaussianObservation, SimulatedObservation
from wflow.filtering.observations import AbstractLikelihood
from wflow.filtering.transport.likelihood import LikelihoodTransport
from wflow.filtering.transport.moments import MomentTransport
from wflow.filtering.transport.oneoff import analyze
from wflow.filtering.transport.pairs import Pairs
from wflow.filtering.transport.stein import SteinTransport
from wflow.filtering.transport.targets import LikelihoodFree, RaoBlackwellized
from wflow.filtering.transport.trained import TrainedTransport
from wflow.filtering.transport.wasserstein import CouplingTransport
from wflow.kernels import EnergyDistance, GaussianKernel, InverseMultiquadric
from wflow.measures import Particles


RNG = np.random.default_rng(0)
KEY = jax.random.key(0)
N = 12
X = jnp.asarray(RNG.normal(size=(N, 2)) @ np.array([[1.0, 0.4], [0.0, 0.7]]))
Y = X[:, :1] + 0.5 * jnp.asarray(RNG.normal(size=(N, 1)))
OBSERVED = jnp.array([0.4])
# All pairs of different members: no draw of the permutation is left.
ALL = CouplingTransport(steps=4, step=0.2, permutations=N - 1)


@eqx.filter_jit
def move(method, x, y, observed):
    return method.analyze_pairs(x, y, observed, KEY)


@eqx.filter_jit
def updated(method, mu, observed, observation):
    return method.analyze(mu, observed, observation, KEY)


@pytest.mark.slow
def test_symmetries():
    # With the Kalman start and all pairs in the product cloud.
    moved = move(ALL, X, Y, OBSERVED)
    shift = jnp.array([3.0, -7.0])
    shifted = move(ALL, X + shift, Y, OBSERVED)
    np.testing.assert_allclose(shifted, moved + shift, atol=1e-9)
    order = RNG.permutation(N)
    np.testing.assert_allclose(
        move(ALL, X[order], Y[order], OBSERVED), moved[order], atol=1e-9
    )
    # Any affine map of states: they are whitened (with a jitter of 1e-9).
    matrix = jnp.array([[0.6, -2.0], [1.3, 0.8]])
    np.testing.assert_allclose(
        move(ALL, X @ matrix, Y, OBSERVED), moved @ matrix, atol=1e-6
    )
    np.testing.assert_allclose(move(ALL, X, Y + 5, OBSERVED + 5), moved, atol=1e-9)
    np.testing.assert_allclose(move(ALL, X, -3 * Y, -3 * OBSERVED), moved, atol=1e-9)


@pytest.mark.parametrize(
    "method",
    [MomentTransport(), pytest.param(ALL, marks=pytest.mark.slow)],
    ids=["moments", "flow"],
)
def test_missing_components_do_not_count(method):
    y = jnp.concatenate([Y, X[:, 1:] ** 2], axis=1)
    found = move(method, X, y, jnp.array([0.4, jnp.nan]))
    np.testing.assert_allclose(found, move(method, X, Y, OBSERVED), atol=1e-12)
    nothing = move(method, X, y, jnp.full(2, jnp.nan))
    np.testing.assert_array_equal(nothing, X)
    # Nor does one that says nothing, all simulated ones being the same.
    constant = jnp.concatenate([Y, jnp.full((N, 1), 0.1)], axis=1)
    np.testing.assert_allclose(
        move(method, X, constant, jnp.array([0.4, 3.0])), found, atol=1e-12
    )


@pytest.mark.slow
def test_gradient_in_bandwidths_and_step_against_finite_differences():
    @jax.jit
    @jax.value_and_grad
    def end(p):
        method = CouplingTransport(
            InverseMultiquadric(p[0]), GaussianKernel(p[1]), steps=4, step=p[2]
        )
        return jnp.sum(method.analyze_pairs(X, Y, OBSERVED, KEY) ** 3)

    p = np.array([0.5, 0.7, 0.2])
    _, slopes = end(p)
    for k, e in enumerate(1e-6 * np.eye(3)):
        difference = (end(p + e)[0] - end(p - e)[0]) / 2e-6
        np.testing.assert_allclose(slopes[k], difference, rtol=1e-5)


@pytest.mark.slow
def test_vmap_and_float32():
    many = jnp.stack([OBSERVED, OBSERVED - 1])
    each = eqx.filter_jit(jax.vmap(lambda y: ALL.analyze_pairs(X, Y, y, KEY)))(many)
    np.testing.assert_allclose(each[0], move(ALL, X, Y, OBSERVED), atol=1e-12)
    single = move(ALL, *(a.astype(jnp.float32) for a in (X, Y, OBSERVED)))
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, each[0], atol=1e-4)


BIG = 400
PRIOR = jnp.asarray(RNG.normal(size=(BIG, 1)))
SEEN = 0.8 * PRIOR + 0.6 * jnp.asarray(RNG.normal(size=(BIG, 1)))
# The regression of the sample, to which all methods ought to come.
JOINT = np.cov(np.concatenate([PRIOR, SEEN], axis=1).T)
GAIN = JOINT[0, 1] / JOINT[1, 1]
MEAN = float(jnp.mean(PRIOR)) + GAIN * (1.0 - float(jnp.mean(SEEN)))
SD = np.sqrt(JOINT[0, 0] - GAIN * JOINT[0, 1])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "atol"),
    [
        # From the identity the tails are slow: the mean is a third of a standard
        # deviation short after 300 steps of a short kernel, less of a long one.
        pytest.param(
            CouplingTransport(
                EnergyDistance(), start="identity", steps=300, permutations=1
            ),
            0.15,
            marks=pytest.mark.slow,
        ),
        (SteinTransport(start="square_root", steps=10, permutations=1), 0.1),
        (CouplingTransport(steps=30, noise=0.3, permutations=1), 0.1),
        # Kalman's start is below the floor of a sample already, for this kernel.
        (
            CouplingTransport(
                InverseMultiquadric(0.5),
                start="square_root",
                stop_at_floor=True,
                steps=5,
            ),
            1e-6,
        ),
        (MomentTransport(), 1e-6),
        (TrainedTransport(steps=100, permutations=1), 0.25),
    ],
    ids=lambda value: type(value).__name__,
)
def test_methods_on_a_gaussian(method, atol):
    moved = np.asarray(analyze(PRIOR, SEEN, [1.0], method, key=KEY))
    np.testing.assert_allclose(moved.mean(), MEAN, atol=atol * SD + 1e-9)
    # The spread is wider from the identity, by slow tails on the far side.
    wider = 0.5 if getattr(method, "start", "") == "identity" else 0.25
    np.testing.assert_allclose(moved.std(), SD, rtol=wider)


@pytest.mark.slow
def test_rao_blackwellized_and_draws():
    observation = GaussianObservation(lambda x: x[:1], [[0.36]])
    start = Particles.from_samples(PRIOR[:40])
    common = dict(kernel_y=GaussianKernel(0.7), steps=10)
    exact = CouplingTransport(target=RaoBlackwellized(), **common)
    analyzed = updated(exact, start, jnp.array([1.0]), observation)
    sampled = CouplingTransport(target=LikelihoodFree(20), **common)
    other = updated(sampled, start, jnp.array([1.0]), observation)
    np.testing.assert_array_equal(analyzed.logw, start.logw)
    # Two estimates of one posterior from forty members, of deviation 0.55 or so.
    np.testing.assert_allclose(
        jnp.mean(analyzed.x), jnp.mean(other.x), atol=3 * 0.55 / np.sqrt(40)
    )


def test_inflation_comes_before_the_observations():
    observation = SimulatedObservation(lambda x, key: x[:1])
    mu = Particles.from_samples(X)
    method = MomentTransport(inflation=1.5)
    found = updated(method, mu, OBSERVED, observation).x
    mean = jnp.mean(X, axis=0)
    wide = mean + 1.5 * (X - mean)
    expected = move(MomentTransport(), wide, wide[:, :1], OBSERVED)
    np.testing.assert_allclose(found, expected)
    still = updated(method, mu, jnp.array([jnp.nan]), observation)
    np.testing.assert_array_equal(still.x, X)


class _Cauchy(AbstractLikelihood):
    """A likelihood that is not Gaussian."""

    def simulate(self, x, key):
        return x[:1] + 0.3 * jax.random.cauchy(key, (1,), x.dtype)

    def log_likelihood(self, y, x):
        terms = -jnp.log1p(((y - x[:1]) / 0.3) ** 2)
        return jnp.sum(jnp.where(jnp.isnan(y), 0, terms))


@pytest.mark.slow
def test_transport_to_the_weighted_ensemble():
    # The weighted ensemble's mean and spread, from the identity and without Gaussians.
    x = PRIOR[:100]
    method = LikelihoodTransport(start="identity", steps=150, step=0.2)
    mu = Particles.from_samples(x)
    analyzed = updated(method, mu, jnp.array([0.5]), _Cauchy())
    w = 1 / (1 + ((0.5 - np.asarray(x[:, 0])) / 0.3) ** 2)
    w /= w.sum()
    mean = w @ np.asarray(x[:, 0])
    sd = np.sqrt(w @ (np.asarray(x[:, 0]) - mean) ** 2)
    np.testing.assert_allclose(jnp.mean(analyzed.x), mean, atol=0.1 * sd)
    np.testing.assert_allclose(jnp.std(analyzed.x), sd, rtol=0.15)


@pytest.mark.slow
@pytest.mark.parametrize("r", [0.6, 0.0])
def test_linear_gaussian_problems_stay_at_the_kalman_start(r):
    # Correlated and (r = 0) independent pairs, 100 steps of the Gaussian kernel.
    n, key = 1000, jax.random.key(3)
    x, e = jax.random.normal(key, (2, n, 1), jnp.float32)
    y = r * x + np.sqrt(1 - r**2) * e
    observed = jnp.array([0.8], jnp.float32)
    moved, start = (
        np.asarray(
            analyze(
                x,
                y,
                observed,
                CouplingTransport(
                    GaussianKernel(0.7),
                    GaussianKernel(0.7),
                    steps=steps,
                    step=step,
                    permutations=1,
                ),
                key=KEY,
            )
        )
        for steps, step in ((100, 0.1), (1, 1e-12))
    )
    sd = np.sqrt(1 - r**2)
    assert abs(moved.mean() - start.mean()) < 0.1 * sd
    assert abs(moved.std() / start.std() - 1) < 0.1
    if r == 0:
        assert abs(moved.mean() - np.mean(x)) < 0.1


@pytest.mark.slow
def test_without_information_the_force_is_sampling_noise():
    # Of size n^{-1/2} when observations are independent of states.
    @eqx.filter_jit
    def size(x, y):
        pairs = Pairs.of(x, y, OBSERVED).standardized()
        method = CouplingTransport(start="identity", permutations=1)
        flow, measure = method.flow(pairs, KEY)
        return jnp.sqrt(jnp.mean(flow.velocity(measure)[1][:, 0] ** 2))

    rng = np.random.default_rng(1)
    sizes = {
        n: np.mean([size(*rng.normal(size=(2, n, 1))) for _ in range(8)])
        for n in (50, 800)
    }
    # Four, but for what eight samples say of a mean.
    assert 2.5 < sizes[50] / sizes[800] < 6.5
