"""Gradient flow of scaled layers against closed forms and conserved quantities.

Numbers are those of the specification: what it says is expected, at its tolerance.
"""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import pytest
from jax.test_util import check_grads

from wflow.energies import Potential
from wflow.flows import GradientFlow
from wflow.geometries import Euclidean, Riemannian
from wflow.measures import Point
from wflow.networks.scale import ScaledLinear, ScaleVector
from wflow.networks.scale.analysis import (
    dead_channels,
    imbalance,
    invariant_drift,
    scale_report,
    sharpness,
)
from wflow.networks.scale.closed_form import scalar_channel
from wflow.networks.scale.energies import Decay, EffectiveLoss, LinearRegression
from wflow.networks.scale.rates import RoleRates
from wflow.networks.scale.scales import DirectScale, MagnitudeDirection
from wflow.solvers import solve


TIGHT = diffrax.PIDController(rtol=1e-11, atol=1e-13)


def regression(n=20, d=4, m=3):
    rng = np.random.default_rng(0)
    return LinearRegression(rng.normal(size=(n, d)), rng.normal(size=(n, m)))


def layer(m=3, d=4, seed=1):
    weight = 0.3 * np.random.default_rng(seed).normal(size=(m, d))
    return ScaledLinear.of(weight, [DirectScale(jnp.ones(d))])


def decayed(matrix, scale):
    """One flow for every pair of rates: its program is compiled once."""
    return GradientFlow(
        regression() + Decay({"matrix": matrix, "scale_in": scale}), Euclidean()
    )


def integrate(flow, value, t1, times=4, **options):
    return solve(
        flow,
        Point(value),
        0.0,
        t1,
        times=jnp.linspace(0.0, t1, times + 1),
        solver=diffrax.Tsit5(),
        stepsize_controller=TIGHT,
        max_steps=100_000,
        **options,
    )


def columns(solution):
    value = solution.measures.value
    return jax.vmap(imbalance)(value.weight, value.scales_in[0].vector)


@pytest.fixture(scope="module")
def plain():
    return integrate(decayed(0.0, 0.0), layer(), 2.0)


@pytest.mark.slow
def test_imbalance_is_conserved(plain):
    # Oracle 1.
    assert invariant_drift(plain) < 1e-10


@pytest.mark.slow
def test_reduced_flow_is_that_of_the_factors(plain):
    # Oracle 2.
    start = layer()
    c = imbalance(start.weight, start.scales_in[0].vector)
    reduced = integrate(GradientFlow(regression(), ScaleVector(c)), start.matrix(), 2.0)
    matrices = jax.vmap(ScaledLinear.matrix)(plain.measures.value)
    np.testing.assert_allclose(reduced.measures.value, matrices, atol=1e-9)


@pytest.mark.slow
def test_geometry_is_a_riemannian_metric():
    geometry, mu = (
        ScaleVector(jnp.array([-1.0, 0.0, 0.5, 2.0])),
        Point(layer().matrix()),
    )
    metric = lambda matrix: lx.FunctionLinearOperator(
        lambda v: geometry.flat(matrix, v),
        jax.eval_shape(lambda: matrix),
        lx.positive_semidefinite_tag,
    )
    one, other = (
        GradientFlow(regression(), kind) for kind in (geometry, Riemannian(metric))
    )
    # Conjugate gradients stop at ten digits.
    np.testing.assert_allclose(one.velocity(mu), other.velocity(mu), rtol=1e-8)
    np.testing.assert_allclose(one.dissipation(mu), other.dissipation(mu), rtol=1e-8)


@pytest.mark.slow
def test_learning_rate_of_the_scale():
    start, rho = layer(), 4.0
    rates = Riemannian(RoleRates({"scale_in": rho}), lx.Diagonal())
    factors = integrate(GradientFlow(regression(), rates), start, 2.0)
    value = factors.measures.value
    kept = jax.vmap(lambda w, g: imbalance(w, g, rho))(
        value.weight, value.scales_in[0].vector
    )
    assert jnp.max(jnp.abs(kept - kept[0])) < 1e-10
    reduced = integrate(
        GradientFlow(regression(), ScaleVector(kept[0], rho)), start.matrix(), 2.0
    )
    matrices = jax.vmap(ScaledLinear.matrix)(value)
    np.testing.assert_allclose(reduced.measures.value, matrices, atol=1e-9)


