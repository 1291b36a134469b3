"""The flow in logarithmic scale against closed forms and against its limit."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.flows import GradientFlow
from wflow.geometries import Wasserstein
from wflow.measures import Particles, Point, UnsupportedMeasureError
from wflow.networks import NetworkRisk
from wflow.networks.saddle import ReLUData, ReLUFlow, follow, small_neurons
from wflow.networks.saddle.course import course_of
from wflow.networks.saddle.flow import plateau_controller
from wflow.networks.saddle.jumps import limit_of_cover
from wflow.networks.saddle.neurons import LogNeurons
from wflow.networks.saddle.norms import tangent_kernel
from wflow.networks.saddle.plateaus import plateau_motion, time_to_level
from wflow.networks.saddle.staircases import half_times, staircase
from wflow.solvers import solve


Y = np.array([1.0, 2.0, 2.0, -1.5])
SIGN = jnp.array([1, 1, -1])
ON = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]], bool)


def run(data, neurons, end, times=None):
    """One compiled solve for all tests: three neurons, four samples, 400 times."""
    return solve(
        ReLUFlow(data),
        Point(neurons),
        0.0,
        float(end),
        times=np.linspace(0, end, 401)[1:] if times is None else times,
        stepsize_controller=plateau_controller(data, 1e-9, 1e-11),
        max_steps=65536,
    )


def hand(level=-100.0):
    p = np.where(ON, 0.5, -0.5)
    return LogNeurons(jnp.full(3, level), p, jnp.zeros(3), SIGN)


def test_one_neuron_is_logistic():
    """Aligned with its samples, from exp(-20); the two others are off."""
    y = np.array([1.0, 0.5, 2.0, 1.0])
    size = np.sqrt(y[:3] @ y[:3])
    p = -0.5 * np.ones((3, 4))
    p[0] = [*(y[:3] / size), -0.1]
    data = ReLUData.orthogonal(y, normalizer=3.0)
    neurons = LogNeurons(-20.0 * jnp.ones(3), p, jnp.zeros(3), SIGN)
    solution = run(data, neurons, 80.0)
    squares = np.exp(2 * np.asarray(solution.measures.value.level[:, 0]))
    growth = np.exp(-2 * size * np.asarray(solution.times) / 3)
    exact = size / (1 + (size * np.exp(40) - 1) * growth)
    np.testing.assert_allclose(squares, exact, atol=1e-7)
    # All residuals fall by one factor; what is off stays off.
    residual = np.asarray(solution.evaluate(lambda mu, t: ReLUFlow(data).residual(mu)))
    factor = 1 - squares / size
    np.testing.assert_allclose(
        residual[:, :3] / y[:3], factor[:, None] * [1, 1, 1], atol=1e-7
    )
    np.testing.assert_array_equal(residual[:, 3], 1)
    # Rates at the end: R once for each sample, and once more along the labels.
    final = solution[-1].value
    rates = np.linalg.eigvalsh(tangent_kernel(data, final))
    np.testing.assert_allclose(rates, [0, size, size, 2 * size], atol=1e-6)


@pytest.mark.slow
def test_hand_example_converges_to_its_limit():
    """Halfway times as measured; extrapolated they are the limit's to 2e-3."""
    data = ReLUData.orthogonal(Y)
    limit = limit_of_cover(data, jnp.asarray(ON), SIGN)
    slow = {}
    for scale in (100.0, 400.0):
        end = float(limit.horizon(-scale))
        near = scale * np.asarray(limit.tau)[:, None] + np.linspace(-20, 20, 133)
        times = np.sort(np.append(near.ravel(), end))
        course = course_of(run(data, hand(-scale), end, times))
        slow[scale] = np.asarray(half_times(course, limit)) / scale
        np.testing.assert_allclose(
            np.exp(2 * course.final.level)[limit.neuron], limit.value, atol=1e-6
        )
        # Signs of the outputs are those of the labels.
        f = data.y - course.residual
        assert (np.asarray(f) * Y >= -1e-12).all()
        assert (np.diff(np.asarray(course.loss)) <= 1e-9).all()
    # Measured elsewhere as the first of the saved times: a grid's width late.
    np.testing.assert_allclose(slow[100.0], [1.424, 2.264, 2.682], atol=3e-3)
    np.testing.assert_allclose(slow[400.0], [1.4168, 2.2552, 2.6704], atol=1e-3)
    # The third is alone: its first-order correction is exact.
    alone = (400 + np.log(1.5) / 2 - np.log(0.75)) / 0.375 / 400
    assert slow[400.0][2] == pytest.approx(alone, abs=1e-6)
    extrapolated = (4 * slow[400.0] - slow[100.0]) / 3
    np.testing.assert_allclose(extrapolated, limit.tau, atol=2e-3)
    # The first jump to first order is that of the flow.
    goal = jnp.log(limit.value[0]) / 2
    first = time_to_level(data, hand(-400.0), data.y, goal)[1] / 400
    assert float(first) == pytest.approx(slow[400.0][0], abs=1e-4)


