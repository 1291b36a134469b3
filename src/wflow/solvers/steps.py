"""Sizes of steps."""

from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

from wflow.checks import known

from .times import Times


def is_finite(state: PyTree[Array]) -> Bool[Array, ""]:
    """Whether every entry of a state is finite."""
    leaves = [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(state)]
    return jnp.all(jnp.stack(leaves))


class GivenSteps(diffrax.AbstractStepSizeController):
    """Steps to given times, the last of which, the end, may come several times."""

    ts: Float[Array, " steps"]

    def wrap(self, direction: Any) -> "GivenSteps":
        """Diffrax's preparation for a direction of time."""
        return eqx.tree_at(lambda steps: steps.ts, self, self.ts * direction)

    def init(self, *args: Any) -> tuple[Any, Any]:
        """The end of the first step, and the number of the next time."""
        del args
        return self.ts[1], 2

    def adapt_step_size(self, t0: Any, t1: Any, *rest: Any) -> Any:
        """The next step; the number of its end is the last that Diffrax gives."""
        del t0
        number, good = rest[-1], diffrax.RESULTS.successful
        return True, t1, self.ts[number], False, number + 1, good


class FiniteSteps(diffrax.AbstractAdaptiveStepSizeController):
    """Another controller, of which a step that overflows is rejected as any other.

    On its own it would divide infinity by infinity, and never find a step again. Where
    no first step is accepted, however short, it gives up. Time starts at zero.
    """

    controller: diffrax.AbstractAdaptiveStepSizeController

    @property
    def rtol(self) -> Any:
        """Relative tolerance."""
        return self.controller.rtol

    @property
    def atol(self) -> Any:
        """Absolute tolerance."""
        return self.controller.atol

    @property
    def norm(self) -> Any:
        """The norm that errors are measured in."""
        return self.controller.norm

    def wrap(self, direction: Any) -> "FiniteSteps":
        """Diffrax's preparation for a direction of time."""
        wrapped = self.controller.wrap(direction)
        return FiniteSteps(controller=wrapped)  # pyright: ignore[reportCallIssue]

    def init(self, *args: Any) -> tuple[Any, Any]:
        """The end of the first step, and the controller's state."""
        return self.controller.init(*args)

    def adapt_step_size(
        self,
        t0: Any,
        t1: Any,
        y0: Any,
        y1_candidate: Any,
        args: Any,
        y_error: Any,
        error_order: Any,
        controller_state: Any,
    ) -> Any:
        """Whether the step is kept, and the next one; Diffrax's signature."""
        if y_error is None:
            raise ValueError(
                "solve: expected no stepsize_controller with a solver that does not "
                "estimate its error; give dt0 instead."
            )
        fine = is_finite(y1_candidate)

        def kept(state: Any) -> Any:
            return jax.tree.map(lambda leaf: jnp.where(fine, leaf, 0), state)

        keep, next_t0, next_t1, made_jump, state, result = (
            self.controller.adapt_step_size(
                t0,
                t1,
                kept(y0),
                kept(y1_candidate),
                args,
                jax.tree.map(lambda e: jnp.where(fine, e, jnp.inf), y_error),
                error_order,
                controller_state,
            )
        )
        info = jnp.finfo(jnp.result_type(t0))
        hopeless = ~keep & (t0 == 0) & (next_t1 - next_t0 < info.tiny / info.eps)
        result = diffrax.RESULTS.where(hopeless, diffrax.RESULTS.dt_min_reached, result)
        return keep, next_t0, next_t1, made_jump, state, result


def finite_steps(
    controller: diffrax.AbstractStepSizeController,
) -> diffrax.AbstractStepSizeController:
    """A controller that rejects steps that overflow, where it rejects any."""
    if not isinstance(controller, diffrax.AbstractAdaptiveStepSizeController):
        return controller
    # Its other fields are read off that one.
    return FiniteSteps(controller=controller)  # pyright: ignore[reportCallIssue]


def since(
    controller: diffrax.AbstractStepSizeController, when: Times
) -> diffrax.AbstractStepSizeController:
    """A controller whose given times are counted from the start of the solve.

    Raises:
        ValueError: those of a ``StepTo`` do not begin and end with the solve.
    """

    def shifted(ts: Any) -> Any:
        at = known(ts)
        if when.start is None or at is None:
            return ts - when.origin.astype(ts.dtype)
        since = np.asarray(at, float) - when.start
        if isinstance(controller, diffrax.StepTo) and when.known is not None:
            span = when.known[-1]
            off = np.abs(since[[0, -1]] - [0, span]).max()
            if not off <= 1e-6 * abs(span):
                raise ValueError(
                    "solve: expected the stepsize_controller StepTo to begin at t0 and "
                    f"end at t1, found {at[0].item()!r} and {at[-1].item()!r}."
                )
            since[[0, -1]] = 0, span
        return jnp.asarray(since, when.span.dtype)

    names = ("step_ts", "jump_ts", "ts")
    given = [name for name in names if getattr(controller, name, None) is not None]
    kinds = diffrax.ClipStepSizeController | diffrax.StepTo
    if not given or not isinstance(controller, kinds):
        return controller
    return eqx.tree_at(
        lambda c: [getattr(c, name) for name in given], controller, replace_fn=shifted
    )
