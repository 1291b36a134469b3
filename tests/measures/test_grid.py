"""Grids and the logarithmic mean."""

import decimal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.measures import Gaussian, Grid, Particles
from wflow.measures.grid import logarithmic_mean
from wflow.measures.special import mean_decay


SHAPE, LOWER, UPPER = (24, 20), np.array([-4.0, -3.0]), np.array([4.0, 5.0])
COV = np.array([[0.6, 0.2], [0.2, 0.8]])


@pytest.fixture(scope="module")
def grid():
    law = Gaussian(np.array([0.3, 0.5]), COV)
    return Grid.from_log_density(
        lambda x: law.log_density(x) + 7.0, LOWER, UPPER, SHAPE, ("periodic", "no-flux")
    )


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Grid(1.0, 0, 1), r"1 to 3 axes.*found shape \(\)"),
        (
            lambda: Grid(np.ones((1, 1, 1, 1)), 0, 1),
            r"1 to 3 axes.*found shape \(1, 1, 1, 1\)",
        ),
        (lambda: Grid(np.ones(3), 0, 1, "open"), "'periodic' or 'no-flux'.*open"),
        (lambda: Grid(np.ones((3, 3)), 0, 1, ("periodic",)), "each of 2 axes"),
        (lambda: Grid(np.ones(3), 1, 1), "lower < upper"),
        (lambda: Grid.from_samples(np.ones((3, 2)), 0, 2, (4,)), r"\(n, 1\).*\(3, 2\)"),
        (lambda: Grid.from_samples(np.ones((3, 1)), 2, 3, (4,)), "none of 3 samples"),
    ],
)
def test_wrong_arguments_are_refused_in_a_sentence(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.slow
def test_from_log_density_has_the_moments(grid):
    # The midpoint rule is exact for a Gaussian up to what the box cuts off.
    np.testing.assert_allclose(grid.mass, 1, rtol=1e-14)
    np.testing.assert_allclose(grid.log_mass, 0, atol=1e-14)
    np.testing.assert_allclose(grid.mean, [0.3, 0.5], atol=1e-3)
    np.testing.assert_allclose(grid.cov, COV, atol=3e-3)
    density = np.asarray(grid.density)
    centers = np.asarray(grid.centers)
    np.testing.assert_allclose(centers[0, 0], LOWER + np.asarray(grid.spacing) / 2)
    np.testing.assert_allclose(
        grid.integrate(lambda x: jnp.stack([x[0] * x[1], 1.0])),
        [np.sum(density * centers[..., 0] * centers[..., 1]) * 8 * 8 / 480, 1],
        rtol=1e-12,
    )
    points, masses = grid.atoms
    assert points.shape == (480, 2)
    np.testing.assert_allclose(masses @ points, grid.mean, rtol=1e-12)


@pytest.mark.slow
def test_from_samples_is_the_histogram():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(300, 2)) * 2, [UPPER, LOWER]])
    w = rng.uniform(size=len(x))
    w[:10] = 0
    found = Grid.from_samples(x, LOWER, UPPER, SHAPE, weights=w)
    edges = [
        np.linspace(a, b, n + 1) for a, b, n in zip(LOWER, UPPER, SHAPE, strict=True)
    ]
    expected, _ = np.histogramdd(x, edges, density=True, weights=w)
    np.testing.assert_allclose(found.density, expected, atol=1e-14)


