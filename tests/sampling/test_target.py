"""Targets against known normalizers, Jacobians by autodiff and hand-written models."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from jax.scipy.special import betaln, gammaln
from jax.scipy.stats import norm

from wflow.measures import Gaussian, UnsupportedMeasureError
from wflow.sampling.target import Target


def gamma(x):
    return 2 * jnp.log(x) - x - gammaln(3.0)


def beta(x):
    return jnp.log(x) + 2 * jnp.log1p(-x) - betaln(2.0, 3.0)


def dirichlet(p):
    a = jnp.array([2.0, 3.0, 1.5], p.dtype)
    return jnp.sum((a - 1) * jnp.log(p)) + gammaln(a.sum()) - jnp.sum(gammaln(a))


def ordered_normals(x):
    # Order statistics of two standard normals.
    return jnp.log(2.0) + jnp.sum(norm.logpdf(x))


LINE = np.linspace(-25.0, 25.0, 4001)
PLANE = np.linspace(-18.0, 12.0, 301)
CASES = {
    "real": (lambda x: norm.logpdf(x, 1.0, 2.0), 0.0, LINE, 1.0),
    "positive": (gamma, 1.0, LINE, 3.0),
    "unit_interval": (beta, 0.5, LINE, 0.4),
    "simplex": (dirichlet, np.ones(3) / 3, PLANE, np.array([2, 3, 1.5]) / 6.5),
    "ordered": (ordered_normals, np.array([0.0, 1.0]), PLANE, [-1, 1] / np.sqrt(np.pi)),
    (1.0, 3.0): (lambda x: beta((x - 1) / 2) - jnp.log(2.0), 2.0, LINE, 1.8),
    (2, np.inf): (lambda x: gamma(x - 2), 3.0, LINE, 5.0),
    (-np.inf, 0): (lambda x: gamma(-x), -1.0, LINE, -3.0),
}


def built(support, dtype=float):
    density, example, *_ = CASES[support]
    return Target.of(density, jnp.asarray(example, dtype), support)


@pytest.mark.parametrize("support", CASES)
def test_mass_and_mean_by_quadrature(support):
    # The trapezoidal rule on what decays at both ends: 1e-7 on these boxes.
    *_, axis, mean = CASES[support]
    target = built(support)
    d = target.unconstrain(jnp.asarray(CASES[support][1])).size
    nodes = jnp.stack(jnp.meshgrid(*[axis] * d, indexing="ij"), -1).reshape(-1, d)
    log_density, values = jax.jit(jax.vmap(lambda z: (target(z), target.scalars(z))))(
        nodes
    )
    weights = np.exp(log_density) * (axis[1] - axis[0]) ** d
    assert weights.sum() == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(weights @ values, np.ravel(mean), atol=1e-6)


@pytest.mark.parametrize("support", CASES)
def test_jacobian_by_autodiff(support):
    density, *_ = CASES[support]
    target = built(support)
    z = jnp.array([0.3, -0.7])[: target.unconstrain(CASES[support][1]).size]
    value = target.constrain(z)["x"]
    # Of a simplex all entries but the last are coordinates.
    free = lambda z: jnp.ravel(target.constrain(z)["x"])[: z.size]
    _, log_det = jnp.linalg.slogdet(jax.jacobian(free)(z))
    assert target(z) == pytest.approx(float(density(value) + log_det), rel=1e-12)
    np.testing.assert_allclose(target.unconstrain(value), z, rtol=1e-12)


def tree_density(point):
    log_scale = norm.logpdf(jnp.log(point["scale"])) - jnp.log(point["scale"])
    mixing = dirichlet(point["deep"]["p"])
    matrix = jnp.sum(norm.logpdf(point["a"], 0.0, point["scale"]))
    return log_scale + mixing + matrix


EXAMPLE = {"scale": 1, "a": np.zeros((2, 2)), "deep": {"p": np.array([0.2, 0.3, 0.5])}}


def tree(density=tree_density):
    return Target.of(density, EXAMPLE, {"scale": "positive", "deep": "simplex"})


def test_pytrees():
    target = tree()
    z = jnp.linspace(-1.0, 1.0, 7)
    assert target.names == ("a", "deep.p", "scale")
    assert target.labels(z) == [
        *("a[1,1]", "a[1,2]", "a[2,1]", "a[2,2]"),
        *("deep.p[1]", "deep.p[2]", "deep.p[3]", "scale"),
    ]
    assert target.scalars(z).shape == (8,)
    found = target.constrain(z)
    point = {
        "scale": found["scale"],
        "a": found["a"],
        "deep": {"p": found["deep.p"]},
    }
    np.testing.assert_allclose(target.unconstrain(point), z, atol=1e-12)
    few = target.reading("scale", "deep.p")
    assert few.labels(z)[0] == "scale"
    np.testing.assert_array_equal(few.scalars(z)[0], found["scale"])
    assert few(z) == target(z)


@pytest.mark.slow
def test_transformations_and_precisions_agree():
    target = tree()
    z = jnp.linspace(-1.0, 1.0, 7)
    gradient = jax.grad(target)(z)
    step = 1e-6 * jnp.eye(7)
    both = jax.jit(jax.vmap(target))
    numeric = (both(z + step) - both(z - step)) / 2e-6
    np.testing.assert_allclose(gradient, numeric, rtol=1e-7, atol=1e-8)
    narrow = z.astype(jnp.float32)
    assert target(narrow).dtype == jnp.float32
    assert target.scalars(narrow).dtype == jnp.float32
    assert target(narrow) == pytest.approx(float(target(z)), rel=1e-5)
    slope = jax.jit(jax.grad(target))(narrow)
    assert slope.dtype == jnp.float32
    np.testing.assert_allclose(slope, gradient, rtol=1e-4, atol=1e-5)


def test_plain_densities_need_no_wrapping():
    target = Target(lambda x: -x @ x)
    z = jnp.array([1.0, 2.0])
    assert target(z) == -5.0
    assert target.labels(z) == ["x[1]", "x[2]"]
    np.testing.assert_array_equal(target.scalars(target.unconstrain([1, 2])), z)


def test_whitened():
    law = Gaussian([1.0, -2.0], [[2.0, 0.6], [0.6, 0.5]])
    target = Target(law.log_density).whitened(law)
    z = jnp.array([0.4, -1.3])
    assert target(z) == pytest.approx(float(jnp.sum(norm.logpdf(z))), rel=1e-12)
    x = target.constrain(z)["x"]
    np.testing.assert_allclose(target.unconstrain(x), z, rtol=1e-12)
    np.testing.assert_allclose(x, law.mean + jnp.linalg.cholesky(law.cov) @ z)
    narrow = z.astype(jnp.float32)
    assert target(narrow).dtype == jnp.float32


# NumPyro models.

Y, SPREAD = np.array([2.8, 0.8, -0.3]), np.array([0.8, 0.5, 0.8])


def schools(y, spread):
    mu = numpyro.sample("mu", dist.Normal(0, 5))
    tau = numpyro.sample("tau", dist.HalfCauchy(5))
    z = numpyro.sample("z", dist.Normal(jnp.zeros(3), 1))
    theta = numpyro.deterministic("theta", mu + tau * z)
    numpyro.sample("y", dist.Normal(theta, spread), obs=y)


def by_hand(point):
    tau = point["tau"]
    theta = point["mu"] + tau * point["z"]
    prior = norm.logpdf(point["mu"], 0, 5) - jnp.log(5 * jnp.pi / 2 * (1 + tau**2 / 25))
    own = jnp.sum(norm.logpdf(point["z"])) + jnp.sum(norm.logpdf(Y, theta, SPREAD))
    return prior + own


@pytest.mark.slow
def test_numpyro_model():
    target = Target.from_numpyro(schools, Y, spread=SPREAD, key=jax.random.key(0))
    example = {"mu": 0.0, "tau": 1.0, "z": np.zeros(3)}
    hand = Target.of(by_hand, example, {"tau": "positive"})
    z = jnp.array([0.3, -0.5, 0.1, -1.0, 2.0])
    assert target(z) == pytest.approx(float(hand(z)), rel=1e-12)
    gradient = jax.jit(jax.grad(target))
    np.testing.assert_allclose(gradient(z), jax.grad(hand)(z), rtol=1e-10)
    assert target.names == ("mu", "tau", "z", "theta")
    read = target.reading("theta", "mu", "tau")
    assert read.labels(z) == ["theta[1]", "theta[2]", "theta[3]", "mu", "tau"]
    found = jax.vmap(read.scalars)(z[None])[0]
    np.testing.assert_allclose(found[:3], 0.3 + np.exp(-0.5) * np.array([0.1, -1, 2]))
    np.testing.assert_allclose(target.unconstrain(target.constrain(z)), z, rtol=1e-12)
    narrow = z.astype(jnp.float32)
    assert target(narrow).dtype == jnp.float32
    assert gradient(narrow).dtype == jnp.float32
    assert target(narrow) == pytest.approx(float(hand(z)), rel=1e-5)
    with pytest.raises(ValueError, match="found none of tau, z"):
        target.unconstrain({"mu": 0.0})


def test_models_without_coordinates_are_refused():
    def coins(y):
        numpyro.sample("fair", dist.Bernoulli(0.5))
        numpyro.sample("p", dist.Beta(1, 1))

    key = jax.random.key(0)
    with pytest.raises(ValueError, match="found the discrete fair"):
        Target.from_numpyro(coins, 1.0, key=key)
    observed = lambda y: numpyro.sample("y", dist.Normal(0, 1), obs=y)
    with pytest.raises(ValueError, match="continuous latent sites, found none"):
        Target.from_numpyro(observed, 1.0, key=key)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: Target.of(gamma, 1.0, "negative"), "real, positive.*'negative'"),
        (lambda: Target.of(gamma, -1.0, "positive"), "x within its support positive"),
        (lambda: Target.of(beta, 1.0, "unit_interval"), "interior of its support"),
        (lambda: Target.of(dirichlet, np.ones(3), "simplex"), "support simplex"),
        (lambda: Target.of(gamma, 1.0, "ordered"), "support ordered, found 1.0"),
        (lambda: Target.of(gamma, 1.0, (2, 1)), r"low < high, found \(2, 1\)"),
        (lambda: Target.of(gamma, 1.0, (2.0, 3.0)), r"its support \(2, 3\), found 1"),
        (lambda: Target.of(gamma, 1.0, data=[1.0]), "belong to a log_likelihood"),
        (
            lambda: Target.of(gamma, 1.0, log_likelihood=gamma, data=[np.nan]),
            "data.*finite",
        ),
        (lambda: Target.of(gamma, np.zeros(0)), "holds numbers"),
        (lambda: Target.of(gamma, {}), "holds numbers"),
        (
            lambda: Target.of(gamma, np.ones(3)),
            r"one real number, found shape \(3,\)",
        ),
        (lambda: Target.of(tree_density, EXAMPLE, {"sd": "positive"}), "found sd"),
        (lambda: Target.of(gamma, [1.0], {"x": "positive"}), "like the example"),
        (lambda: Target(gamma, names=()), "names, each once"),
        (lambda: Target(gamma, names=("a", "a")), r"found \['a', 'a'\]"),
        (lambda: tree()(jnp.zeros(3)), r"coordinates \(7,\), found \(3,\)"),
        (lambda: tree().unconstrain({"scale": 1.0}), "point of the structure"),
        (
            lambda: tree().unconstrain({**EXAMPLE, "a": np.zeros(2)}),
            "leaves a, deep.p, scale",
        ),
        (lambda: tree().unconstrain({**EXAMPLE, "scale": 0.0}), "interior"),
    ],
)
def test_bad_input_is_named(call, match):
    with pytest.raises(ValueError, match=match):
        call()


def test_whitening_by_what_is_no_gaussian():
    with pytest.raises(UnsupportedMeasureError, match="Gaussian"):
        Target(gamma).whitened(np.eye(2))


def test_without_numpyro_it_says_what_to_install(monkeypatch):
    for name in ("distributions", "infer.util"):
        monkeypatch.setitem(sys.modules, f"numpyro.{name}", None)
    with pytest.raises(ModuleNotFoundError, match=r"'wflow-jax\[bayes\]'"):
        Target.of(gamma, 1.0, "positive")
    with pytest.raises(ModuleNotFoundError, match="numpyro, which comes with"):
        Target.from_numpyro(schools, Y, SPREAD, key=jax.random.key(0))
    assert Target.of(lambda x: -(x**2), 1.0)(jnp.ones(1)) == -1.0
