"""Velocities in closed form, limits, refusals, transformations."""

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import pytest

from wflow.energies import Entropy, GaussianClosure, KLDivergence, Potential
from wflow.geometries import (
    Euclidean,
    FisherRao,
    HellingerKantorovich,
    Riemannian,
    Stein,
    Wasserstein,
)
from wflow.kernels import GaussianKernel
from wflow.measures import Gaussian, Grid, Particles, Point
from wflow.measures.quadrature import standard_quadrature


TARGET = Gaussian(np.array([0.3, -0.2]), np.array([[0.5, 0.1], [0.1, 0.4]]))
START = Gaussian(np.array([-0.1, 0.2]), np.array([[0.4, -0.1], [-0.1, 0.6]]))


@eqx.filter_jit
def velocities(geometry, mu, density=None):
    energy = KLDivergence(TARGET.log_density, density)
    return geometry.velocity(mu, energy.differential(mu))


def closed_form(geometry):
    """Rates of mean and covariance for KL between Gaussians."""
    m, s = np.asarray(START.mean), np.asarray(START.cov)
    precision = np.linalg.inv(TARGET.cov)
    drift = precision @ (m - np.asarray(TARGET.mean))
    excess = precision - np.linalg.inv(s)
    transport = -drift, -(excess @ s + s @ excess)
    reaction = -s @ drift, -s @ excess @ s
    alpha, beta = {
        Wasserstein: (1, 0),
        FisherRao: (0, 1),
        HellingerKantorovich: (0.6, 1.7),
    }[type(geometry)]
    return tuple(alpha * a + beta * b for a, b in zip(transport, reaction, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(
    "geometry",
    [Wasserstein(), FisherRao(), HellingerKantorovich(0.6, 1.7)],
    ids=lambda geometry: type(geometry).__name__,
)
def test_one_flow_on_three_measures(geometry):
    mean, cov = closed_form(geometry)
    found = velocities(geometry, START)
    np.testing.assert_allclose(found[0], mean, rtol=1e-12)
    np.testing.assert_allclose(found[1], cov, rtol=1e-12)

    # Particles at quadrature nodes have the moments, the closure the density.
    nodes, weights = standard_quadrature(2)
    x = np.asarray(START.mean) + nodes @ np.linalg.cholesky(START.cov).T
    cloud = Particles.from_samples(x, weights)
    dx, dlogw = velocities(geometry, cloud, GaussianClosure())
    w, centered, dx = np.asarray(cloud.w), x - np.asarray(START.mean), np.asarray(dx)
    np.testing.assert_allclose(w @ dx + (w * dlogw) @ x, mean, rtol=1e-10)
    outer = np.einsum("n,ni,nj->ij", w, dx, centered)
    change = outer + outer.T + np.einsum("n,ni,nj->ij", w * dlogw, centered, centered)
    np.testing.assert_allclose(change, cov, rtol=1e-10)

    # A grid, second order in its spacing.
    grid = Grid.from_log_density(START.log_density, -4.0, 4.0, (64, 64))
    rate = np.asarray(velocities(geometry, grid)).ravel() * (8 / 64) ** 2
    x = np.asarray(grid.centers).reshape(-1, 2)
    np.testing.assert_allclose(rate.sum(), 0, atol=1e-12)
    np.testing.assert_allclose(rate @ x, mean, atol=5e-3)
    centered = x - np.asarray(START.mean)
    second = np.einsum("n,ni,nj->ij", rate, centered, centered)
    np.testing.assert_allclose(second, cov, atol=2e-2)


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
def test_entropy_on_a_grid_is_the_heat_equation(boundary):
    rho = np.random.default_rng(0).uniform(size=(6, 5)) ** 4
    rho[2, 2:4] = 0  # the equation holds beside empty cells too
    rho[4, 0] = 1e-290
    grid = Grid(rho, 0.0, [3.0, 1.0], boundary)
    temperature = 0.7
    energy = Entropy(temperature)
    flow = eqx.filter_jit(
        lambda grid: Wasserstein().velocity(grid, energy.differential(grid))
    )
    velocity = flow(grid)
    mode = "wrap" if boundary == "periodic" else "edge"
    padded = np.pad(rho, 1, mode=mode)
    rows, columns = padded[:, 1:-1], padded[1:-1]
    laplacian = np.diff(rows, 2, axis=0) / 0.5**2 + np.diff(columns, 2, axis=1) / 0.2**2
    np.testing.assert_allclose(velocity, temperature * laplacian, atol=1e-12)


def test_strengths_may_be_traced():
    def made(alpha):
        return HellingerKantorovich(), HellingerKantorovich(alpha, 0.0)

    one, other = jax.jit(made)(0.5)
    assert (float(one.alpha), float(one.beta)) == (1.0, 1.0)
    assert (float(other.alpha), float(other.beta)) == (0.5, 0.0)
    assert jax.vmap(made)(jnp.ones(3))[1].alpha.shape == (3,)


@pytest.mark.slow
def test_hellinger_kantorovich_is_the_sum_of_its_parts():
    mu = Particles.from_samples(np.random.default_rng(1).normal(size=(5, 2)))
    differential = Potential(TARGET.log_density).differential(mu)
    both = HellingerKantorovich(0.6, 1.7, conserve_mass=False).velocity(
        mu, differential
    )
    transport, _ = Wasserstein().velocity(mu, differential)
    _, reaction = FisherRao(conserve_mass=False).velocity(mu, differential)
    np.testing.assert_allclose(both[0], 0.6 * transport, rtol=1e-14)
    np.testing.assert_allclose(both[1], 1.7 * reaction, rtol=1e-14)
    for alpha, beta, part in ((0, 1, 0), (1, 0, 1)):
        still = HellingerKantorovich(alpha, beta).velocity(mu, differential)[part]
        np.testing.assert_array_equal(still, 0)
    _, balanced = FisherRao().velocity(mu, differential)
    np.testing.assert_allclose(mu.w @ balanced, 0, atol=1e-15)


def test_stein_is_svgd_on_the_divergence():
    rng = np.random.default_rng(2)
    x, h = rng.normal(size=(5, 2)), np.array([0.7, 1.1])
    w = rng.dirichlet(np.ones(5))
    mu = Particles.from_samples(x, w)
    velocity, still = velocities(Stein(GaussianKernel(h)), mu)
    scores = np.linalg.solve(TARGET.cov, (np.asarray(TARGET.mean) - x).T).T
    z = (x[:, None] - x[None]) / h
    k = np.exp(-(z**2).sum(-1) / 2)
    expected = k @ (w[:, None] * scores) + np.einsum("ij,j,ijd->id", k, w, z / h)
    np.testing.assert_allclose(velocity, expected, rtol=1e-12)
    np.testing.assert_array_equal(still, 0)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_riemannian_solves_on_any_pytree(dtype):
    value = {"a": jnp.array([0.5, -1.0], dtype), "b": jnp.ones((2, 2), dtype), "n": 3}
    point = Point(value)
    gradient = Potential(lambda v: jnp.sum(v["a"] ** 2) + jnp.sum(v["b"])).differential(
        point
    )
    stretch = lambda v: {"a": 2 * v["a"], "b": 1000 * v["b"], "n": None}
    metric = lambda v: lx.FunctionLinearOperator(
        stretch, jax.eval_shape(lambda: gradient), lx.positive_semidefinite_tag
    )
    velocity = Riemannian(metric).velocity(point, gradient)
    tolerance = 1e-4 if dtype == "float32" else 1e-9
    np.testing.assert_allclose(velocity["a"], -value["a"], rtol=tolerance)
    np.testing.assert_allclose(velocity["b"], -1e-3, rtol=tolerance)
    assert {leaf.dtype for leaf in jax.tree.leaves(velocity)} == {jnp.dtype(dtype)}
    flat = Euclidean().velocity(point, gradient)
    np.testing.assert_array_equal(flat["a"], -2 * value["a"])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_riemannian_default_survives_an_ill_conditioned_metric(dtype):
    rng = np.random.default_rng(3)
    q, _ = np.linalg.qr(rng.normal(size=(20, 20)))
    condition = 1e4 if dtype == "float32" else 1e7
    metric = jnp.asarray((q * np.geomspace(1, condition, 20)) @ q.T, dtype)
    operator = lx.MatrixLinearOperator(metric, lx.positive_semidefinite_tag)
    gradient = jnp.asarray(rng.normal(size=20), dtype)
    point = Point(gradient)
    velocity = Riemannian(lambda v: operator).velocity(point, gradient)
    exact = Riemannian(lambda v: operator, lx.Cholesky()).velocity(point, gradient)
    scale = np.linalg.norm(exact)
    tolerance = 2e-3 if dtype == "float32" else 1e-6
    np.testing.assert_allclose(velocity, exact, atol=tolerance * scale)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: HellingerKantorovich(-1, 1), ValueError, "alpha >= 0"),
        (lambda: HellingerKantorovich(0, 0), ValueError, "both zero"),
        (
            lambda: velocities(Wasserstein(np.eye(2)), Grid(np.ones((2, 2)), 0, 1)),
            TypeError,
            "scalar or one number per axis",
        ),
        (
            lambda: velocities(Wasserstein(lambda x: 1.0), Grid(np.ones((2, 2)), 0, 1)),
            TypeError,
            "scalar or one number per axis",
        ),
        (
            lambda: velocities(Wasserstein(lambda x: 1.0), START),
            TypeError,
            "acts on Particles only",
        ),
    ],
)
def test_refusals(make, error, words):
    with pytest.raises(error, match=words):
        make()