def test_ties_depend_on_the_start():
    """Both jump together from equal starts; a start of ratio 2 shifts the shares."""
    data = ReLUData.orthogonal(np.ones(4))
    p = -0.5 * np.ones((3, 4))
    p[0, :3] = p[1, 1:] = 0.5
    sign = jnp.array([1, 1, -1])
    for shift, expected in ((0.0, [1.2247449] * 2), (np.log(2), [1.0907, 1.3993])):
        level = jnp.array([-50.0, -50.0 + shift, -50.0])
        neurons = LogNeurons(level, p, jnp.zeros(3), sign)
        solution = run(data, neurons, 400.0)
        final = np.exp(2 * np.asarray(solution.measures.value.level[-1, :2]))
        np.testing.assert_allclose(final, expected, atol=1e-4)


@pytest.mark.slow
def test_balance_and_dissipation():
    """A start with wrong-sign units: ratios stay on the sphere, dead units dead."""
    data = ReLUData.orthogonal(Y)
    neurons = small_neurons(jax.random.key(2), 3, data, -8.0)
    solution = run(data, neurons, 60.0)
    states = solution.measures.value
    sums = np.sum(np.asarray(states.ratio) ** 2, axis=-1)
    np.testing.assert_allclose(sums, 1, atol=1e-8)
    active = np.asarray(states.active)
    assert not (active[1:] & ~active[:-1]).any()
    flow = solution.flow
    # dF/dt is minus the squared gradient, along the flow's own velocity.
    state = solution[150]
    _, rate = jax.jvp(
        lambda s: flow.value(state.with_state(s)),
        (state.state,),
        (flow.velocity(state),),
    )
    assert float(rate) == pytest.approx(-float(flow.dissipation(state)), rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("dim", [4, 6])
def test_rates_are_those_of_the_weights(dim):
    """Chain rule from the gradient in (a, w), by a risk of particles of mass 1/m."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(4, dim))
    data = ReLUData.from_inputs(x, Y)
    m = 5
    a = rng.uniform(0.5, 2, m) * rng.choice([-1, 1], m)
    w = 0.5 * rng.normal(size=(m, dim))
    theta = jnp.asarray(m**0.5 * np.column_stack([a, w]))
    risk = NetworkRisk(lambda v, z: v[0] * jax.nn.relu(v[1:] @ z), x, jnp.asarray(Y))
    moved, _ = GradientFlow(risk, Wasserstein()).velocity(Particles.from_samples(theta))
    da, dw = np.asarray(moved[:, 0]) / m**0.5, np.asarray(moved[:, 1:]) / m**0.5
    size = np.abs(a)
    rest = np.linalg.norm(w - (w @ np.linalg.pinv(x)) @ x, axis=1)
    neurons = LogNeurons(
        np.log(size), w @ x.T / size[:, None], rest / size, jnp.sign(a).astype(int)
    )
    rates = ReLUFlow(data).velocity(Point(neurons))
    np.testing.assert_allclose(rates.level, da / a, rtol=1e-9)
    expected = (dw @ x.T - (w @ x.T) * (da / a)[:, None]) / size[:, None]
    np.testing.assert_allclose(rates.ratio, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        neurons.norm_squared(data), a @ a + np.sum(w**2), rtol=1e-9
    )


@pytest.mark.slow
def test_plateaus_are_exact():
    """Against the solver, through deaths of units, while neurons are small."""
    data = ReLUData.orthogonal(Y)
    p = np.array([[0.5, 0.1, 0.6, 0.05], [-0.5, 0.4, 0.3, 0.6], [0.3, 0.1, 0.1, 0.6]])
    neurons = LogNeurons(jnp.array([-60.0, -61, -60]), p, jnp.full(3, 0.2), SIGN)
    solution = run(data, neurons, 40.0)
    move = jax.jit(jax.vmap(lambda t: plateau_motion(data, neurons, data.y, t)))
    exact = move(solution.times)
    found = solution.measures.value
    np.testing.assert_allclose(exact.level, found.level, atol=1e-7)
    np.testing.assert_allclose(
        np.maximum(exact.ratio, 0), np.maximum(found.ratio, 0), atol=1e-7
    )
    np.testing.assert_allclose(exact.rest, found.rest, atol=1e-7)
    # A level and the time at which it is reached.
    goal = found.level[200]
    when = jax.vmap(lambda goal: time_to_level(data, neurons, data.y, goal))(goal)
    np.testing.assert_allclose(np.diag(when), solution.times[200], atol=1e-6)


@pytest.mark.slow
def test_conservation_in_weights():
    """Standard form: a^2 - |w|^2 of every neuron stays, at rtol 1e-6."""
    rng = np.random.default_rng(0)
    theta = rng.normal(size=(3, 5)) * 0.3
    risk = NetworkRisk(
        lambda v, z: v[0] * jax.nn.relu(v[1:] @ z), jnp.eye(4), jnp.asarray(Y)
    )
    solution = solve(
        GradientFlow(risk, Wasserstein()),
        Particles.from_samples(theta),
        0.0,
        20.0,
        times=np.linspace(0, 20, 21)[1:],
        stepsize_controller=diffrax.PIDController(1e-6, 1e-9),
    )
    x = np.concatenate([theta[None], np.asarray(solution.measures.x)])
    # Particles of mass 1/3 are sqrt(3) times the weights.
    balance = (x[..., 0] ** 2 - np.sum(x[..., 1:] ** 2, axis=-1)) / 3
    np.testing.assert_allclose(balance, balance[:1] + 0 * balance, atol=1e-6)
    assert np.abs(np.diff(x, axis=0)).max() > 0.1


def test_refuses_what_it_cannot_move():
    flow = ReLUFlow(ReLUData.orthogonal(Y))
    with pytest.raises(UnsupportedMeasureError, match="Point of LogNeurons"):
        flow.velocity(Point(jnp.ones(3)))
    with pytest.raises(ValueError, match="log_scale = 0.5 is not a small"):
        staircase(None, None, 0.5)


@pytest.fixture(scope="module")
def instance():
    """Twelve samples, eight neurons, jumps of both signs more than .1 apart, N = 1."""
    keys = jax.random.split(jax.random.key(5), 256)

    def draw(key):
        sizes, signs, start = jax.random.split(key, 3)
        y = jax.random.uniform(sizes, (12,), minval=0.5, maxval=1.5)
        y = y * jax.random.rademacher(signs, (12,), y.dtype)
        data = ReLUData.orthogonal(y, normalizer=1.0)
        neurons = small_neurons(start, 8, data, -1.0)
        return data, neurons, limit_of_cover(data, neurons.active, neurons.sign)

    drawn = jax.jit(jax.vmap(draw))(keys)
    tau, limit = np.asarray(drawn[2].tau), drawn[2]
    apart = np.array([np.diff(t[np.isfinite(t)]).min(initial=np.inf) for t in tau])
    fits = (apart > 0.1) & (np.asarray(limit.gap).min(axis=1) > 0.1)
    fits &= np.asarray(limit.count) >= 3
    first = int(np.flatnonzero(fits)[0])
    return jax.tree.map(lambda leaf: leaf[first], drawn)


@pytest.mark.slow
def test_staircase_of_a_random_instance(instance):
    """Plateaus and jumps at 50, 200 and 1000; steps do not grow with the scale."""
    data, start, limit = instance
    move = lambda scale: eqx.tree_at(lambda s: s.level, start, start.level + 1 - scale)
    steps, errors, jumps = {}, {}, {}
    for scale in (7.0, 200.0, 1000.0, 1e5):
        course = follow(data, move(scale))
        steps[scale] = int(course.steps)
        found = staircase(course, limit, -scale)
        errors[scale] = float(jnp.max(found.plateau_errors))
        jumps[scale] = np.asarray(found.jumps)[: int(limit.count)]
    assert errors[200.0] < 1e-3
    assert errors[1000.0] < 1e-9
    assert max(steps[200.0], steps[1000.0], steps[1e5]) <= steps[7.0]
    tau = np.asarray(limit.tau)[: int(limit.count)]
    extrapolated = (1000 * jumps[1000.0] - 200 * jumps[200.0]) / 800
    np.testing.assert_allclose(extrapolated, tau, atol=1e-3)
    np.testing.assert_allclose(jumps[1e5], tau, atol=1e-3)

    # One long solve of the same flow: half as much again for its own tolerance.
    end = float(limit.horizon(-200.0))
    near = np.asarray(limit.tau)[: int(limit.count), None] * 200 + np.linspace(
        -60, 60, 120
    )
    times = np.unique(np.concatenate([near.ravel(), [end]]))
    plain = solve(
        ReLUFlow(data),
        Point(move(200.0)),
        0.0,
        end,
        times=times[(times > 0) & (times <= end)],
        stepsize_controller=plateau_controller(data, 1e-8, 1e-10),
        max_steps=65536,
    )
    reference = staircase(course_of(plain), limit, -200.0)
    np.testing.assert_allclose(
        reference.jumps[: int(limit.count)], jumps[200.0], atol=1e-4
    )
    assert int(plain.stats["num_steps"]) > 3 * steps[200.0]


@pytest.mark.slow
def test_course_maps_and_differentiates():
    """Levels at the end in the labels against differences; float32 to its tolerance."""
    data = ReLUData.orthogonal(Y)

    few = {"stretches": 5, "points": 2, "max_steps": 512}

    def norm(y):
        course = follow(ReLUData.orthogonal(y), hand(-80.0), **few)
        return course.final.norm_squared(data), course.finished

    h = 1e-4
    steps = jnp.asarray(np.stack([Y, Y + h * np.eye(4)[1], Y - h * np.eye(4)[1]]))
    both = jax.jit(jax.vmap(jax.value_and_grad(norm, has_aux=True)))
    (values, finished), slopes = both(steps)
    assert np.asarray(finished).all()
    assert float(values[0]) == pytest.approx(10.6568542, abs=1e-5)
    change = float(values[1] - values[2]) / (2 * h)
    assert float(slopes[0, 1]) == pytest.approx(change, rel=1e-3)

    single = jax.tree.map(
        lambda leaf: leaf.astype(jnp.float32) if eqx.is_inexact_array(leaf) else leaf,
        (data, hand(-80.0)),
    )
    course = follow(*single, **few)
    assert course.final.level.dtype == jnp.float32
    found = float(course.final.norm_squared(single[0]))
    assert found == pytest.approx(10.65685, rel=1e-3)
