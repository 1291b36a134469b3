"""Tapers, local lists, and the localized transport."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.filtering import GaussianObservation, SimulatedObservation
from wflow.filtering.localization import Domain, gaspari_cohn
from wflow.filtering.transport.likelihood import LikelihoodTransport
from wflow.filtering.transport.local import LocalTransport
from wflow.filtering.transport.moments import MomentTransport
from wflow.filtering.transport.pairs import Pairs
from wflow.filtering.transport.wasserstein import CouplingTransport
from wflow.measures import Particles


RNG = np.random.default_rng(0)
KEY = jax.random.key(0)
X = jnp.asarray(RNG.normal(size=(20, 4)))
Y = X[:, [1, 3]] + 0.5 * jnp.asarray(RNG.normal(size=(20, 2)))
OBSERVED = jnp.array([0.4, -0.7])
# Two groups of two components, with one observation each, far from each other.
GROUP = np.array([[1.0, 90.0], [0.0, 90.0], [90.0, 1.0], [90.0, 0.0]])
BETWEEN = np.where(np.arange(4)[:, None] // 2 == np.arange(4) // 2, 1.0, 90.0)
# The flow, and what has the same standard units and is compiled at once.
FLOW, METHOD = CouplingTransport(steps=4, step=0.2), MomentTransport()
methods = pytest.mark.parametrize(
    "method",
    [METHOD, pytest.param(FLOW, marks=pytest.mark.slow)],
    ids=["moments", "flow"],
)


@eqx.filter_jit
def move(method, pairs):
    return method.move(pairs, KEY)


def test_gaspari_cohn():
    a = np.linspace(0, 3, 301)
    found = np.asarray(jax.jit(gaspari_cohn)(a))
    assert found[0] == 1
    assert np.all(found[a >= 2] == 0)
    assert np.all(np.diff(found) <= 0)
    near, far = a[a <= 1], a[(a > 1) & (a < 2)]
    expected = 1 - 5 / 3 * near**2 + 5 / 8 * near**3 + near**4 / 2 - near**5 / 4
    np.testing.assert_allclose(found[a <= 1], expected, atol=1e-14)
    expected = (
        4 - 5 * far + 5 / 3 * far**2 + 5 / 8 * far**3 - far**4 / 2 + far**5 / 12
    ) - 2 / (3 * far)
    np.testing.assert_allclose(found[(a > 1) & (a < 2)], expected, atol=1e-13)
    # DAPPER's convention of the radius: about e^{-1/2} at 1 / 1.82 half-supports.
    np.testing.assert_allclose(gaspari_cohn(1 / 1.82), np.exp(-0.5), rtol=0.05)
    slopes = jax.jit(jax.vmap(jax.grad(gaspari_cohn)))(jnp.array([0.0, 2.0, 2.5]))
    np.testing.assert_allclose(slopes, 0, atol=1e-12)


def test_lists_of_a_ring():
    domain = Domain.ring(1.0, 12, sites=[0, 4, 8, 11], patch_radius=1.0)
    # The support is 3.64 radii: distances 0, 1, 2 and 3.
    felt = [set(row[w > 0].tolist()) for row, w in zip(*lists(domain), strict=True)]
    assert felt[0] == {0, 3}
    assert felt[1] == {0, 1, 3}
    assert felt[6] == {1, 2}
    assert domain.observations.shape == (12, 3)
    weights = np.asarray(domain.weights)
    np.testing.assert_allclose(weights[0, :2], gaspari_cohn(np.array([0, 1]) / 1.82))
    patches = {tuple(row) for row in np.asarray(domain.patch)}
    assert (0, 1, 11) in patches
    assert np.all(np.asarray(domain.patch)[:, 0] == np.arange(12))
    assert np.all(np.asarray(domain.in_patch))
    everywhere = Domain(np.inf, np.ones((3, 2)))
    np.testing.assert_array_equal(everywhere.weights, 1)
    uneven = Domain(1.0, np.zeros((3, 1)), [[0, 1, 9], [1, 0, 1], [9, 1, 0.0]], 1.0)
    np.testing.assert_array_equal(uneven.in_patch.sum(1), [2, 3, 2])


def lists(domain):
    return np.asarray(domain.observations), np.asarray(domain.weights)


@methods
def test_independent_groups_are_analyzed_apart(method):
    # Local lists that leave out the other group: as if it were not there.
    pairs = Pairs.of(X, Y, OBSERVED)
    domain = Domain(3.0, GROUP, BETWEEN, 1.0)
    assert domain.observations.shape == (4, 1)
    found = move(LocalTransport(method, domain), pairs)
    for group, k in ((slice(0, 2), 0), (slice(2, 4), 1)):
        alone = Domain(3.0, GROUP[group, k : k + 1], BETWEEN[group, group], 1.0)
        own = Pairs.of(X[:, group], Y[:, k : k + 1], OBSERVED[k : k + 1])
        expected = move(LocalTransport(method, alone), own)
        np.testing.assert_allclose(found[:, group], expected, atol=1e-12)


@methods
def test_without_localization_it_is_the_global_analysis(method):
    pairs = Pairs.of(X, Y, OBSERVED)
    domain = Domain(np.inf, np.ones((4, 2)), np.ones((4, 4)), np.inf)
    found = move(LocalTransport(method, domain), pairs)
    # Each patch starts with its own component, and whitening depends on the order by
    # a rotation, which radial kernels do not see.
    np.testing.assert_allclose(found, move(method, pairs), atol=1e-6)


def test_no_observation_and_no_weight_leave_the_forecast():
    far = np.array([[0.0, 1.0], [1.0, 0.0], [90.0, 91.0], [90.0, 92.0]])
    local = LocalTransport(METHOD, Domain(1.0, far, np.full((4, 4), 2.0), 0.0))
    found = move(local, Pairs.of(X, Y, OBSERVED))
    np.testing.assert_array_equal(found[:, 2:], X[:, 2:])
    assert jnp.all(found[:, :2] != X[:, :2])
    # An observation at the end of the support has exactly no influence.
    changed = Y.at[:, 1].set(Y[:, 1] ** 3 + 9)
    edge = np.array([[0.0, 3.64], [0.0, 3.64], [0.0, 4.0], [0.0, 3.7]])
    edges = LocalTransport(METHOD, Domain(1.0, edge))
    np.testing.assert_array_equal(
        move(edges, Pairs.of(X, Y, OBSERVED)),
        move(edges, Pairs.of(X, changed, OBSERVED)),
    )


def test_one_after_the_other_and_all_at_once_agree(monkeypatch):
    """On a CPU components are mapped, elsewhere vectorized."""
    local, pairs = LocalTransport(METHOD, Domain(3.0, GROUP)), Pairs.of(X, Y, OBSERVED)
    mapped = eqx.filter_jit(lambda pairs: local.move(pairs, KEY))(pairs)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    at_once = eqx.filter_jit(lambda pairs: local.move(pairs, KEY))(pairs)
    np.testing.assert_allclose(at_once, mapped, atol=1e-12)


def test_missing_observations():
    both = LocalTransport(METHOD, Domain(np.inf, np.ones((4, 2)), np.ones((4, 4)), 2.0))
    first = Domain(np.inf, np.ones((4, 1)), np.ones((4, 4)), 2.0)
    half = move(both, Pairs.of(X, Y, OBSERVED.at[1].set(jnp.nan)))
    expected = move(LocalTransport(METHOD, first), Pairs.of(X, Y[:, :1], OBSERVED[:1]))
    np.testing.assert_allclose(half, expected, atol=1e-12)
    none = move(both, Pairs.of(X, Y, jnp.full(2, jnp.nan)))
    np.testing.assert_array_equal(none, X)


@pytest.mark.slow
def test_tapered_likelihood_has_errors_of_variance_r_over_w():
    # Without steps of the flow worth speaking of, the start shows: the gain is that of
    # errors of variance R / w.
    cov = np.array([[0.25]])
    method = LikelihoodTransport(start="square_root", steps=1, step=1e-12)
    observation = GaussianObservation(lambda x: x[:1], cov)
    distance = np.array([[1.5]])
    local = LocalTransport(method, Domain(1.0, distance))
    weight = float(gaspari_cohn(1.5 / 1.82))
    x = X[:, :1]
    found = eqx.filter_jit(local.analyze)(
        Particles.from_samples(x), jnp.array([0.9]), observation, KEY
    ).x
    variance = float(jnp.var(x, ddof=1))
    gain = variance / (variance + 0.25 / weight)
    mean = float(jnp.mean(x))
    np.testing.assert_allclose(jnp.mean(found), mean + gain * (0.9 - mean), rtol=1e-6)
    np.testing.assert_allclose(jnp.var(found, ddof=1), variance * (1 - gain), rtol=1e-6)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="radius > 0.*found 0"):
        Domain(0.0, GROUP)
    with pytest.raises(ValueError, match=r"distance with two axes, found shape \(2,\)"):
        Domain(1.0, [1.0, 2.0])
    with pytest.raises(ValueError, match="distance >= 0.*found nan"):
        Domain(1.0, [[np.nan]])
    with pytest.raises(ValueError, match="needs state_distance"):
        Domain(1.0, GROUP, patch_radius=1.0)
    with pytest.raises(ValueError, match=r"state_distance of shape \(4, 4\)"):
        Domain(1.0, GROUP, np.ones((2, 2)), 1.0)
    with pytest.raises(ValueError, match="patch_radius >= 0.*found -1"):
        Domain(1.0, GROUP, BETWEEN, -1.0)
    local = LocalTransport(METHOD, Domain(1.0, GROUP))
    with pytest.raises(ValueError, match="a domain of 2 components.* found one of 4"):
        eqx.filter_eval_shape(local.move, Pairs.of(X[:, :2], Y, OBSERVED), KEY)
    counts = Pairs.of(X, Y, OBSERVED, log_likelihood=jnp.zeros(20))
    with pytest.raises(TypeError, match="only the likelihood of Gaussian errors"):
        eqx.filter_eval_shape(local.move, counts, KEY)
    small = LocalTransport(METHOD, Domain(np.inf, np.ones((4, 2))))
    observation = SimulatedObservation(lambda x, key: x[:2])
    mu = Particles.from_samples(X[:3])
    with pytest.warns(UserWarning, match="3 members are too few to whiten the 2"):
        eqx.filter_eval_shape(small.analyze, mu, OBSERVED, observation, KEY)
