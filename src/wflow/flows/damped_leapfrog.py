"""The damped leapfrog as a solver of Diffrax."""

from typing import Any, ClassVar

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, PRNGKeyArray, PyTree

from wflow.checks import instance
from wflow.measures import Phase

from .base import AbstractContinuousFlow, check_flow, scale
from .leapfrog import KineticState, leapfrog_substep
from .sums import split_growth


class KineticTerm(diffrax.AbstractTerm):
    """The vector field of a second-order flow on particles, open to the leapfrog.

    Its time is counted from ``origin``.
    """

    flow: AbstractContinuousFlow
    mu: Phase
    key: PRNGKeyArray | None = None
    origin: ArrayLike = 0.0

    def __check_init__(self) -> None:
        check_flow(self, self.flow)
        instance(self, "mu", self.mu, Phase, "a Phase")

    def vf(self, t: Any, y: PyTree[Array], args: Any) -> PyTree[Array]:
        del args
        return self.flow.velocity(self.mu.with_state(y), self.origin + t)

    def contr(self, t0: Any, t1: Any, **kwargs: Any) -> Any:
        del kwargs
        return t1 - t0

    def prod(self, vf: PyTree[Array], control: Any) -> PyTree[Array]:
        return scale(control, vf)


class DampedLeapfrog(diffrax.AbstractSolver):
    """The leapfrog method for laws with inertia and friction.

    ``leapfrog_step`` as a Diffrax solver of the ``KineticTerm`` of an
    ``AbstractKineticFlow``.

    With a ``GrowthFlow`` beside them their weights move in the middle of the drift.
    Fixed steps only. With ``consistent=False`` it is the published scheme.
    """

    consistent: bool = eqx.field(static=True, default=True)

    def __check_init__(self) -> None:
        instance(self, "consistent", self.consistent, bool, "True or False")

    term_structure: ClassVar = KineticTerm
    interpolation_cls: ClassVar = diffrax.LocalLinearInterpolation

    def order(self, terms: Any) -> int:
        """Order in the step of the noiseless solution."""
        del terms
        return 2 if self.consistent else 1

    @staticmethod
    def _unwrap(terms: Any) -> tuple[KineticTerm, Any]:
        """The kinetic term inside Diffrax's wrappers, and the direction of time."""
        direction = 1
        while not isinstance(terms, KineticTerm):
            direction = direction * getattr(terms, "direction", 1)
            terms = terms.term
        return terms, direction

    def init(self, terms: Any, t0: Any, t1: Any, y0: Any, args: Any) -> Any:
        """Force at the start, and a count of steps for the noise."""
        term, direction = self._unwrap(terms)
        law = term.mu.with_state(y0).measure
        flow, _ = split_growth(term.flow)
        force = flow.force(law, term.origin + direction * t0)
        return force, jnp.zeros((), jnp.int32)

    def step(
        self,
        terms: Any,
        t0: Any,
        t1: Any,
        y0: Any,
        args: Any,
        solver_state: Any,
        made_jump: Any,
    ) -> tuple:
        """One step; Diffrax's signature."""
        del args, made_jump
        term, direction = self._unwrap(terms)
        (flow, growth), (force, count) = split_growth(term.flow), solver_state
        if flow.force_scaling != "unified" and not self.consistent:
            raise ValueError(
                "DampedLeapfrog: consistent=False is defined for "
                "force_scaling='unified', found 'inertial'."
            )
        ((x, logw), v), h = y0, direction * (t1 - t0)
        phase = term.mu.with_state(y0)
        kicks = None
        if term.key is not None:
            start, key = term.origin + direction * t0, term.key
            kicks = flow.kicks(phase, start, h, jax.random.fold_in(key, count))
        middle = term.origin + direction * (t0 + t1) / 2
        end = term.origin + direction * t1
        state = leapfrog_substep(
            lambda x, logw: flow.force(phase.with_state(((x, logw), v)).measure, end),
            None if growth is None else lambda x: growth.rates(x, middle),
            KineticState(x, v, force, logw),
            h,
            flow.friction,
            flow.force_scaling,
            self.consistent,
            kicks,
        )
        y1 = ((state.x, state.logw), state.v)
        info = {"y0": y0, "y1": y1}
        solver_state = (state.force, count + 1)
        return y1, None, info, solver_state, diffrax.RESULTS.successful

    def func(self, terms: Any, t0: Any, y0: Any, args: Any) -> Any:
        """The vector field; Diffrax's signature."""
        return terms.vf(t0, y0, args)