@jax.jit
def channels(times, cases):
    return jax.vmap(lambda case: scalar_channel(times, *case))(cases)


@pytest.mark.slow
def test_scalar_channel_in_closed_form():
    # Oracle 3: h, M*, w0, g0; c < 0, c > 0, c = 0, M* < 0, and a start beyond M*.
    cases = jnp.array(
        [
            [1.0, 2.0, 0.0, 1.0],
            [1.5, 1.0, 2.0, 0.5],
            [1.0, 2.0, 0.5, 0.5],
            [0.7, -1.3, 0.4, 1.0],
            [0.7, -1.3, 1.1, 0.3],
            [2.0, 0.5, -0.8, 1.2],
            [1.0, 0.0, 0.9, 0.9],
            [1.0, 1.0, 2.0, 2.0],
            [1.0, -1.0, 0.6, 0.6],
            [1.0, 0.7, 1.0, 0.7],
        ]
    )
    times = jnp.linspace(0.0, 3.0, 7)

    @eqx.filter_jit
    @eqx.filter_vmap
    def numerical(case):
        h, target, w, g = case
        energy = EffectiveLoss(lambda m: h / 2 * (m[0, 0] - target) ** 2)
        start = ScaledLinear.of(w[None, None], [DirectScale(g[None])])
        found = solve(
            GradientFlow(energy, Euclidean()),
            Point(start),
            0.0,
            3.0,
            times=times,
            solver=diffrax.Tsit5(),
            stepsize_controller=TIGHT,
        )
        return jax.vmap(ScaledLinear.matrix)(found.measures.value)[:, 0, 0]

    exact = channels(times, cases)
    np.testing.assert_allclose(numerical(cases), exact, atol=1e-9)
    # Long after: the target, or the saddle where the balanced channel cannot cross it.
    late = channels(times + 1e3, cases)[:, 0]
    ends = [2, 1, 2, -1.3, -1.3, 0.5, 0.9**2 / (1 + 2e3 * 0.9**2), 1, 0, 0.7]
    np.testing.assert_allclose(late, ends, atol=1e-12)


def test_closed_form_in_float32_and_its_gradient():
    case, time = jnp.array([1.0, 2.0, 0.125, 1.0]), jnp.array(0.5)
    call = jax.jit(lambda time, case: scalar_channel(time, *case))
    narrow = call(time.astype(jnp.float32), case.astype(jnp.float32))
    assert narrow.dtype == jnp.float32
    np.testing.assert_allclose(narrow, call(time, case), rtol=1e-5)
    check_grads(call, (time, case), 1, modes=["rev"], rtol=1e-6)


@pytest.mark.slow
def test_both_families_of_a_two_sided_layer():
    # Oracle 4, at two branches with one shared input scale and one bias-free output.
    rng = np.random.default_rng(2)
    start = ScaledLinear.of(
        {"a": 0.3 * rng.normal(size=(2, 4)), "b": 0.3 * rng.normal(size=(1, 4))},
        [DirectScale(jnp.ones(4))],
        [DirectScale(jnp.ones(2), "scale_out"), DirectScale(jnp.ones(1), "scale_out")],
    )
    solution = integrate(GradientFlow(regression(), Euclidean()), start, 2.0)
    assert invariant_drift(solution) < 1e-10


@pytest.mark.slow
def test_equal_decay_of_the_imbalance():
    # Oracle 5.
    solution = integrate(decayed(0.2, 0.2), layer(), 3.0)
    c = columns(solution)
    np.testing.assert_allclose(c[-1] / c[0], np.exp(-1.2), atol=1e-8)


def group_lasso(energy, penalty, steps=3000):
    """Proximal gradient descent, the reference."""
    x, y = energy.inputs, energy.targets
    n, d = x.shape
    step = n / np.linalg.norm(x, 2) ** 2
    matrix = np.zeros((y.shape[1], d))
    for _ in range(steps):
        matrix = matrix - step * (x @ matrix.T - y).T @ x / n
        norms = np.linalg.norm(matrix, axis=0)
        matrix = matrix * np.maximum(0, 1 - step * penalty / np.maximum(norms, 1e-300))
    return matrix


