"""Training by rollouts: the law is integrated, and its clouds meet the snapshots."""

import math
import warnings
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from wflow.checks import (
    cast,
    count,
    instance,
    non_negative,
    one_of,
    positive,
    real_field,
    shape,
    to_real,
    within,
)
from wflow.flows import AbstractContinuousFlow
from wflow.flows.sums import split_growth
from wflow.measures import Particles, Phase, UnsupportedMeasureError
from wflow.measures.base import ImplicitEntropyError
from wflow.parameters import Learnable
from wflow.parameters.learnable import unwrap

from ._simulate import check_steps, check_times, largest_step
from .horizons import AbstractHorizon, RandomHorizon
from .kinds import is_kinetic
from .losses import AbstractLoss, MassAndShape, Sinkhorn
from .objective import AbstractObjective
from .rollout_loss import Rollout, RolloutTraining, Task, first_start, step_grid
from .snapshots import Snapshots
from .stacks import Stack, padded, row_count, spread_rows, stacked
from .steppers import has_leapfrog
from .velocities import AbstractInitialVelocity, Given, Velocities


# A share of steps whose loss stopped its iterations early that does no harm.
_UNCONVERGED = 0.05


def _velocity_scale(scale: Any) -> Any:
    return (
        scale
        if scale is None or isinstance(scale, str)
        else to_real(scale, "velocity_scale")
    )


