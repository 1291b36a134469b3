"""Arc ridge: ridge on the length of the training path."""

import warnings
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Bool, Float

from wflow.checks import instance, non_negative, positive, real_field, shape, to_real
from wflow.energies import AbstractEnergy
from wflow.flows import GradientFlow
from wflow.measures import (
    Point,
    UnsupportedMeasureError,
)
from wflow.networks.supervised import Supervised
from wflow.solvers import RESULTS, SolveError, solve

from .arc_length import ArcLengthFlow
from .traveled import Traveled


# A run that stops with more than this part of its first loss has learned little.
_LITTLE_LEARNED = 0.9


class ArcRidge(eqx.Module):
    r"""Early stopping that amounts to a ridge on the length of the path of training.

    The first time that $|\nabla L| = \lambda s$: ``solve(ArcLengthFlow(GradientFlow(L,
    geometry)), Traveled(mu), ..., stop=ArcRidge(lam))`` follows the unregularized path
    and ends at the first stationary point along it of $L + \frac{\lambda}{2} s^2$, s
    the length of the path so far. With the square loss, $\lambda$ is that of ridge:
    equal to it for one output or a kernel proportional to the identity. 0 never stops,
    infinity stops at once, and so does a start that is stationary.

    Attributes:
        lam: the strength, $\geq 0$.

    Raises:
        ValueError: a strength that is negative, nan or no single number.

    Reference: after Whittle et al., arXiv:2605.18180.
    """

    lam: Float[Array, ""] = eqx.field(converter=real_field("lam"))

    def __check_init__(self) -> None:
        shape(self, "lam", self.lam, ())
        non_negative(self, "lam", self.lam, infinite=True)

    def __call__(
        self, flow: ArcLengthFlow, mu: Traveled, t: ArrayLike
    ) -> Float[Array, ""]:
        if not isinstance(mu, Traveled):
            raise UnsupportedMeasureError(self, mu, "Traveled, by an ArcLengthFlow")
        # Weights that add to one: finite for an infinite strength too.
        weight = 1 / (1 + self.lam)
        return weight * flow.speed(mu, t) - (1 - weight) * mu.length


class Selected(NamedTuple):
    """The strength with the lowest score, the model there, and the score."""

    lam: Float[Array, ""]
    point: Point
    score: Float[Array, ""]


class LambdaPath(eqx.Module):
    r"""Arc ridge for many strengths, in their order, from one run.

    Attributes:
        lams: strengths ``(L,)``.
        points: the models, stacked: a Point with a leading axis L on every array.
        lengths: how far each has come, ``(L,)``.
        times: when it was reached, ``(L,)``.
        losses: the training loss there, ``(L,)``.
        stopped: whether the strength was reached before the end of the run, ``(L,)``;
            where not, the model is that of the end.
        smallest: $|\nabla L|/s$ at the end of the run, the smallest strength that it
            covers; infinite for a stationary start.
    """

    lams: Float[Array, " L"]
    points: Point
    lengths: Float[Array, " L"]
    times: Float[Array, " L"]
    losses: Float[Array, " L"]
    stopped: Bool[Array, " L"]
    smallest: Float[Array, ""]

    def __len__(self) -> int:
        """Number of strengths."""
        return self.lams.shape[0]

    def __getitem__(self, index: int) -> Point:
        """The model at one strength."""
        return jax.tree.map(
            lambda leaf: leaf[index] if eqx.is_array(leaf) else leaf, self.points
        )

    def evaluate(self, energy: AbstractEnergy) -> Float[Array, " L"]:
        """An energy (such as ``Supervised`` on other data) at every strength."""
        return eqx.filter_vmap(energy.value, in_axes=(eqx.if_array(0),))(self.points)

    def select(
        self,
        x: Float[Array, "m ..."],
        y: Array,
        loss: Any = "mean_square",
    ) -> Selected:
        """The strength whose model has the lowest loss on validation data."""
        scores = self.evaluate(Supervised(x, y, loss))
        best = jnp.argmin(scores)
        return Selected(self.lams[best], self[best], scores[best])


