"""The whole way from a small start: plateaus exactly, jumps by the solver."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from wflow.checks import count, finite, instance, known, positive, shape, to_real
from wflow.measures import Point
from wflow.solvers import RESULTS, Solution, SolveError, solve

from .data import ReLUData
from .flow import ReLUFlow, plateau_controller
from .neurons import LogNeurons
from .plateaus import plateau_motion, time_to_level


class Course(eqx.Module):
    """Neurons at times in order: the start, then S stretches of T times in a row.

    Attributes:
        times: of all stretches.
        neurons: at these times, a leading axis on every array.
        residual: $y - f(x)$ there.
        growth: of the levels there.
        data: the samples.
        steps: of the solver, in all.
        finished: whether the flow has come to rest.
    """

    times: Float[Array, " K"]
    neurons: LogNeurons
    residual: Float[Array, "K n"]
    growth: Float[Array, "K m"]
    data: ReLUData
    steps: Int[Array, ""]
    finished: Bool[Array, ""]

    @property
    def loss(self) -> Float[Array, " K"]:
        """The loss at the times."""
        return jax.vmap(self.data.loss)(self.residual)

    @property
    def final(self) -> LogNeurons:
        """Neurons at the end."""
        return jax.tree.map(lambda leaf: leaf[-1], self.neurons)


def course_of(solution: Solution) -> Course:
    """The course of a plain ``solve`` of a ``ReLUFlow``: any inputs, one stretch.

    Raises:
        TypeError: a solution of another flow.
    """
    flow = getattr(solution, "flow", None)
    if not isinstance(flow, ReLUFlow):
        raise TypeError(
            "course_of: expected solution to be that of a ReLUFlow, found one of "
            f"{type(flow).__name__}."
        )
    return course_through(
        flow.data,
        solution.times,
        solution.measures.value,
        solution.counts["num_steps"],
        solution.result == RESULTS.successful,
    )


def course_through(
    data: ReLUData,
    times: Float[Array, " K"],
    neurons: LogNeurons,
    steps: Int[Array, ""],
    finished: Bool[Array, ""],
) -> Course:
    """The course of neurons that another method moved; a leading axis for the times.

    Raises:
        TypeError: data or neurons that are none.
        ValueError: shapes that do not fit.
    """
    instance("course_through", "data", data, ReLUData, "a ReLUData")
    instance("course_through", "neurons", neurons, LogNeurons, "LogNeurons")
    times = to_real(times, "times")
    shape("course_through", "times", times, ("K",))
    finite("course_through", "times", times)
    shape("course_through", "neurons", neurons.ratio, (*times.shape, "m", data.n))
    residual, growth = _along(ReLUFlow(data), neurons)
    return Course(times, neurons, residual, growth, data, steps, finished)


@eqx.filter_jit
def _along(flow: ReLUFlow, states: LogNeurons) -> tuple[Array, Array]:
    """Residuals and growths of neurons with a leading axis."""

    def at(neurons: LogNeurons) -> tuple[Array, Array]:
        mu = Point(neurons)
        return flow.residual(mu), flow.velocity(mu).level

    return jax.vmap(at)(states)


def follow(
    data: ReLUData,
    neurons: LogNeurons,
    *,
    stretches: int | None = None,
    points: int = 200,
    rtol: float | None = None,
    tolerance: float | None = None,
    max_steps: int = 4096,
    throw: bool = True,
) -> Course:
    """Train from saddle to saddle to the end, as quickly at any small scale.

    The

    The ``ReLUFlow`` until it rests, at a cost that no small scale raises.

    While every neuron with $a_j^2 >$ ``tolerance`` rests, the others move exactly
    (``plateau_motion``) until the first has come so far; then ``solve`` takes over for
    as long as a jump needs. Only the error of the latter, ``rtol``, and ``tolerance``
    relative to 1, separate this from one long solve.

    Args:
        data: orthogonal samples.
        neurons: at time 0.
        stretches: of the solver; by default 2 min(m, n) + 2, twice what jumps apart
            need.
        points: saved times of each.
        rtol: of the solver; 1e-7, in float32 1e-4.
        tolerance: of $a_j^2$; its root is that of a residual relative to its label.
            1e-10, in float32 1e-6.
        max_steps: of the solver in each stretch.
        throw: raise where the flow has not come to rest.

    Raises:
        ValueError: inputs that are not orthogonal, a neuron with $|a_j| < |w_j|$ (whose
            sign may flip: ``descend`` moves it), or numbers out of range.
        SolveError: it has not come to rest in so many stretches.
    """
    instance("follow", "data", data, ReLUData, "a ReLUData")
    instance("follow", "neurons", neurons, LogNeurons, "LogNeurons")
    shape("follow", "neurons", neurons.ratio, (neurons.m, data.n))
    data.require_orthogonal("follow")
    neurons.require_dominated("follow", data)
    stretches = 2 * min(neurons.m, data.n) + 2 if stretches is None else stretches
    count("follow", "stretches", stretches)
    count("follow", "points", points)
    count("follow", "max_steps", max_steps)
    for name, number in (("rtol", rtol), ("tolerance", tolerance)):
        if number is not None:
            shape("follow", name, number, ())
            positive("follow", name, number)
    double = neurons.level.dtype.itemsize == 8
    rtol = (1e-7 if double else 1e-4) if rtol is None else rtol
    tolerance = (1e-10 if double else 1e-6) if tolerance is None else tolerance
    course = _follow(data, neurons, stretches, points, rtol, tolerance, max_steps)
    finished = known(course.finished)
    if throw and finished is not None and not finished:
        raise SolveError(
            f"follow: not at rest after {stretches} stretches, at t = "
            f"{float(course.times[-1]):.6g}; jumps are close. Give more stretches."
        )
    return course


@eqx.filter_jit
def _follow(
    data: ReLUData,
    neurons: LogNeurons,
    count: int,
    points: int,
    rtol: float,
    tolerance: float,
    max_steps: int,
) -> Course:
    flow = ReLUFlow(data)
    dtype = neurons.level.dtype
    threshold = jnp.log(jnp.asarray(tolerance, dtype)) / 2
    # A residual that is forgotten fades within 1 / rate: it moves levels by as much.
    faint = tolerance**0.5 * jnp.abs(data.y)
    slowest = jnp.min(jnp.abs(data.y)) / data.normalizer
    controller = plateau_controller(data, rtol, rtol / 100)
    shares = jnp.linspace(0, 1, points + 1, dtype=dtype)[1:]

    def stretch(carry: tuple, _: None) -> tuple[tuple, tuple]:
        neurons, time = carry
        residual = flow.residual(Point(neurons))
        residual = jnp.where(jnp.abs(residual) > faint, residual, 0)
        large = neurons.level > threshold
        # Whether no large neuron wants anything.
        quiet = ~jnp.any(large[:, None] & neurons.active & (residual != 0))
        waits = time_to_level(data, neurons, residual, threshold)
        waits = jnp.where(large, jnp.inf, waits)
        first = jnp.argmin(waits)
        over = quiet & jnp.isinf(waits[first])
        skips = quiet & ~over
        wait = jnp.where(skips, waits[first], 0)
        moved = plateau_motion(data, neurons, residual, wait)
        moved = _where(large | ~skips, neurons, moved)
        # As long up to its end as the first neuron had from there, and as long again
        # for what it leaves to fade; a pause where nothing is left to come.
        growth = flow.velocity(Point(moved)).level[first]
        rate = jnp.where(skips, jnp.maximum(growth, slowest / 4), slowest)
        length = jnp.where(over, 1, -2 * threshold) / rate
        start = time + wait
        end = start + length
        solution = solve(
            flow,
            Point(moved),
            start,
            end,
            times=start + length * shares,
            solver=diffrax.Tsit5(),
            stepsize_controller=controller,
            max_steps=max_steps,
            throw=False,
        )
        states: LogNeurons = solution.measures.value
        last = jax.tree.map(lambda leaf: leaf[-1], states)
        steps = solution.counts["num_steps"]
        fine = solution.result == RESULTS.successful
        along = (solution.times, states, *_along(flow, states))
        return (last, end), (along, steps, fine, over)

    carry = (neurons, jnp.zeros((), dtype))
    _, (along, steps, fine, over) = jax.lax.scan(stretch, carry, length=count)
    start = jax.tree.map(lambda leaf: leaf[None], neurons)
    whole = jax.tree.map(
        lambda first, rest: jnp.concatenate(
            [first, rest.reshape(-1, *first.shape[1:])]
        ),
        (jnp.zeros(1, dtype), start, *_along(flow, start)),
        along,
    )
    times, states, residual, growth = whole
    finished = over[-1] & jnp.all(fine)
    return Course(times, states, residual, growth, data, jnp.sum(steps), finished)


def _where(mask: Array, new: LogNeurons, old: LogNeurons) -> LogNeurons:
    """Neuron by neuron."""
    choose = lambda a, b: jnp.where(mask.reshape(-1, *(1,) * (a.ndim - 1)), a, b)
    return jax.tree.map(choose, new, old)