class Rollouts(AbstractObjective):
    r"""Train a law by solving it from snapshots, and comparing with later ones.

    $\frac1k \sum_{m=1}^k \ell(\hat\mu(t_m), \mu_m)$ over rollouts of the law.

    Each step rolls out from a snapshot over a horizon k, by fixed steps: the damped
    leapfrog where the flow has a force on a ``Phase``, Heun's method of its velocity
    where it has not, Euler-Maruyama where its noise is Ito's and depends on the state.
    A flow that moves particles alone is of first order and takes no velocities.

    Args:
        loss: default ``Sinkhorn(p=2, blur="median")``, with growth
            ``MassAndShape(Sinkhorn())``.
        horizon: default ``RandomHorizon(ramp=0.3)``.
        starts: rollouts begin at a random one of ``"any"`` snapshots but the last that
            have velocities, or at the ``"first"``.
        velocity: where start velocities come from: ``Given()`` (default), ``Zero()``,
            ``Learned(start)``, ``Displacement()``, ``SmoothedDisplacement()``,
            ``PathVelocity()``, ``Corrected(start)`` or ``DICE()``.
        batch: points of the start and of each target in a step, at random; None is all.
        padding: rows that every cloud is padded to, at least the largest's: fits that
            differ in their data alone then share one compiled program.
        substeps: steps in ``dt0``.
        dt0: a time; by default the smallest gap between the snapshots. With held-out
            snapshots in between give the smallest gap of them all. A longer gap takes
            more steps in proportion, 10,000 of them in all at most.
        growth_penalty: adds this times $\frac1k\int\overline{g^2}\,dt$ over a rollout,
            the mean over the population: of all growths that explain the snapshots the
            least.
        acceleration_penalty: adds this times $\frac1k\int\overline{|\dot v|^2}\,dt$
            over a rollout, the mean over the population: of all paths that meet the
            snapshots the one that bends least, as a cubic spline does.
        velocity_scale: a time s > 0: clouds are compared in phase space, as points
            $(x, s v)$, where every snapshot has velocities. None compares positions;
            ``"auto"`` takes s so that positions and velocities spread alike, where all
            snapshots carry the velocities that rollouts start with.
        stop_gradient_force: drop the derivative of the force in the positions, as the
            published training does; the gradient is then not that of the loss.
        consistent: form of the leapfrog; see ``wflow.flows.leapfrog.leapfrog_step``.
        held: share of the points of every snapshot that are kept for validation: their
            mean loss from each start to the snapshot after it. ``fit`` returns the best
            parameters by it, those at the start among them, so that a law that was
            trained before never gets worse on points that it is not trained on.

    Raises:
        TypeError: an argument of another kind.
        ValueError: an argument out of range.

    Reference: Guan, Atanackovic, Neklyudov, arXiv:2605.08550, section 4 and its code.
    """

    loss: AbstractLoss | None = None
    horizon: AbstractHorizon | None = None
    starts: Literal["first", "any"] = eqx.field(static=True, default="any")
    velocity: AbstractInitialVelocity | None = None
    batch: int | None = eqx.field(static=True, default=None)
    padding: int | None = eqx.field(static=True, default=None)
    substeps: int = eqx.field(static=True, default=2)
    dt0: float | None = eqx.field(static=True, default=None)
    growth_penalty: Float[Array, ""] = eqx.field(
        converter=real_field("growth_penalty"), default=0.0
    )
    acceleration_penalty: Float[Array, ""] = eqx.field(
        converter=real_field("acceleration_penalty"), default=0.0
    )
    velocity_scale: Float[Array, ""] | Literal["auto"] | None = eqx.field(
        converter=_velocity_scale, default="auto"
    )
    stop_gradient_force: bool = eqx.field(static=True, default=False)
    consistent: bool = eqx.field(static=True, default=True)
    held: float = eqx.field(static=True, default=0.0)

    def __check_init__(self) -> None:
        count(self, "substeps", self.substeps)
        for name in ("batch", "padding"):
            if getattr(self, name) is not None:
                count(self, name, getattr(self, name))
        for name in ("growth_penalty", "acceleration_penalty"):
            shape(self, name, getattr(self, name), ())
            non_negative(self, name, getattr(self, name))
        if isinstance(self.velocity_scale, str):
            one_of(self, "velocity_scale", self.velocity_scale, ("auto",))
        for name in ("velocity_scale", "dt0"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                shape(self, name, value, ())
                positive(self, name, value)
        for name in ("stop_gradient_force", "consistent"):
            one_of(self, name, getattr(self, name), (True, False))
        one_of(self, "starts", self.starts, ("first", "any"))
        shape(self, "held", self.held, ())
        within(self, "held", self.held, 0, 1, closed="low")
        rule = "a rule of start velocities"
        for name, kind, what in (
            ("loss", AbstractLoss, "a loss"),
            ("horizon", AbstractHorizon, "a horizon"),
            ("velocity", AbstractInitialVelocity, rule),
        ):
            if getattr(self, name) is not None:
                instance(self, name, getattr(self, name), kind, what)

    def prepare(
        self,
        flow: AbstractContinuousFlow,
        snapshots: Snapshots,
        *,
        key: PRNGKeyArray,
    ) -> RolloutTraining:
        held_key, loss_key, velocity_key = jax.random.split(key, 3)
        dtype = jax.dtypes.canonicalize_dtype(snapshots.dtype)
        step = largest_step(snapshots.times, self.dt0) / self.substeps
        check_steps(snapshots.times, step)
        rule = self._rule(flow, snapshots, dtype)
        scale, compared = self._scale(rule, snapshots), snapshots
        if scale is not None:
            compared = _in_phase_space(snapshots, scale)
        begins, started, correction = self._whole(snapshots), None, None
        velocities: Velocities = (None,) * len(snapshots)
        if rule is not None:
            velocities = _checked(rule(snapshots, velocity_key), snapshots)
            known = [k for k, v in enumerate(velocities[:-1]) if v is not None]
            begins = [k for k in begins if k in known]
            if rule.trained:
                velocities = tuple(
                    v if k in begins else None for k, v in enumerate(velocities)
                )
            own = jax.random.fold_in(velocity_key, 1)
            correction = rule.correction(snapshots, own)
        task = _task(snapshots, compared, begins, step, dtype, self.padding)
        held = None
        if self.held > 0:
            rng = np.random.default_rng(np.asarray(jax.random.key_data(held_key)))
            task, held = _parted(task, snapshots, self.held, rng)
        known = np.array([v is not None for v in velocities])
        size = row_count(snapshots, self.padding)
        given = np.stack(
            [
                padded(np.zeros_like(x) if v is None else v, size)
                for x, v in zip(snapshots.clouds, velocities, strict=True)
            ]
        )
        if rule is not None:
            rows = given[begins, : task.starts.size].astype(dtype)
            started = spread_rows(rows, snapshots.sharding)
            started = Learnable(started, positive=False) if rule.trained else started
        first = first_start(task, started)
        _check_flow(flow, first, task.start_times[0])
        check_times(flow, first, snapshots.times, step, correction is not None)
        return RolloutTraining(
            Rollout(
                self._loss(flow, snapshots).prepared(compared, loss_key),
                self.growth_penalty,
                self.consistent,
                self.stop_gradient_force,
                self.acceleration_penalty,
                None if scale is None else jnp.asarray(scale, dtype),
            ),
            task,
            RandomHorizon() if self.horizon is None else self.horizon,
            self.batch,
            started,
            correction,
            given,
            known,
            np.asarray(begins),
            np.asarray(step),
            held,
        )

    def _scale(
        self, rule: AbstractInitialVelocity | None, snapshots: Snapshots
    ) -> float | None:
        """The velocity scale, None where positions are compared."""
        if not isinstance(self.velocity_scale, str):
            return None if self.velocity_scale is None else float(self.velocity_scale)
        given = [snapshots.velocity(k) for k in range(len(snapshots))]
        velocities = [v for v in given if v is not None]
        if not isinstance(rule, Given) or len(velocities) < len(given):
            return None
        across, along = (
            float(np.mean([rows.std(axis=0) ** 2 for rows in clouds])) ** 0.5
            for clouds in (snapshots.clouds, velocities)
        )
        return across / along if across > 0 and along > 0 else None

    def _whole(self, snapshots: Snapshots) -> list[int]:
        """Numbers of the snapshots that rollouts may begin at."""
        return [0] if self.starts == "first" else list(range(len(snapshots) - 1))

    def _loss(self, flow: AbstractContinuousFlow, snapshots: Snapshots) -> AbstractLoss:
        if self.loss is not None:
            return self.loss
        grows = split_growth(flow)[1] is not None
        if not has_leapfrog(flow):
            grows = grows or snapshots.masses is not None
        return MassAndShape() if grows else Sinkhorn()

    def _rule(
        self, flow: AbstractContinuousFlow, snapshots: Snapshots, dtype: np.dtype
    ) -> AbstractInitialVelocity | None:
        """The rule of start velocities; None for a law of first order."""
        mu = Particles.from_samples(jnp.asarray(snapshots[0], dtype))
        there = snapshots.velocity(0) is not None or self.velocity is not None
        if is_kinetic(flow, mu, there):
            return Given() if self.velocity is None else self.velocity
        for name, value, absent in (
            ("velocity", self.velocity, None),
            ("velocity_scale", self._scale(None, snapshots), None),
            ("acceleration_penalty", float(self.acceleration_penalty), 0.0),
        ):
            if value != absent:
                raise ValueError(
                    f"Rollouts: expected no {name}, since {type(flow).__name__} moves "
                    "particles that have no velocity of their own."
                )
        return None


def _checked(velocities: Velocities, snapshots: Snapshots) -> Velocities:
    """``velocities`` if they have the shapes of their clouds."""
    for k, (v, x) in enumerate(zip(velocities, snapshots.clouds, strict=True)):
        if v is not None and v.shape != x.shape:
            raise ValueError(
                f"fit: expected velocities {k} of shape {x.shape}, found {v.shape}."
            )
    return velocities


def _in_phase_space(snapshots: Snapshots, scale: float) -> Snapshots:
    """Snapshots of the points $(x, s v)$."""
    points = []
    for k, x in enumerate(snapshots.clouds):
        v = snapshots.velocity(k)
        if v is None:
            raise ValueError(
                f"fit: velocity_scale compares velocities, and snapshot {k} has none."
            )
        points.append(np.concatenate([x, scale * v], axis=1))
    return Snapshots(
        snapshots.times,
        points,
        None,
        snapshots.weights,
        snapshots.masses,
        snapshots.sharding,
    )


def _task(
    snapshots: Snapshots,
    compared: Snapshots,
    begins: list[int],
    step: float,
    dtype: np.dtype,
    padding: int | None,
) -> Task:
    return Task(
        cast(stacked(snapshots.take(begins), padding), dtype),
        jnp.asarray(begins),
        jnp.asarray(snapshots.times[begins], dtype),
        cast(stacked(compared.take(range(1, len(compared))), padding), dtype),
        step_grid(snapshots.times, step, dtype),
        None if snapshots.masses is None else jnp.asarray(snapshots.masses, dtype),
    )


def _parted(
    task: Task, snapshots: Snapshots, share: float, rng: np.random.Generator
) -> tuple[Task, Task]:
    """The task for all but a random ``share`` of every cloud, and the one for these.

    Points of weight zero are padding, so that both keep the shapes of the whole. A
    snapshot lacks the same points as a start and as a target.
    """
    size = max(task.starts.size, task.targets.size)
    apart = np.zeros((len(snapshots), size), bool)
    for k in range(len(snapshots)):
        there = np.flatnonzero(snapshots.weight(k))
        if len(there) < 2:
            raise ValueError(
                f"Rollouts: expected held = 0, or two points at least, found one in "
                f"snapshot {k}."
            )
        count = min(math.ceil(share * len(there)), len(there) - 1)
        apart[k, rng.permutation(there)[:count]] = True

    def weighed(stack: Stack, rows: np.ndarray) -> Stack:
        weights = stack.weights * rows[:, : stack.size]
        return stack._replace(weights=weights / weights.sum(axis=1, keepdims=True))

    begins = np.asarray(task.start_index)
    train, held = (
        task._replace(
            starts=weighed(task.starts, rows[begins]),
            targets=weighed(task.targets, rows[1:]),
        )
        for rows in (~apart, apart)
    )
    return train, held


def _check_flow(flow: Any, mu: Particles | Phase, t: Array) -> None:
    """Refuse a flow that does not act on the first start."""
    try:
        jax.eval_shape(lambda: unwrap(flow).velocity(mu, t))
    except (ImplicitEntropyError, UnsupportedMeasureError):
        raise
    except (TypeError, ValueError) as error:
        law = mu.measure if isinstance(mu, Phase) else mu
        raise ValueError(
            "fit: the flow does not act on points of dimension "
            f"{law.x.shape[1]}, that of the snapshots: {_short(error)}"
        ) from error


def _short(error: Exception, length: int = 200) -> str:
    """The beginning of what an error says."""
    text = " ".join(str(error).split())
    return text if len(text) <= length else f"{text[:length]}..."


def tell_unconverged(converged: np.ndarray) -> bool:
    """Whether it had to be said that the losses do not converge."""
    share = 1 - converged.mean()
    if share <= _UNCONVERGED:
        return False
    warnings.warn(
        f"fit: in {share:.0%} of the steps the iterations of the loss ended before "
        "they converged; a larger blur or max_iterations helps.",
        stacklevel=5,
    )
    return True
