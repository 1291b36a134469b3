"""What finite samples and finite steps add to the mean field of quadratic networks."""

import warnings

import diffrax
import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow.checks import count, instance, known, positive, shape
from wflow.measures import Gaussian, Particles

from .risks import QuadraticRisk
from .sampled import SampledQuadraticRisk
from .student import Student
from .tangent import stable_step
from .widths import check_grid, follow


def descend(
    student: Student,
    neurons: Particles,
    times: Float[ArrayLike, " T"],
    step: float,
) -> Particles:
    r"""Gradient descent $w_i \leftarrow w_i + \eta\,\nu(w_i)$, Euler's method.

    Args:
        student: what learns.
        neurons: its start.
        times: saved, from 0, multiples of the step (another time adds a step of its
            own).
        step: $\eta$.

    Returns:
        The neurons at the times.

    Raises:
        TypeError: a student or neurons that are none.
        ValueError: a step that is not positive, or times that do not start at 0 and
            increase.

    Warns:
        UserWarning: a step that is not stable near the teacher of ``QuadraticRisk``.
    """
    instance("descend", "neurons", neurons, Particles, "Particles")
    check_step("descend", student, step)
    return follow(
        student, neurons, times, solver=diffrax.Euler(), dt0=step, max_steps=2**20
    ).measures


def check_step(owner: str, student: Student, step: float) -> None:
    """Warn of a step that is not stable near the teacher of ``QuadraticRisk``.

    Raises:
        TypeError: no student.
        ValueError: a step that is not positive.
    """
    instance(owner, "student", student, Student, "a Student")
    shape(owner, "step", step, ())
    positive(owner, "step", step)
    risk = student.risk
    if not isinstance(risk, QuadraticRisk) or known(risk.teacher) is None:
        return
    bound = float(stable_step(risk))
    if step > bound:
        warnings.warn(
            f"step {step:.4g} is above 2 / lambda_max = {bound:.4g}: gradient descent "
            "leaves the teacher.",
            stacklevel=3,
        )


def step_gaps(
    student: Student,
    m: int,
    step: float,
    times: Float[ArrayLike, " T"],
    key: PRNGKeyArray,
    seeds: int,
) -> Float[Array, "seeds T"]:
    r"""Squared gaps $\|f^\eta_t - f_t\|^2$ of descent to the flow of m neurons.

    Raises:
        ValueError: m or seeds below 1, a step that is not positive, or times out of
            order.

    Warns:
        UserWarning: a step that is not stable near the teacher of ``QuadraticRisk``.
    """
    check_step("step_gaps", student, step)
    count("step_gaps", "m", m)
    count("step_gaps", "seeds", seeds)
    grid = tuple(check_grid(times).tolist())
    return _step_gaps(student, m, step, grid, jax.random.split(key, seeds))


@eqx.filter_jit
def _step_gaps(
    student: Student, m: int, step: float, grid: tuple[float, ...], keys: PRNGKeyArray
) -> Array:
    times, gap = np.asarray(grid), jax.vmap(student.risk.gap)

    def one(key: PRNGKeyArray) -> Array:
        neurons = Particles.from_samples(student.start.sample(key, m))
        slow = descend(student, neurons, times, step)
        return gap(slow, follow(student, student.risk.closure(neurons), times).measures)

    return jax.lax.map(one, keys)


def sample_gaps(
    student: Student,
    samples: int,
    times: Float[ArrayLike, " T"],
    key: PRNGKeyArray,
    seeds: int,
) -> Float[Array, "seeds T"]:
    r"""Squared gaps $\|f^N_t - f_t\|^2$ of the mean field on N inputs to that on all.

    Inputs are drawn anew for every seed; targets have no noise. The start is the
    student's, a Gaussian.

    Raises:
        TypeError: the risk is not ``QuadraticRisk``, or the start not a Gaussian.
        ValueError: samples or seeds below 1, or times out of order.
    """
    instance("sample_gaps", "student", student, Student, "a Student")
    if not isinstance(student.risk, QuadraticRisk) or not isinstance(
        student.start, Gaussian
    ):
        raise TypeError(
            "sample_gaps: expected QuadraticRisk and a Gaussian start, found "
            f"{type(student.risk).__name__} and {type(student.start).__name__}."
        )
    count("sample_gaps", "samples", samples)
    count("sample_gaps", "seeds", seeds)
    grid = tuple(check_grid(times).tolist())
    return _sample_gaps(student, samples, grid, jax.random.split(key, seeds))


@eqx.filter_jit
def _sample_gaps(
    student: Student, samples: int, grid: tuple[float, ...], keys: PRNGKeyArray
) -> Array:
    times, start, risk = np.asarray(grid), student.start, student.risk
    limit = follow(student, start, times).measures

    def one(key: PRNGKeyArray) -> Array:
        inputs = jax.random.normal(
            key, (samples, start.mean.shape[0]), start.mean.dtype
        )
        energy = SampledQuadraticRisk(inputs, risk.teacher)
        found = follow(Student(risk, start, energy), start, times).measures
        return jax.vmap(risk.gap)(found, limit)

    return jax.lax.map(one, keys)
