"""Flows of several parts."""

import operator
from typing import Any

import diffrax
import equinox as eqx
import jax
from jaxtyping import Array, ArrayLike

from wflow.checks import instance
from wflow.measures.base import Mu, State

from .base import AbstractContinuousFlow, AbstractFlow
from .growth import GrowthFlow, Rate
from .noise import Noise, added


class AbstractComposedFlow(AbstractFlow[Mu]):
    """A flow of several parts, which all act on the whole measure."""

    parts: eqx.AbstractVar[tuple[AbstractFlow[Mu], ...]]

    def check(self, mu: Mu) -> None:
        for part in self.parts:
            part.check(mu)


class SumFlow(AbstractComposedFlow[Mu], AbstractContinuousFlow[Mu]):
    r"""The sum of several laws of motion.

    $\dot\mu = \sum_k$ velocities; independent noises add in variance.

    A sum has no one energy: evaluate the energy that matters on the saved measures.
    """

    parts: tuple[AbstractContinuousFlow[Mu], ...]

    def __check_init__(self) -> None:
        _check_parts(self, self.parts, AbstractContinuousFlow, "flows without jumps")

    def velocity(self, mu: Mu, t: ArrayLike = 0.0) -> State:
        return jax.tree.map(
            lambda *rates: sum(rates), *(part.velocity(mu, t) for part in self.parts)
        )

    def noise(self, mu: Mu, t: ArrayLike = 0.0) -> Noise | None:
        noises = [part.noise(mu, t) for part in self.parts]
        noises = [noise for noise in noises if noise is not None]
        return added(noises, mu) if noises else None

    def default_solver(self, mu: Mu) -> diffrax.AbstractSolver:
        """That of the one part beside growth, where there is one; else by the noise."""
        moving, growth = split_growth(self)
        if growth is None or moving is None or isinstance(moving, SumFlow):
            return super().default_solver(mu)
        return moving.default_solver(mu)

    def records(self, mu: Mu, t: ArrayLike = 0.0) -> dict[str, Array]:
        return {
            name: number
            for part in self.parts
            for name, number in part.records(mu, t).items()
        }


class SplitFlow(AbstractComposedFlow[Mu]):
    """A flow with jumps beside continuous motion, solved by splitting.

    Substeps a, b, c of one step: a/2 b/2 c b/2 a/2 by Strang, of order 2 where every
    one is, or a b c by Lie, of order 1.
    """

    parts: tuple[AbstractFlow[Mu], ...]

    def __check_init__(self) -> None:
        _check_parts(self, self.parts, AbstractFlow, "flows")


def sum_of(one: AbstractFlow, other: AbstractFlow) -> SumFlow | SplitFlow:
    """The sum of two flows, with the parts of each."""
    parts = (*_parts(one), *_parts(other))
    continuous = [part for part in parts if isinstance(part, AbstractContinuousFlow)]
    return (
        SumFlow(tuple(continuous))
        if len(continuous) == len(parts)
        else SplitFlow(parts)
    )


def _parts(flow: AbstractFlow) -> tuple[AbstractFlow, ...]:
    return flow.parts if isinstance(flow, AbstractComposedFlow) else (flow,)


def _check_parts(
    owner: object, parts: tuple[object, ...], kind: type, what: str
) -> None:
    """Refuse what is no tuple of at least one flow of a kind."""
    instance(owner, "parts", parts, tuple, "a tuple of flows")
    if not parts:
        raise ValueError(f"{type(owner).__name__}: expected parts, found none.")
    for part in parts:
        instance(owner, "parts", part, kind, what)


class _SumRate(eqx.Module):
    rates: tuple[Rate, ...]

    def __call__(self, x: Array, t: ArrayLike) -> Array:
        return jax.tree.reduce(operator.add, [rate(x, t) for rate in self.rates])


def split_growth(flow: AbstractFlow) -> tuple[Any, GrowthFlow | None]:
    """``flow`` without its growth, and its growth; None for what it lacks.

    Raises:
        TypeError: it is no flow.
    """
    instance("split_growth", "flow", flow, AbstractFlow, "a flow")
    if isinstance(flow, GrowthFlow):
        return None, flow
    parts = flow.parts if isinstance(flow, SumFlow) else ()
    growths = [part for part in parts if isinstance(part, GrowthFlow)]
    if not growths:
        return flow, None
    others = tuple(part for part in parts if not isinstance(part, GrowthFlow))
    growth = growths[0]
    if len(growths) > 1:
        growth = GrowthFlow(_SumRate(tuple(part.rate for part in growths)))
    if not others:
        return None, growth
    return (others[0] if len(others) == 1 else SumFlow(others)), growth