@pytest.mark.slow
def test_equal_decay_ends_at_the_group_lasso():
    # Oracle 6. A dead column falls like exp of minus its excess penalty times t.
    energy = regression()
    solution = integrate(decayed(0.3, 0.3), layer(), 400.0)
    expected = group_lasso(energy, 0.3)
    end = solution[-1].value
    np.testing.assert_allclose(end.matrix(), expected, atol=1e-6)
    dead = np.linalg.norm(expected, axis=0) == 0
    assert dead.any()
    np.testing.assert_array_equal(dead_channels(end, 1e-6), dead)
    gradient = jax.grad(lambda m: energy.value(Point(m)))(jnp.asarray(expected))
    assert (np.linalg.norm(gradient, axis=0)[dead] < 0.3).all()


@pytest.mark.slow
def test_decay_orders_the_sharpness():
    # Oracle 7.
    energy = regression()
    ends = {
        rates: integrate(decayed(*rates), layer(), 200.0)[-1]
        for rates in ((0.2, 0.2), (0.0, 0.0), (0.2, 0.0))
    }
    equal, none, matrix = (sharpness(energy, end) for end in ends.values())
    assert equal < none < matrix
    least, _, *_ = np.linalg.lstsq(energy.inputs, energy.targets)
    excess = energy.value(ends[0.2, 0.0]) - energy.value(Point(jnp.asarray(least.T)))
    assert excess < 1e-2
    start = scale_report(layer())["y"]
    report = scale_report(ends[0.2, 0.0].value, layer())["y"]
    assert report.across.max() > 2 * start.across.max()
    np.testing.assert_allclose(report.amplification, report.along / start.along)


class Anisotropic(eqx.Module):
    """The inverse of along n n^T + (|g|^2 / d |v|^2) d (I - n n^T), n = g / |g|."""

    along: jax.Array
    square: jax.Array

    def __call__(self, g):
        n = g / jnp.linalg.norm(g)
        both = jnp.outer(n, n)
        across = jnp.sum(g**2) / self.square
        matrix = both / self.along + (jnp.eye(4) - both) / across
        return lx.MatrixLinearOperator(matrix, lx.positive_semidefinite_tag)


@pytest.mark.slow
@pytest.mark.parametrize("unit", [False, True])
def test_magnitude_and_direction(unit):
    # Oracle 8: the vector alone, under a quadratic loss.
    rng = np.random.default_rng(3)
    root, aim = jnp.asarray(rng.normal(size=(4, 4))), jnp.asarray(rng.normal(size=4))
    loss = lambda g: jnp.sum((root @ (g - aim)) ** 2) / 8
    start = MagnitudeDirection(2.0, rng.normal(size=4), unit=unit)
    flow = GradientFlow(Potential(lambda scale: loss(scale.vector)), Euclidean())
    solution = integrate(flow, start, 2.0)
    squares = jnp.sum(solution.measures.value.direction**2, axis=1)
    np.testing.assert_allclose(squares, squares[0], atol=1e-10)

    # s^2 d / |v|^2 across is |g|^2 / |v|^2 in both forms.
    metric = Anisotropic(jnp.array(1.0 if unit else 4.0), squares[0])
    reduced = GradientFlow(Potential(loss), Riemannian(metric, lx.Cholesky()))
    other = integrate(reduced, start.vector, 2.0)
    vectors = jax.vmap(lambda scale: scale.vector)(solution.measures.value)
    np.testing.assert_allclose(vectors, other.measures.value, atol=1e-9)


@pytest.mark.slow
def test_magnitudes_keep_the_whole_matrix_in_balance():
    rng = np.random.default_rng(4)
    start = ScaledLinear.of(
        {"a": 0.5 * rng.normal(size=(3, 4))},
        [MagnitudeDirection(1.0, rng.normal(size=4))],
        [MagnitudeDirection(1.0, rng.normal(size=3), "scale_out", unit=True)],
    )
    solution = integrate(GradientFlow(regression(), Euclidean()), start, 2.0)
    assert invariant_drift(solution) < 1e-10


