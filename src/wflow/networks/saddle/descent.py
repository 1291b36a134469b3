"""Plain gradient descent in the weights: what a finite step makes of the flow."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import count, instance, known, positive, shape
from wflow.solvers import SolveError

from .course import Course, course_through
from .data import ReLUData, positive_part
from .neurons import LogNeurons


# A residual that no longer counts, relative to its label.
_FADED = 1e-3


def stable_step(data: ReLUData) -> Float[Array, ""]:
    r"""The largest step at which descent rests where one neuron a sign has learned all.

    $N / (\nu^2 R)$ with $R = \max_\pm (\sum_{\pm y_k > 0} y_k^2/|x_k|^2)^{1/2}$, the
    larger of the two neurons' $a_j^2$, and $\nu^2$ the largest eigenvalue of the Gram
    matrix. The loss there has curvature $2\nu^2 R/N$ at most, and just that where all
    $|x_k| = 1$ and inputs are orthogonal.

    Raises:
        TypeError: data that is none.
    """
    instance("stable_step", "data", data, ReLUData, "a ReLUData")
    squares = data.y**2 / data.squared_norms
    both = [jnp.sum(jnp.where(side, squares, 0)) for side in (data.y > 0, data.y < 0)]
    largest = (
        jnp.max(data.gram)
        if data.gram.ndim == 1
        else jnp.max(jnp.linalg.eigvalsh(data.gram))
    )
    return data.normalizer / (largest * jnp.sqrt(jnp.maximum(*both)))


def descend(
    data: ReLUData,
    neurons: LogNeurons,
    step: ArrayLike,
    *,
    points: int = 200,
    stride: int = 10,
) -> Course:
    r"""Train by gradient descent itself, in steps that need not be small.

    $a_j \leftarrow a_j + \frac{\eta}{N}\sum_k \mathrm{relu}(u_{jk})\,r_k$ and $u_{jk}
    \leftarrow u_{jk} + \frac{\eta}{N}\sum_l G_{kl}\,a_j
    1[u_{jl}>0]\,r_l$: all weights $a_j, w_j$, seen through $u_{jk} = w_j\cdot
    x_k$. Any inputs. On a plateau weights grow by $1 + \eta
    g$ a step and not by $e^{\eta
    g}$: jumps come later than those of the flow by the share $\eta g/2$, which no small
    start removes. The number of steps grows with $\log(1/\lambda)$.

    Args:
        data: samples.
        neurons: at the start; all $|a_j|$ have to be floating-point numbers.
        step: $\eta$; see ``stable_step``.
        points: saved states, besides the start.
        stride: steps between them.

    Returns:
        The course at times $\eta$ times the number of steps; ``finished`` where no unit
        that is on sees a residual above a thousandth of its label.

    Raises:
        ValueError: a step that is not positive, no points, no steps, or a start whose
            exponential underflows.
        SolveError: weights that are not finite: the start is too large. Too large a
            step usually ends with dead units instead.
    """
    instance("descend", "data", data, ReLUData, "a ReLUData")
    instance("descend", "neurons", neurons, LogNeurons, "LogNeurons")
    shape("descend", "neurons", neurons.ratio, (neurons.m, data.n))
    shape("descend", "step", step, ())
    positive("descend", "step", step)
    count("descend", "points", points)
    count("descend", "stride", stride)
    require_representable("descend", neurons)
    course = _descend(data, neurons, step, points, stride)
    last = known(course.residual[-1])
    if last is not None and not np.isfinite(last).all():
        raise SolveError(
            f"descend: the weights are not finite after {points * stride} steps of "
            f"{float(step):.3g} from outputs up to "
            f"exp({float(neurons.level.max()):.3g}); stable_step(data) is "
            f"{float(stable_step(data)):.3g}."
        )
    return course


@eqx.filter_jit
def _descend(
    data: ReLUData, neurons: LogNeurons, step: ArrayLike, points: int, stride: int
) -> Course:
    step = jnp.asarray(step, neurons.level.dtype)
    start = (neurons.output, neurons.ratio * jnp.exp(neurons.level)[:, None])

    def once(weights: tuple[Array, Array], _: None) -> tuple[tuple, None]:
        a, u = weights
        drive = (data.y - a @ positive_part(u)) * step / data.normalizer
        growth = positive_part(u) @ drive
        force = jnp.where(u > 0, a[:, None] * drive, 0)
        return (a + growth, u + data.apply_gram(force)), None

    # Backwards, states between the saved ones are made again.
    @jax.checkpoint
    def stretch(weights: tuple[Array, Array], _: None) -> tuple[tuple, tuple]:
        weights, _ = jax.lax.scan(once, weights, length=stride)
        return weights, weights

    _, saved = jax.lax.scan(stretch, start, length=points)
    a, u = jax.tree.map(
        lambda first, rest: jnp.concatenate([first[None], rest]), start, saved
    )
    size = jnp.abs(a)
    states = LogNeurons(
        jnp.log(size),
        u / size[..., None],
        neurons.rest * jnp.exp(neurons.level) / size,
        jnp.sign(a).astype(neurons.sign.dtype),
    )
    wants = states.active[-1] & (_share(data, a[-1], u[-1]) > _FADED)
    return course_through(
        data,
        step * stride * jnp.arange(points + 1, dtype=step.dtype),
        states,
        jnp.asarray(points * stride),
        ~jnp.any(wants),
    )


def _share(data: ReLUData, a: Array, u: Array) -> Float[Array, " n"]:
    """Residuals over labels."""
    return jnp.abs((data.y - a @ positive_part(u)) / data.y)


def require_representable(owner: str, neurons: LogNeurons) -> None:
    """Refuse neurons whose weights are no floating-point numbers.

    Raises:
        ValueError: it names the smallest.
    """
    level = known(neurons.level)
    if level is None:
        return
    lowest = np.log(np.finfo(level.dtype).tiny)
    if (level < lowest).any():
        j = int(np.argmin(level))
        raise ValueError(
            f"{owner}: neuron {j} starts at exp({float(level[j]):.4g}), which is no "
            f"{level.dtype} number; expected levels >= {lowest:.4g}. The flow in "
            "logarithms (follow, solve) has no such bound."
        )
