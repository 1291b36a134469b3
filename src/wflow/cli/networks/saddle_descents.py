"""One draw of the saddle-to-saddle flow by several methods."""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .saddle_descent_schema import DescentConfig
from .saddle_instances import Instance


if TYPE_CHECKING:
    from wflow.networks.saddle import Course

# Beyond it exp(-scale) is no normal floating-point number.
HELD = 700.0
# Methods by number: the flow, the adaptive solve in the weights, then descents.
FLOW, WEIGHTS, FIRST = 0, 1, 2


class Run(NamedTuple):
    """One method on one draw: its cost, its jumps, and its loss in slow time."""

    method: int
    steps: float
    halves: np.ndarray
    tau: np.ndarray
    loss: np.ndarray


def run_methods(
    instances: list[Instance], scale: float, config: DescentConfig
) -> list[list[Run]]:
    """All methods on all draws from one scale."""
    import jax
    import jax.numpy as jnp

    from wflow.networks.saddle import descend, follow, half_times, stable_step

    every: list[list[Run]] = []
    for instance in instances:
        course = follow(instance.data, instance.neurons(-scale))
        every.append([_run(FLOW, course, instance, scale, int(course.steps))])
    if scale > HELD:
        return every
    for instance, runs in zip(instances, every, strict=True):
        course = _solve_weights(instance, scale, config)
        if bool(course.finished):
            runs.append(_run(WEIGHTS, course, instance, scale, int(course.steps)))
    stacked = lambda trees: jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)
    data = stacked([i.data for i in instances])
    neurons = stacked([i.neurons(-scale) for i in instances])
    limit = stacked([i.limit for i in instances])
    end = max(float(i.limit.horizon(-scale)) for i in instances)
    for number, share in enumerate(config.step_shares):
        step = share * min(float(stable_step(i.data)) for i in instances)
        # Jumps are late by half the share at most.
        stride = math.ceil(end * (1 + share / 2) / step / config.points)

        def one(
            data: Any, neurons: Any, limit: Any, step: float = step, k: int = stride
        ) -> tuple:
            course = descend(data, neurons, step, points=config.points, stride=k)
            return course.times, course.loss, half_times(course, limit)

        times, loss, halves = map(
            np.asarray, jax.jit(jax.vmap(one))(data, neurons, limit)
        )
        for k, (instance, runs) in enumerate(zip(instances, every, strict=True)):
            rest = float(instance.limit.plateau_losses[-1])
            there = loss[k] <= rest + 1e-3 * loss[k][0]
            steps = stride * int(np.argmax(there)) if there.any() else math.nan
            runs.append(
                Run(FIRST + number, steps, halves[k], times[k] / scale, loss[k])
            )
    return every


def _run(
    method: int, course: "Course", instance: Instance, scale: float, steps: int
) -> Run:
    from wflow.networks.saddle import half_times

    halves = np.asarray(half_times(course, instance.limit))
    return Run(
        method,
        steps,
        halves,
        np.asarray(course.times) / scale,
        np.asarray(course.loss),
    )


def _solve_weights(instance: Instance, scale: float, config: DescentConfig) -> "Course":
    """An adaptive solve in (a, w), its absolute tolerance far below the scale.

    It may not end within ``max_steps``: units that die are followed down to nothing.
    """
    import diffrax
    import jax
    import jax.numpy as jnp

    from wflow.energies import NetworkRisk
    from wflow.flows import GradientFlow
    from wflow.geometries import Wasserstein
    from wflow.measures import Particles
    from wflow.networks.saddle import course_through, from_weights
    from wflow.solve import RESULTS, solve

    data, neurons = instance.data, instance.neurons(-scale)
    m = neurons.m
    # Particles of mass 1/m move as sqrt(m) times the weights.
    weights = jnp.column_stack(
        [neurons.output, neurons.ratio * jnp.exp(neurons.level)[:, None]]
    )
    inputs = jnp.eye(data.n)
    flow = GradientFlow(
        NetworkRisk(lambda v, z: v[0] * jax.nn.relu(v[1:] @ z), inputs, data.y),
        Wasserstein(),
    )
    end = float(instance.limit.horizon(-scale))
    solution = solve(
        flow,
        Particles.from_samples(m**0.5 * weights),
        0.0,
        end,
        times=np.linspace(0, end, config.points + 1)[1:],
        solver=diffrax.Tsit5(),
        stepsize_controller=diffrax.PIDController(
            config.rtol, config.rtol * math.exp(-scale)
        ),
        max_steps=config.max_steps,
        throw=False,
    )
    states = solution.measures.x / m**0.5
    along = jax.vmap(lambda v: from_weights(data, v[:, 0], v[:, 1:]))(states)
    return course_through(
        data,
        solution.times,
        along,
        solution.counts["num_steps"],
        solution.result == RESULTS.successful,
    )