@pytest.mark.slow
def test_implicit_bias_of_one_output():
    # Oracle 9: at the end the mirror image of M lies in the row space of the data.
    rng = np.random.default_rng(5)
    inputs, targets = rng.normal(size=(3, 8)), rng.normal(size=(3, 1))
    # Rows of zeros, which say nothing, for the program of oracle 12.
    inputs, targets = (
        np.vstack([a, np.zeros((5, a.shape[1]))]) for a in (inputs, targets)
    )
    energy = LinearRegression(inputs, targets)
    flow = GradientFlow(energy, ScaleVector(-1.0))
    end = integrate(flow, jnp.zeros((1, 8)), 800.0)[-1].value
    np.testing.assert_allclose(inputs @ end.T, energy.targets, atol=1e-8)
    image = np.arcsinh(2 * end[0])
    weights, *_ = np.linalg.lstsq(inputs.T, image)
    assert np.linalg.norm(inputs.T @ weights - image) < 1e-7


@pytest.mark.slow
def test_dissipation_of_the_factors():
    # Oracle 11.
    flow, mu = decayed(0.0, 0.0), Point(layer())
    value = lambda state: flow.value(mu.with_state(state))
    _, rate = jax.jvp(value, (mu.state,), (flow.velocity(mu),))
    w, g = mu.value.weight, mu.value.scales_in[0].vector
    slope = jax.grad(lambda m: regression().value(Point(m)))(mu.value.matrix())
    across = g**2 * jnp.sum(slope**2, axis=0)
    expected = jnp.sum(across + jnp.sum(w * slope, axis=0) ** 2)
    np.testing.assert_allclose(rate, -expected, atol=1e-8)
    np.testing.assert_allclose(flow.dissipation(mu), expected, atol=1e-8)


def test_least_loss_of_a_regression():
    """What is left of the targets beside the span of the inputs."""
    energy = regression()
    basis, _ = jnp.linalg.qr(energy.inputs)
    left = energy.targets - basis @ (basis.T @ energy.targets)
    np.testing.assert_allclose(energy.least, jnp.sum(left**2) / 40, rtol=1e-12)
    # One row for four inputs is met exactly.
    assert float(regression(n=1).least) == pytest.approx(0, abs=1e-28)


@pytest.mark.slow
def test_scales_never_slow_a_layer_that_starts_at_zero():
    # Oracle 12: separable data, one output.
    x = jnp.linspace(0.5, 2.0, 8)
    energy = LinearRegression(
        jnp.diag(x), jnp.array([[1.0], [-2], [0.3], [1], [4], [-1], [0.1], [2]])
    )
    flow = GradientFlow(energy, ScaleVector(-1.0))
    for t1 in (1.0, 20.0):
        scaled = integrate(flow, jnp.zeros((1, 8)), t1)
        left = jnp.exp(-jnp.outer(scaled.times, x**2 / 8))
        plain = jnp.sum((left * energy.targets[:, 0]) ** 2, axis=1) / 16
        assert (scaled.energy <= plain + 1e-12).all()
    assert scaled.energy[-1] < 0.5 * plain[-1]


@pytest.mark.slow
def test_floor_of_decay_on_an_output_norm():
    # Oracle 13.
    aim = jnp.array([3.0, -1.0, 0.5])
    scale = DirectScale(jnp.ones(3), "scale_output_norm")
    energy = Potential(lambda s: jnp.sum((s.vector - aim) ** 2) / 2)
    flow = GradientFlow(energy + Decay({"scale_output_norm": 0.1}), Euclidean())
    end = integrate(flow, scale, 30.0)[-1]
    np.testing.assert_allclose(end.value.vector, aim / 1.1, atol=1e-8)
    floor = 0.5 * (0.1 / 1.1) ** 2 * jnp.sum(aim**2)
    np.testing.assert_allclose(energy.value(end), floor, atol=1e-8)


@pytest.mark.slow
def test_gradient_through_the_solve():
    # Oracle 14.
    energy, weight = regression(), layer().weight

    @eqx.filter_jit
    @jax.value_and_grad
    def loss(g):
        start = ScaledLinear.of(weight, [DirectScale(g)])
        end = solve(GradientFlow(energy, Euclidean()), Point(start), 0.0, 1.0)
        return energy.value(end[-1])

    g, step = jnp.linspace(0.8, 1.2, 4), 1e-4
    _, gradient = loss(g)
    differences = [
        (loss(g + step * e)[0] - loss(g - step * e)[0]) / (2 * step) for e in jnp.eye(4)
    ]
    np.testing.assert_allclose(gradient, differences, rtol=1e-5)


