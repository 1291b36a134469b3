"""The flow in the weights themselves, which a small start makes dear."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from wflow.checks import count, instance, positive, shape
from wflow.flows import GradientFlow
from wflow.geometries import Wasserstein
from wflow.measures import Particles
from wflow.networks.network_risk import NetworkRisk
from wflow.solvers import RESULTS, solve

from .course import Course, course_through
from .data import ReLUData
from .descent import require_representable
from .neurons import LogNeurons, from_weights


def solve_weights(
    data: ReLUData,
    neurons: LogNeurons,
    end: ArrayLike,
    *,
    points: int = 200,
    rtol: float = 1e-7,
    atol: float = 1e-9,
    max_steps: int = 50_000,
) -> Course:
    r"""The gradient flow in $(a_j, w_j)$ until ``end``, by steps of an adaptive solver.

    What ``follow`` is compared with: neurons as particles of mass $1/m$ that move along
    the Wasserstein gradient of the risk. Any inputs. Plateaus are stepped through, and
    units that die are followed down to nothing.

    Args:
        data: samples.
        neurons: at time 0; all $|a_j|$ have to be floating-point numbers.
        end: of the time.
        points: saved states, besides the start.
        rtol: of the solver.
        atol: of the weights; it should be far below those of the start.
        max_steps: of the solver.

    Returns:
        The course at equal distances in time; ``finished`` where the solver came to the
        end in so many steps.

    Raises:
        TypeError: data or neurons that are none, or numbers that are not whole.
        ValueError: numbers out of range, or a start whose exponential underflows.
    """
    instance("solve_weights", "data", data, ReLUData, "a ReLUData")
    instance("solve_weights", "neurons", neurons, LogNeurons, "LogNeurons")
    shape("solve_weights", "neurons", neurons.ratio, (neurons.m, data.n))
    for name, number in (("end", end), ("rtol", rtol), ("atol", atol)):
        shape("solve_weights", name, number, ())
        positive("solve_weights", name, number)
    count("solve_weights", "points", points)
    count("solve_weights", "max_steps", max_steps)
    require_representable("solve_weights", neurons)
    m, sizes = neurons.m, jnp.exp(neurons.level)
    # Inputs with these products, in as many dimensions as there are samples.
    if data.gram.ndim == 1:
        inputs = jnp.diag(jnp.sqrt(data.gram))
    else:
        inputs = jnp.linalg.cholesky(data.gram)
    activation = neurons.ratio * sizes[:, None]
    w = jax.scipy.linalg.solve_triangular(inputs, activation.T, lower=True).T
    flow = GradientFlow(NetworkRisk(_neuron, inputs, data.y), Wasserstein())
    # The risk is a mean over n, where the flow's loss is a sum over N.
    times = np.linspace(0, float(end), points + 1)
    slower = data.n / data.normalizer
    # Particles of mass 1/m move as sqrt(m) times the weights.
    solution = solve(
        flow,
        Particles.from_samples(m**0.5 * jnp.column_stack([neurons.output, w])),
        0.0,
        slower * end,
        times=slower * times,
        solver=diffrax.Tsit5(),
        stepsize_controller=diffrax.PIDController(rtol, atol),
        max_steps=max_steps,
        throw=False,
    )
    states = solution.measures.x / m**0.5
    along = jax.vmap(
        lambda v: from_weights(data, v[:, 0], v[:, 1:] @ inputs.T, neurons.rest * sizes)
    )(states)
    return course_through(
        data,
        jnp.asarray(times, neurons.level.dtype),
        along,
        solution.counts["num_steps"],
        solution.result == RESULTS.successful,
    )


# Here and not in the function, so that calls share what is compiled.
def _neuron(v: Array, x: Array) -> Array:
    return v[0] * jax.nn.relu(v[1:] @ x)
