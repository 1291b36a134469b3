"""What is no measure is refused in a sentence; what is nan stays nan."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.measures import (
    Gaussian,
    GaussianMixture,
    Grid,
    Particles,
    Phase,
    Point,
    Traced,
)
from wflow.measures.grid import logarithmic_mean
from wflow.measures.resampling import systematic_ancestors


X = np.array([[0.1, 0.4], [1.0, -0.3], [-0.7, 0.2]])
EYES = np.stack([np.eye(2), 2 * np.eye(2)])


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e9])
@pytest.mark.parametrize(
    ("cov", "words"),
    [
        ([[1.0, 0.0], [0.9, 1.0]], "symmetric"),
        ([[1.0, 2.0], [2.0, 1.0]], "definite"),
        ([[1.0, 1.0], [1.0, 1.0]], "definite"),
        ([[1.0, 0.0], [0.0, -1.0]], "definite"),
        ([[1.0, 0.0], [0.0, np.nan]], "finite"),
    ],
)
def test_covariances_are_judged_at_any_scale(cov, words, unit):
    cov = unit * np.array(cov)
    with pytest.raises(ValueError, match=f"Gaussian: expected cov.*{words}"):
        Gaussian(np.zeros(2), cov)
    mixture = lambda: GaussianMixture(np.zeros((2, 2)), [unit * EYES[0], cov], [1, 1])
    if (cov == unit).all():
        # A flat component has no density, but moments and embeddings.
        np.testing.assert_allclose(mixture().cov, unit * np.array([[1, 0.5], [0.5, 1]]))
        return
    with pytest.raises(ValueError, match=f"GaussianMixture: expected covs.*{words}"):
        mixture()


def test_a_mixture_of_points_is_refused():
    with pytest.raises(ValueError, match="covs other than zero"):
        GaussianMixture(np.zeros((2, 2)), [EYES[0], 0 * EYES[0]], np.ones(2))


def test_small_covariances_of_one_axis_are_taken():
    law = Gaussian(np.zeros(2), np.diag([1e-20, 1.0]))
    np.testing.assert_allclose(law.cov, np.diag([1e-20, 1.0]))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Gaussian([np.nan], [[1.0]]), "mean finite"),
        (lambda: Gaussian.from_samples(np.ones((5, 2))), "covariance of x positive"),
        (lambda: Gaussian.from_samples([[0.0], [np.inf]]), "x finite"),
        (lambda: GaussianMixture(X[:2], EYES, [-1.0, 2.0]), "weights >= 0"),
        (lambda: GaussianMixture(X[:2], EYES, [0.0, 0.0]), "weights with a sum > 0"),
        (lambda: GaussianMixture(X[:2] * np.nan, EYES, [1, 1]), "means finite"),
        (lambda: GaussianMixture(X[:2], EYES, [1, 1]).convolved(-1.0), "bandwidth >="),
        (lambda: Grid([1.0, -2.0, 1.0], 0, 1), "density >= 0"),
        (lambda: Grid([1.0, np.nan, 1.0], 0, 1), "density >= 0"),
        (lambda: Grid([0.0, 0.0], 0, 1), "density with a sum > 0"),
        (lambda: Grid(np.ones(3), np.nan, 1), "lower finite"),
        (lambda: Grid(np.ones(3), 0, np.inf), "upper finite"),
        (lambda: Grid(np.ones((3, 2)), [0.0], 1), r"lower .*\(2,\)"),
        (lambda: Grid.from_samples(X * np.nan, -2, 2, (3, 3)), "rows of x finite"),
        (lambda: Grid.from_samples(X, -2, 2, (3, 2.5)), "shape to be a whole number"),
        (lambda: Grid.from_log_density(lambda x: x[0] * np.nan, 0, 1, (3,)), "finite"),
        (lambda: Grid.from_log_density(lambda x: x, 0, 1, (3,)), "one real number"),
        (lambda: Particles(X, [0.0, np.inf, 0.0]), "logw below infinity.*index 1"),
        (lambda: Particles(np.zeros((0, 2)), []), "n and d >= 1"),
        (lambda: Particles.from_samples(X, np.zeros(3)), "weights with a sum > 0"),
        (lambda: Particles.from_samples(X, ["a", "b", "c"]), "weights to be"),
        (lambda: Phase(1.0, X), "measure to be Particles"),
        (lambda: Phase(Particles.from_samples(X), X + 1j), "velocity of real"),
        (lambda: Traced(Gaussian([0.0], [[1.0]]), X), "measure to be Particles"),
        (lambda: Point(jnp.ones(2) * 1j), "real numbers, found an array of complex"),
        (lambda: Point({"a": jnp.ones(2), "b": jnp.ones(2) * 1j}), "real numbers"),
        (lambda: Gaussian(np.zeros(2), np.eye(2)).log_density(jnp.ones(1)), "x of"),
        (
            lambda: GaussianMixture(
                X, np.stack([np.eye(2)] * 3), np.ones(3)
            ).log_density(jnp.ones((3, 2))),
            "x of shape",
        ),
    ],
)
def test_refused_in_a_sentence(make, words):
    with pytest.raises((ValueError, TypeError), match=words) as refused:
        make()
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    "make",
    [
        lambda x: Particles.from_samples(x),
        lambda x: Particles(x, np.zeros(3)),
        lambda x: Gaussian(x[0], np.eye(2)),
        lambda x: GaussianMixture(x[:2], EYES, np.ones(2)),
        lambda x: Grid(x**2, 0, 1),
        lambda x: Grid.from_samples(x, -2, 2, (3, 3)),
        lambda x: Traced(Particles.from_samples(X), x),
    ],
)
def test_complex_and_masked_arrays_are_refused(make):
    with pytest.raises(ValueError, match="real numbers, found complex128"):
        make(X + 1j)
    with pytest.raises(ValueError, match="masked"):
        make(np.ma.array(X, mask=X < 0.2))


@pytest.mark.parametrize("level", [-1e5, -1e4, 0.0, 1e4, 1e5])
def test_moments_do_not_depend_on_the_level_of_log_weights(level):
    logw = np.log([0.2, 0.7, 0.1])
    mu = Particles(X, logw + level)
    one = Particles(X, logw)
    np.testing.assert_allclose(mu.mean, one.mean, rtol=1e-9)
    np.testing.assert_allclose(mu.cov, one.cov, rtol=1e-9)
    np.testing.assert_allclose(mu.ess, one.ess, rtol=1e-9)
    np.testing.assert_allclose(mu.normalized().w, one.w, rtol=1e-9)
    slope = jax.grad(lambda x: Particles(x, logw + level).mean[0])(jnp.asarray(X))
    np.testing.assert_allclose(slope[:, 0], [0.2, 0.7, 0.1], rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_short_floats_are_taken_in_single_precision(dtype):
    x = jnp.asarray(X, dtype)
    mu = Particles.from_samples(x, jnp.asarray([0.25, 0.5, 0.0], dtype))
    assert {leaf.dtype for leaf in jax.tree.leaves(mu)} == {jnp.dtype("float32")}
    np.testing.assert_allclose(
        mu.mean, np.asarray(x[:2], float).T @ [1 / 3, 2 / 3], rtol=1e-5
    )
    law = Gaussian(x[0], jnp.eye(2, dtype=dtype))
    assert jnp.isfinite(law.log_density(jnp.zeros(2)))
    assert Grid(jnp.ones(4, dtype), 0, 1).mass.dtype == jnp.float32


@pytest.mark.slow
def test_nan_is_not_swallowed():
    for a, b in ((np.nan, 1.0), (1.0, np.nan), (np.nan, np.nan)):
        assert jnp.isnan(logarithmic_mean(a, b))
    np.testing.assert_allclose(logarithmic_mean(-1.0, 1.0), 1 / 709, rtol=0.1)
    # Positions may be nan, and show: padding and failed runs hold such clouds.
    mu = Particles.from_samples(np.where(X < 0, np.nan, X))
    assert jnp.isnan(mu.mean).all()
    weights = jax.jit(lambda w: Particles.from_samples(X, w).w)(
        jnp.array([1, np.nan, 0])
    )
    np.testing.assert_array_equal(np.isnan(weights), [False, True, False])
    lost = jax.jit(lambda x: Grid.from_samples(x, -2, 2, (3, 3)).density)
    assert jnp.isnan(lost(jnp.asarray(X).at[0, 0].set(np.nan))).any()


def test_ancestors_of_weights_that_are_nan_are_refused():
    mu = Particles.from_samples(X)
    mu = mu.with_state((mu.x, mu.logw.at[1].set(jnp.nan)))
    with pytest.raises(ValueError, match="mu with a mass > 0"):
        systematic_ancestors(jax.random.key(0), mu)