def test_shared_scale_of_opposed_branches_stands_still():
    # Section 5: the pull of two branches on one scale cancels, separate scales move.
    both = {"a": jnp.array([[1.0]]), "b": jnp.array([[1.0]])}
    energy = EffectiveLoss(lambda m: (m[0, 0] - 2) ** 2 / 2 + m[1, 0] ** 2 / 2)
    flow = GradientFlow(energy, Euclidean())
    one, two = (
        flow.velocity(Point(ScaledLinear.of(both, (DirectScale(jnp.ones(1)),) * count)))
        for count in (1, 2)
    )
    assert one.scales_in[0].vector == 0
    assert [scale.vector[0] for scale in two.scales_in] == [1, -1]
    # The shared vector dissipates (sum of <W, G>)^2 where separate ones the sum of
    # squares.
    np.testing.assert_allclose([one.weight.sum(), two.weight.sum()], 0)


@pytest.mark.slow
def test_unequal_rates_share_the_penalty():
    # Section 4: the penalty of the function is sqrt(lw lg) sum |M_j|.
    solution = integrate(decayed(0.6, 0.15), layer(), 400.0)
    expected = group_lasso(regression(), 0.3)
    np.testing.assert_allclose(solution[-1].value.matrix(), expected, atol=1e-6)


@jax.jit
@jax.vmap
def there_and_back(c, matrix, vector):
    geometry = ScaleVector(c)
    moved = geometry.sharp(matrix, vector)
    return moved, geometry.flat(matrix, moved)


def test_geometry_inverts_and_vmaps_in_both_widths():
    rng = np.random.default_rng(6)
    c = np.array([-1.0, 0.0, 2.0, 1e-3])
    arguments = np.stack([c, -c]), *rng.normal(size=(2, 2, 3, 4))
    for dtype, rtol in ((np.float64, 1e-12), (np.float32, 1e-4)):
        narrow = [part.astype(dtype) for part in arguments]
        _, back = there_and_back(*narrow)
        assert back.dtype == dtype
        np.testing.assert_allclose(back, narrow[-1], rtol=rtol, atol=rtol)
    forward = lambda *some: there_and_back(*some)[0]
    check_grads(forward, arguments, 1, modes=["rev"], rtol=1e-6)


def test_reduced_flow_near_zero():
    # g^2 by the form that does not cancel; the dead balanced channel; and c > 0.
    matrix = jnp.array([[1e-9, 0.0, 0.0, 0.0]])
    geometry = ScaleVector(jnp.array([1.0, 0.0, -1.0, 1.0]))
    along, across = geometry.eigenvalues(matrix)
    np.testing.assert_allclose(across[:3], [1e-18, 0, 1], rtol=1e-9)
    np.testing.assert_allclose(along[:3], [1, 0, 1])
    moved = geometry.sharp(matrix, jnp.ones((1, 4)))
    np.testing.assert_allclose(moved[0, :3], [1, 0, 1])
    assert jnp.isnan(moved[0, 3])


def test_lanczos_agrees_with_the_dense_hessian(monkeypatch):
    mu = Point(layer())
    dense = sharpness(regression(), mu)
    monkeypatch.setattr("wflow.networks.scale.analysis._DENSE", 0)
    np.testing.assert_allclose(sharpness(regression(), mu), dense, rtol=1e-8)


def test_sharpness_of_a_balanced_channel():
    # Section 2: h (w^2 + g^2) at the minimum, least at c = 0.
    energy = EffectiveLoss(lambda m: 3.0 / 2 * (m[0, 0] - 2.0) ** 2)
    for w, g in ((2.0, 1.0), (2**0.5, 2**0.5)):
        start = ScaledLinear.of([[w]], [DirectScale([g])])
        found = sharpness(energy, Point(start))
        np.testing.assert_allclose(found, 3 * (w**2 + g**2), rtol=1e-10)