def lambda_path(
    flow: GradientFlow,
    start: Point,
    lams: Float[ArrayLike, " L"],
    t1: ArrayLike,
    **options: Any,
) -> LambdaPath:
    r"""Arc ridge at every strength of a list, from a single run of ``flow``.

    The run goes from time 0 to at most ``t1`` and pauses where $|\nabla L| = \lambda s$
    for each strength in turn, from the largest: every one gets its first crossing.

    Args:
        flow: the gradient flow of the training loss.
        start: the model at the beginning of the path, such as a pretrained one.
        lams: strengths in any order.
        t1: where to end if the smallest strength is not met before.
        options: of ``solve``: ``solver``, ``stepsize_controller``, ``max_steps``,
            ``adjoint``.

    Raises:
        TypeError: a flow or a start that is none.
        ValueError: strengths that are negative or nan, or not a vector, or a ``t1``
            that is not positive.
        SolveError: a solve failed on the way (inside ``jit``: an error of Equinox).

    Warns:
        UserWarning: even the smallest strength stops above 90 % of the loss at the
            start, as happens at a saddle.
    """
    instance("lambda_path", "flow", flow, GradientFlow, "a GradientFlow")
    instance("lambda_path", "start", start, Point, "a Point")
    lams = to_real(lams, "lams").astype(start.dtype)
    shape("lambda_path", "lams", lams, ("L",))
    if not lams.size:
        raise ValueError("lambda_path: expected lams, found none.")
    non_negative("lambda_path", "lams", lams, infinite=True)
    shape("lambda_path", "t1", t1, ())
    positive("lambda_path", "t1", t1)
    path, first, failed = _path(
        flow, start, lams, jnp.asarray(t1, start.dtype), options
    )
    if isinstance(failed, Tracer):
        return eqx.error_if(path, failed, "lambda_path: a solve on the way failed.")
    if bool(failed):
        raise SolveError(
            "lambda_path: the run failed before it met every strength; it reached t = "
            f"{float(jnp.max(path.times)):.6g}. Allow more max_steps, an earlier t1, "
            "or an implicit solver."
        )
    weakest = int(jnp.argmin(path.lams))
    lam = float(path.lams[weakest])
    left = float(path.losses[weakest] / first) if float(first) != 0 else 0
    if bool(path.stopped[weakest]) and left > _LITTLE_LEARNED:
        warnings.warn(
            f"lambda_path: even the smallest strength, {lam:.3g}, stops at "
            f"{100 * left:.3g} % of the loss at the start; the start may lie "
            "at a saddle, or every strength be large.",
            stacklevel=2,
        )
    return path


@eqx.filter_jit
def _path(
    flow: GradientFlow, start: Point, lams: Array, t1: Array, options: dict[str, Any]
) -> tuple[LambdaPath, Array, Array]:
    moving = ArcLengthFlow(flow)
    mu0 = Traveled(start)
    order = jnp.argsort(-lams)

    def segment(carry: tuple[Any, Array], lam: Array) -> tuple[tuple[Any, Array], Any]:
        state, t = carry
        mu = mu0.with_state(state)
        done = solve(moving, mu, t, t1, stop=ArcRidge(lam), throw=False, **options)
        state, t = done[-1].state, done.stats["time_reached"]
        loss = flow.value(done[-1].measure, t)
        failed = done.result != RESULTS.successful
        return (state, t), (state, t, loss, done.stopped, failed)

    begin = (mu0.state, jnp.zeros((), start.dtype))
    (last, _), rows = jax.lax.scan(segment, begin, lams[order])
    back = jnp.argsort(order)
    states, times, losses, stopped, failed = jax.tree.map(lambda leaf: leaf[back], rows)
    points, lengths, _ = states
    end = mu0.with_state(last)
    speed = moving.speed(end, t1)
    gone = end.length > 0
    smallest = jnp.where(gone, speed / jnp.where(gone, end.length, 1), jnp.inf)
    stacked = eqx.filter_vmap(lambda state: start.with_state(state))(points)
    path = LambdaPath(lams, stacked, lengths, times, losses, stopped, smallest)
    return path, flow.value(start, 0.0), jnp.any(failed)
