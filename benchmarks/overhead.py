"""What wflow adds to Diffrax and to a bare scan: first calls, warm calls, rollouts.

    python benchmarks/overhead.py [--first 3] [--repeats 200]

Every first call runs in a process of its own, since compiled programs stay
in one. Its processor time is compared, which other jobs disturb less.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from harness import report

import wflow as wf
from wflow.solvers._rollout import rollout, start_rollout
from wflow.solvers.fixed_step import fixed_step


TITLE = "Overhead"
NOTE = (
    "First calls: median processor seconds, each in a new process, with tracing and "
    "compiling. Warm calls: least of many, in ms; the peers take turns. `ratio` is to "
    "the first row of a case."
)
PARTICLES, STEPS = 50, 16
TIMES = np.linspace(0, 1, 5)


def potential(x):
    """A well that is not quadratic."""
    return jnp.sum(x**2) / 2 + jnp.sum(x**4) / 10


FLOW = wf.GradientFlow(wf.energies.Potential(potential), wf.Wasserstein())
TOLERANCES = {"rtol": 1e-4, "atol": 1e-6}  # those of wflow in float32


def by_wflow(x: Any) -> Any:
    """Positions at the saved times."""
    mu = wf.Particles(x, jnp.zeros(len(x), x.dtype))
    return wf.solve(FLOW, mu, 0.0, 1.0, times=TIMES).measures.x


@eqx.filter_jit
def _by_diffrax(state: Any) -> Any:
    def rate(t: Any, y: Any, args: Any) -> Any:
        return -jax.vmap(jax.grad(potential))(y[0]), jnp.zeros_like(y[1])

    return diffrax.diffeqsolve(
        diffrax.ODETerm(rate),
        diffrax.Tsit5(),
        0.0,
        1.0,
        None,
        state,
        saveat=diffrax.SaveAt(ts=jnp.asarray(TIMES, state[0].dtype)),
        stepsize_controller=diffrax.PIDController(**TOLERANCES),
    ).ys


def by_diffrax(x: Any) -> Any:
    """The same state, positions and log-weights, saved at the same times."""
    return _by_diffrax((x, jnp.zeros(len(x), x.dtype)))[0]


SOLVES = {"diffeqsolve": by_diffrax, "wflow.solve": by_wflow}


def points() -> Any:
    """Where the particles start."""
    draws = np.random.default_rng(0).normal(size=(PARTICLES, 2))
    return jnp.asarray(draws, jnp.float32)


def gradient_of(run: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The gradient of a loss of what is saved."""
    return jax.grad(lambda x: jnp.sum(run(x) ** 2))


def first_call(peer: str, work: str) -> float:
    """Processor seconds of the first call in this process."""
    run = SOLVES[peer] if work == "solve" else gradient_of(SOLVES[peer])
    x = jax.block_until_ready(points() + 1)
    begin = time.process_time()
    jax.block_until_ready(run(x))
    return time.process_time() - begin


def in_new_process(peer: str, work: str) -> float:
    """The same in a process of its own."""
    command = [sys.executable, __file__, "--child", peer, work]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def warm(runs: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Least time of a call, in ms, of peers that take turns."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        jax.block_until_ready(run())
    for _ in range(repeats):
        for name, run in runs.items():
            begin = time.perf_counter()
            jax.block_until_ready(run())
            times[name].append(time.perf_counter() - begin)
    return {name: 1e3 * min(seconds) for name, seconds in times.items()}


def rollouts() -> dict[str, Callable[[], Any]]:
    """Value and gradient of 16 steps in the weights of an energy, an evaluation each.

    Heun's method takes two evaluations a step, so that it takes half as many.
    """
    energy = wf.energies.MLPPotential(2, width=64, depth=3, key=jax.random.key(0))
    x = points()
    logw = jnp.full(len(x), -jnp.log(len(x)))
    h = 1 / STEPS

    @eqx.filter_jit
    @eqx.filter_value_and_grad
    def leapfrog(energy: Any, x: Any) -> Any:
        flow, mu = wf.LagrangianFlow(energy, 0.5), wf.Particles(x, logw)
        start = start_rollout(flow, wf.Phase(mu, jnp.zeros_like(x)), 0.0)
        return jnp.sum(rollout(flow, mu, start, 0.0, h, STEPS).x ** 2)

    def generic(flow_of: Callable[[Any], Any], measure_of: Callable[[Any], Any]):
        @eqx.filter_jit
        @eqx.filter_value_and_grad
        def value(energy: Any, x: Any) -> Any:
            flow, start = flow_of(energy), measure_of(x)

            @jax.checkpoint
            def step(state: Any, k: Any) -> Any:
                mu = start.with_state(state)
                return fixed_step(flow, mu, 2 * k * h, jnp.float32(2 * h)).state, None

            steps = jnp.arange(STEPS // 2, dtype=x.dtype)
            end = jax.lax.scan(step, start.state, steps)[0]
            return jnp.sum(jax.tree.leaves(end)[0] ** 2)  # the positions

        return value

    first = generic(
        lambda energy: wf.GradientFlow(energy, wf.Wasserstein()),
        lambda x: wf.Particles(x, logw),
    )
    second = generic(
        lambda energy: wf.LagrangianFlow(energy, 0.5),
        lambda x: wf.Phase(wf.Particles(x, logw), jnp.zeros_like(x)),
    )
    return {
        "leapfrog rollout": lambda: leapfrog(energy, x),
        "generic, GradientFlow": lambda: first(energy, x),
        "generic, LagrangianFlow": lambda: second(energy, x),
    }


def rows_of(case: str, unit: str, figures: dict[str, float]) -> list[dict[str, Any]]:
    """One row a peer, with its ratio to the first."""
    base = next(iter(figures.values()))
    return [
        {"case": case, "peer": name, "figure": figure, "unit": unit,
         "ratio": figure / base}
        for name, figure in figures.items()
    ]  # fmt: skip


def main():
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=3, help="processes a first call")
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(first_call(*arguments.child)))
        return
    rows = []
    for work in ("solve", "gradient"):
        found = {peer: [] for peer in SOLVES}
        for _ in range(arguments.first):
            for peer, seconds in found.items():
                seconds.append(in_new_process(peer, work))
        medians = {peer: statistics.median(s) for peer, s in found.items()}
        rows += rows_of(f"first call, {work}", "CPU s", medians)
    x = points()
    solves = {name: lambda run=run: run(x) for name, run in SOLVES.items()}
    rows += rows_of("warm call", "ms", warm(solves, arguments.repeats))
    rows += rows_of("16 evaluations", "ms", warm(rollouts(), arguments.repeats))
    report(TITLE, rows, [], NOTE)


if __name__ == "__main__":
    main()
