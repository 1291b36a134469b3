"""Targets for comparisons, and the elliptic forward model, against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.kernels import GaussianKernel, gram
from wflow.kernels.embeddings import mixture_embedding
from wflow.measures import Gaussian
from wflow.sampling.elliptic import EllipticModel
from wflow.sampling.ensemble import GaussianInverseProblem
from wflow.sampling.problems import Joker


JOKER = Joker()
DRAWS = JOKER.sample(jax.random.key(0), 100_000)
POINTS = np.stack(np.meshgrid(*[np.arange(1, 4) / 4] * 2, indexing="ij"), -1)
POINTS = POINTS.reshape(-1, 2)
MODEL = EllipticModel(2, 8, POINTS)
TRUTH = jnp.array([0.0, -1.5, 2.0, 0.3])
fields = jax.jit(jax.vmap(MODEL))


@pytest.mark.slow
def test_joker_has_mass_one_and_its_mean():
    x, y = np.linspace(-9, 9, 500), np.linspace(-4, 14, 500)
    points = jnp.asarray(np.stack(np.meshgrid(x, y, indexing="ij"), -1).reshape(-1, 2))
    density = np.exp(jax.vmap(JOKER.log_density)(points))
    density *= (x[1] - x[0]) * (y[1] - y[0])
    # The trapezoidal rule on a smooth density converges fast; narrowest width 0.18.
    np.testing.assert_allclose(density.sum(), 1, rtol=1e-8)
    np.testing.assert_allclose(density @ points, JOKER.mean, atol=1e-8)
    centered = points - JOKER.mean
    cov = (density[:, None] * centered).T @ centered
    np.testing.assert_allclose(cov, JOKER.cov, atol=1e-6)


def test_joker_draws_have_its_moments():
    # Four standard errors of 1e5 draws with variances about 1.
    np.testing.assert_allclose(DRAWS.mean(0), JOKER.mean, atol=4 / np.sqrt(1e5))
    np.testing.assert_allclose(np.cov(DRAWS.T), JOKER.cov, atol=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("bandwidth", [0.1, 1.5])
def test_lines_of_the_joker_embed_as_it_does(bandwidth):
    kernel, points = GaussianKernel(bandwidth), DRAWS[:5]
    coarse, fine = (
        mixture_embedding(kernel, JOKER.lines(n), points) for n in (257, 999)
    )
    np.testing.assert_allclose(coarse, fine, rtol=1e-9)
    k = gram(kernel, points, DRAWS)
    error = 4 * np.asarray(k).std(1) / np.sqrt(1e5)
    assert (np.abs(k.mean(1) - fine) < error).all()


@pytest.mark.slow
def test_joker_in_float32():
    x = DRAWS[:4].astype(jnp.float32)
    low = jax.vmap(JOKER.log_density)(x)
    assert low.dtype == jnp.float32
    np.testing.assert_allclose(low, jax.vmap(JOKER.log_density)(DRAWS[:4]), atol=1e-3)
    with pytest.raises(ValueError, match="nodes >= 2"):
        JOKER.lines(1)


@pytest.mark.slow
def test_elliptic_solution_converges_with_order_two():
    # u = sin(2 pi x) sin(pi y) / a with a jump of a at x = 1/2, where the flux fits.
    errors = []
    for mesh in (8, 16, 32):
        center, node = (np.arange(mesh) + 0.5) / mesh, np.arange(mesh + 1) / mesh
        wave = lambda s: np.sin(2 * np.pi * s[0])[:, None] * np.sin(np.pi * s[1])
        source = 5 * np.pi**2 * wave((center, center))
        model = EllipticModel(2, mesh, POINTS, source)
        u = model.field(jnp.log(jnp.array([1.0, 1.0, 10.0, 10.0])))
        exact = wave((node, node)) / np.where(node < 0.5, 1, 10)[:, None]
        errors.append(np.abs(u - exact).max())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert (np.abs(orders - 2) < 0.25).all()


@pytest.mark.slow
def test_elliptic_operator_is_symmetric_and_positive():
    operator = MODEL.operator(TRUTH)
    eye = jnp.eye(49).reshape(49, 7, 7)
    matrix = np.asarray(jax.vmap(operator.mv)(eye)).reshape(49, 49)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-14)
    assert np.linalg.eigvalsh(matrix)[0] > 0
    # Its solution is that of a dense solver.
    load = np.full(49, 10 / 64)
    u = MODEL.field(TRUTH)[1:-1, 1:-1].ravel()
    np.testing.assert_allclose(u, np.linalg.solve(matrix, load), atol=1e-8)


def test_elliptic_solution_scales_with_the_conductivity():
    x = jnp.stack([TRUTH, TRUTH + 1.0])
    u = fields(x)
    np.testing.assert_allclose(u[1], u[0] / np.e, rtol=1e-7)


@pytest.mark.slow
def test_gradient_of_the_elliptic_posterior():
    problem = GaussianInverseProblem(
        MODEL, MODEL(TRUTH) + 0.01, 0.05, Gaussian(np.zeros(4), 4 * np.eye(4))
    )
    x, h = TRUTH + 0.2, 1e-4
    gradient = jax.jit(jax.grad(problem))(x)
    steps = h * jnp.eye(4)
    values = jax.jit(jax.vmap(problem))(jnp.concatenate([x + steps, x - steps]))
    difference = (values[:4] - values[4:]) / (2 * h)
    np.testing.assert_allclose(gradient, difference, rtol=1e-5)


def test_elliptic_model_in_float32():
    x = jnp.stack([TRUTH, -TRUTH])
    low = fields(x.astype(jnp.float32))
    assert low.dtype == jnp.float32
    np.testing.assert_allclose(low, fields(x), rtol=1e-4)


def test_bad_elliptic_models_are_named():
    for cells, mesh in ((0, 8), (3, 8), (1, 1)):
        with pytest.raises(
            ValueError, match="a multiple of cells|cells >= 1|mesh >= 2"
        ):
            EllipticModel(cells, mesh, POINTS)
    with pytest.raises(ValueError, match=r"points of shape \(k, 2\)"):
        EllipticModel(2, 8, np.zeros(3))
    with pytest.raises(ValueError, match="in the unit square"):
        EllipticModel(2, 8, np.array([[0.5, 1.5]]))
    with pytest.raises(ValueError, match="a source that is a number"):
        EllipticModel(2, 8, POINTS, np.ones(3))
    with pytest.raises(ValueError, match=r"x of shape \(4,\)"):
        MODEL(jnp.zeros(5))