@pytest.mark.slow
def test_samples_and_back(grid):
    n = 4000
    x = grid.sample(jax.random.key(0), n)
    se = np.sqrt(np.diag(grid.cov) / n)
    assert (np.abs(x.mean(0) - grid.mean) <= 5 * se).all()
    # Uniform within the cell: h^2 / 12 more variance than the midpoint rule has.
    cov = np.asarray(grid.cov) + np.diag(np.asarray(grid.spacing) ** 2) / 12
    products = (x - grid.mean)[:, :, None] * (x - grid.mean)[:, None]
    error = np.abs(products.mean(0) - cov)
    assert (error <= 5 * products.std(0) / np.sqrt(n)).all()
    density = grid.density * grid.cell_volume
    again = Grid.from_samples(x, LOWER, UPPER, SHAPE).density * grid.cell_volume
    assert (np.abs(again - density) <= 5 * np.sqrt((density + 1 / n) / n)).all()
    law = Particles.from_samples(x)
    np.testing.assert_allclose(law.mean, x.mean(0), atol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("axis", [0, 1])
def test_divergence_is_minus_the_adjoint_of_the_gradient(grid, axis):
    rng = np.random.default_rng(axis)
    cells = jnp.asarray(rng.normal(size=SHAPE))
    gradient = grid.face_gradient(cells, axis)
    flux = jnp.asarray(rng.normal(size=gradient.shape))
    divergence = grid.divergence(flux, axis)
    np.testing.assert_allclose(
        jnp.sum(divergence * cells), -jnp.sum(flux * gradient), rtol=1e-12
    )
    np.testing.assert_allclose(divergence.sum(), 0, atol=1e-12)
    assert gradient.shape[axis] == SHAPE[axis] - (axis == 1)


def test_differential_is_the_first_variation(grid):
    _, found = grid.differential(lambda mu: mu.integrate(lambda x: x[0] * x[1]) ** 2)
    moment = grid.integrate(lambda x: x[0] * x[1])
    expected = 2 * moment * grid.evaluate(lambda x: x[0] * x[1])
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def _exact(a, b):
    """The logarithmic mean and its derivatives, with 60 digits."""
    with decimal.localcontext(prec=60):
        a, b = decimal.Decimal(float(a)), decimal.Decimal(float(b))
        if a == b:
            return [float(v) for v in (a, 0.5, 0.5, -1 / (6 * a), 1 / (6 * a))]
        u, d = a.ln() - b.ln(), a - b
        slopes = 1 / u - d / (a * u**2), -1 / u + d / (b * u**2)
        own = -2 / (a * u**2) + d / (a * u) ** 2 + 2 * d / (a**2 * u**3)
        mixed = (1 / a + 1 / b) / u**2 - 2 * d / (a * b * u**3)
        return [float(v) for v in (d / u, *slopes, own, mixed)]


def test_logarithmic_mean_and_derivatives():
    scales = [0, *10.0 ** np.arange(-12, 3), 0.0999, 0.1001, 300.0]
    a = np.full(len(scales), 0.7)
    b = a * np.exp(-np.array(scales))
    a, b = np.concatenate([a, b]), np.concatenate([b, a])

    @jax.jit
    @jax.vmap
    def derivatives(a, b):
        slope = jax.grad(logarithmic_mean, (0, 1))
        return (
            logarithmic_mean(a, b),
            slope(a, b),
            jax.grad(lambda a, b: slope(a, b)[0], (0, 1))(a, b),
        )

    value, slopes, curvatures = derivatives(jnp.asarray(a), jnp.asarray(b))
    exact = np.array([_exact(*pair) for pair in zip(a, b, strict=True)]).T
    np.testing.assert_allclose(value, exact[0], rtol=1e-14)
    np.testing.assert_allclose(slopes, exact[1:3], rtol=1e-12)
    np.testing.assert_allclose(curvatures, exact[3:], rtol=1e-10)


@pytest.mark.slow
def test_logarithmic_mean_at_zero_and_in_float32():
    zero = jnp.zeros(())
    for a, b in ((zero, zero), (zero, zero + 2), (zero + 2, zero)):
        value, slopes = jax.value_and_grad(logarithmic_mean, (0, 1))(a, b)
        assert 0 <= value < 0.01
        assert np.isfinite(slopes).all()
        curvatures = jax.hessian(logarithmic_mean, (0, 1))(a, b)
        assert np.isfinite(curvatures).all()
    a = jnp.asarray([1.0, 1e-30, 1e-3, 0.0], jnp.float32)
    b = jnp.asarray([1.0 + 1e-6, 1e30, 1e3, 1.0], jnp.float32)
    value = logarithmic_mean(a, b)
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(
        value * (jnp.log(b) - jnp.log(jnp.maximum(a, jnp.finfo(a.dtype).tiny))),
        b - a,
        rtol=2e-6,
        atol=1e-7,
    )


@pytest.mark.slow
def test_mean_decay():
    u = np.array([0.0, 1e-9, 1e-3, 0.0099, 0.0101, 1.0, 50.0, -0.5])
    expected = [1.0, *(-np.expm1(-u[1:]) / u[1:])]
    np.testing.assert_allclose(mean_decay(jnp.asarray(u)), expected, rtol=1e-15)
    slope = jax.vmap(jax.grad(mean_decay))(jnp.asarray(u[:3]))
    np.testing.assert_allclose(slope, -1 / 2 + u[:3] / 3 - u[:3] ** 2 / 8, rtol=1e-10)


@pytest.mark.slow
def test_jit_vmap_grad_and_float32():
    densities = jnp.asarray(np.random.default_rng(5).uniform(size=(3, 6)), jnp.float32)

    @jax.jit
    @jax.vmap
    def spread(density):
        def variance(density, upper):
            return Grid(density, 0, upper, "periodic").cov[0, 0]

        upper = jnp.ones((), density.dtype)
        return jax.value_and_grad(variance, (0, 1))(density, upper)

    value, (ddensity, dupper) = spread(densities)
    assert {a.dtype for a in (value, ddensity, dupper)} == {jnp.dtype("float32")}
    # The variance scales with the square of the box.
    np.testing.assert_allclose(dupper, 2 * value, rtol=1e-5)
    grid = Grid(densities[0], 0, 1)
    assert {a.dtype for a in (grid.centers, grid.mean, grid.mass)} == {
        jnp.dtype("float32")
    }
    assert grid.sample(jax.random.key(0), 2).dtype == jnp.float32
    assert Grid.from_samples(np.ones((1, 1), np.float32), 0, 2, (3,)).dtype == "float32"
