"""What a solve returns."""

from collections.abc import Callable
from typing import Any, Generic

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float

from wflow.checks import function as check_function
from wflow.flows import AbstractDissipativeFlow
from wflow.flows.base import AbstractCarryingFlow, AbstractFlow
from wflow.measures.base import AbstractMeasure, Moving

from .results import RESULTS


class Solution(eqx.Module, Generic[Moving]):
    """A solution at the saved times.

    ``measures`` is the measure with a leading axis of times on every array;
    ``solution[k]`` is one of them. ``times`` are those asked for, in the precision of
    the measure; so far from zero that this blurs them, and outside ``jit``, in double
    precision. ``result`` says how the solve ended and ``stats`` how it went: the
    ``solver``, ``num_steps`` (accepted and rejected ones apart) and ``time_reached``.
    ``stopped`` says whether the condition ``stop`` of the solve was met; the saved
    times after that are the time of stopping, the measures that of then.

    Examples:
        >>> import jax.numpy as jnp
        >>> import wflow as wf
        >>> flow = wf.GradientFlow(wf.Potential(lambda x: x @ x / 2), wf.Wasserstein())
        >>> cloud = wf.Particles.from_samples(jnp.ones((8, 1)))
        >>> solution = wf.solve(flow, cloud, 0.0, 1.0, times=[0.0, 0.5, 1.0])
        >>> [round(float(energy), 3) for energy in solution.energy]
        [0.5, 0.184, 0.068]
        >>> print(f"{solution[1].mean[0]:.3f}")
        0.607
        >>> solution.stats["solver"]
        'Tsit5'
    """

    times: Float[Array, " T"]
    measures: Moving
    result: RESULTS
    flow: AbstractFlow
    counts: dict[str, Array]
    solver: str = eqx.field(static=True)
    stopped: Bool[Array, ""]

    @property
    def stats(self) -> dict[str, Any]:
        """Solver, numbers of steps and time reached."""
        return {"solver": self.solver, **self.counts}

    def __getitem__(self, index: int) -> Moving:
        """The measure at one saved time."""
        return jax.tree.map(
            lambda leaf: leaf[index] if eqx.is_array(leaf) else leaf, self.measures
        )

    def __len__(self) -> int:
        """Number of saved times."""
        return self.times.shape[0]

    def evaluate(self, function: Callable[[Any, Array], Any]) -> Any:
        """``function(measure, t)`` at every saved time, stacked.

        Raises:
            TypeError: ``function`` is none.
        """
        check_function("Solution.evaluate", "function", function, "a measure and t")
        return _evaluate(function, self.measures, self._clock)

    @property
    def _clock(self) -> Array:
        """The saved times in the precision of the measures."""
        return jnp.asarray(self.times, self.measures.dtype)

    @property
    def energy(self) -> Float[Array, " T"]:
        """The energy of the flow at the saved times.

        Raises:
            TypeError: the flow lowers no one energy (a sum of flows, jumps).
        """
        flow, measures = self._dissipative()
        return _evaluate(_value, measures, self._clock, flow)

    @property
    def dissipation(self) -> Float[Array, " T"]:
        """Minus the energy's rate of change; errors as ``energy``."""
        flow, measures = self._dissipative()
        return _evaluate(_dissipation, measures, self._clock, flow)

    def _dissipative(self) -> tuple[AbstractDissipativeFlow, AbstractMeasure]:
        """The flow that lowers an energy, and the measures that it moves."""
        flow, measures = self.flow, self.measures
        while isinstance(flow, AbstractCarryingFlow):
            flow, measures = flow.flow, flow.inner(measures)
        if not isinstance(flow, AbstractDissipativeFlow):
            raise TypeError(
                f"{type(flow).__name__} has no one energy; evaluate the energy "
                "you mean with Solution.evaluate."
            )
        return flow, measures


def _value(mu: AbstractMeasure, t: ArrayLike, flow: AbstractDissipativeFlow) -> Array:
    return flow.value(mu, t)


def _dissipation(
    mu: AbstractMeasure, t: ArrayLike, flow: AbstractDissipativeFlow
) -> Array:
    return flow.dissipation(mu, t)


@eqx.filter_jit
def _evaluate(
    function: Callable[..., Any], measures: AbstractMeasure, times: Array, *args: Any
) -> Any:
    arrays, rest = eqx.partition(measures, eqx.is_array)
    return jax.lax.map(
        lambda at: function(eqx.combine(at[0], rest), at[1], *args), (arrays, times)
    )