@pytest.mark.slow
def test_jit_vmap_grad_float32_and_vanishing_weights():
    x = jnp.asarray(np.random.default_rng(4).normal(size=(3, 4, 2)), jnp.float32)
    w = jnp.asarray([0.3, 0.0, 1e-42, 0.5], jnp.float32)  # padding, subnormal

    @eqx.filter_jit
    @jax.vmap
    def gradients(x):
        def speed(x, w, alpha, mobility):
            mu = Particles.from_samples(x, w)
            differential = Potential(TARGET.log_density).differential(mu)
            dx, dlogw = HellingerKantorovich(alpha, 0.3).velocity(mu, differential)
            moved, _ = Wasserstein(mobility).velocity(mu, differential)
            return jnp.sum(dx**2) + jnp.sum(moved**2) + mu.w @ dlogw**2, (dx, dlogw)

        one = jnp.ones((), jnp.float32)
        return jax.grad(speed, (0, 1, 2, 3), has_aux=True)(x, w, one, one)

    found, (dx, dlogw) = gradients(x)
    for leaf in jax.tree.leaves((found, dx, dlogw)):
        assert leaf.dtype == jnp.float32
        assert np.isfinite(leaf).all()
    np.testing.assert_array_equal(dx[:, 1:3], 0)
    # Both speeds are quadratic in alpha and in the mobility at 1, and equal there.
    np.testing.assert_allclose(found[2], found[3], rtol=1e-5)
    # A mobility of the other precision does not promote.
    mu = Particles.from_samples(x[0])
    assert mu.dtype == jnp.float32
    velocity, _ = velocities(Wasserstein([1.0, 2.0]), mu, GaussianClosure())
    assert velocity.dtype == jnp.float32
