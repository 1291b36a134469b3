"""What shakes a measure."""

from collections.abc import Callable, Sequence
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
from jaxtyping import Array, ArrayLike, PyTree

from wflow import checks
from wflow.measures import (
    AbstractMeasure,
    Particles,
    Phase,
    Point,
    UnsupportedMeasureError,
)


NoiseKind = Literal["additive", "ito", "stratonovich"]


def _amplitude(value: PyTree) -> PyTree:
    """Real numbers in every leaf, or the operator that it is."""
    if isinstance(value, lx.AbstractLinearOperator):
        return value
    return jax.tree.map(lambda leaf: checks.to_real(leaf, "amplitude"), value)


class Noise(eqx.Module):
    r"""The random part of a law of motion, independent for every particle.

    $B\,dW$.

    The amplitude B (per root of time) is one of

    - a number, or one for every coordinate ``(d,)``, or a matrix ``(d, d)``: what every
      particle feels, in its velocity on a Phase, else in its place;
    - a tree of arrays like ``mu.state``: a number for every entry of it;
    - a lineax operator on ``mu.state``.

    ``kind`` is "additive" where B is the same at every state; else the equation is
    "ito" or "stratonovich".

    Raises:
        TypeError: an amplitude that is no numbers.
        ValueError: complex numbers, or an unknown kind; when it is used, an amplitude
            of another shape.
    """

    amplitude: PyTree[Array] | lx.AbstractLinearOperator = eqx.field(
        converter=_amplitude
    )
    kind: NoiseKind = eqx.field(static=True, default="additive")

    def __check_init__(self) -> None:
        checks.one_of(self, "kind", self.kind, ("additive", "ito", "stratonovich"))

    def on(self, mu: AbstractMeasure) -> PyTree[Array] | lx.AbstractLinearOperator:
        """The amplitude as a tree like ``mu.state`` or, of a matrix, as an operator.

        Raises:
            UnsupportedMeasureError: numbers per coordinate on a measure without any.
            ValueError: a shape that does not fit ``mu``.
        """
        if not self._per_coordinate(mu):
            return self.amplitude
        amplitude, state = jnp.asarray(self.amplitude, mu.dtype), mu.state
        if isinstance(mu, Point) and amplitude.ndim == 0:
            return jax.tree.map(lambda leaf: jnp.full_like(leaf, amplitude), state)
        place = _place(self, mu)
        d = place(state).shape[-1]
        if amplitude.shape not in ((), (d,), (d, d)):
            raise ValueError(
                f"Noise: expected an amplitude of shape (), ({d},) or ({d}, {d}) for "
                f"points of dimension {d}, found {amplitude.shape}."
            )
        still = jax.tree.map(jnp.zeros_like, state)
        if amplitude.ndim < 2:
            rows = jnp.broadcast_to(amplitude, place(state).shape)
            return eqx.tree_at(place, still, rows)
        return lx.FunctionLinearOperator(
            lambda dw: eqx.tree_at(place, still, place(dw) @ amplitude.T),
            jax.eval_shape(lambda: state),
        )

    def operator(self, mu: AbstractMeasure) -> lx.AbstractLinearOperator:
        """B as an operator on ``mu.state``."""
        amplitude = self.on(mu)
        if isinstance(amplitude, lx.AbstractLinearOperator):
            return amplitude
        return lx.DiagonalLinearOperator(amplitude)

    def scaled(self, mu: AbstractMeasure, factor: PyTree[Array]) -> "Noise":
        """The noise with a factor of its own for every entry of the state."""
        amplitude = self.on(mu)
        if isinstance(amplitude, lx.AbstractLinearOperator):
            return Noise(lx.DiagonalLinearOperator(factor) @ amplitude, self.kind)
        return Noise(jax.tree.map(jnp.multiply, factor, amplitude), self.kind)

    def _per_coordinate(self, mu: AbstractMeasure) -> bool:
        """Whether the amplitude is what one particle feels."""
        if isinstance(self.amplitude, lx.AbstractLinearOperator):
            return False
        if jax.tree.structure(self.amplitude) != jax.tree.structure(0):
            return False
        if not eqx.is_array(mu.state) or (isinstance(mu, Point) and mu.state.ndim == 1):
            return True
        return jnp.shape(self.amplitude) != mu.state.shape


def _place(owner: object, mu: AbstractMeasure) -> Callable[[PyTree], Array]:
    """Where in a state, or in a tree like it, the coordinates are that are shaken."""
    match mu:
        case Particles():
            return lambda state: state[0]
        case Phase(measure=Particles()):
            return lambda state: state[1]
        case Point() if eqx.is_array(mu.state) and mu.state.ndim == 1:
            return lambda state: state
    raise UnsupportedMeasureError(
        owner, mu, "Particles, a Phase of Particles, and a Point (d,), by coordinates"
    )


def added(noises: Sequence[Noise], mu: AbstractMeasure) -> Noise:
    """Independent noises as one: their covariances add.

    Raises:
        TypeError: Ito's with Stratonovich's, or an operator with another noise.
    """
    kinds: set[NoiseKind] = {noise.kind for noise in noises}
    kinds -= {"additive"}
    if len(kinds) > 1:
        raise TypeError("SumFlow: Ito's and Stratonovich's noise do not add.")
    kind = kinds.pop() if kinds else "additive"
    if len(noises) == 1:
        return Noise(noises[0].amplitude, kind)
    amplitudes = [noise.on(mu) for noise in noises]
    if not any(isinstance(one, lx.AbstractLinearOperator) for one in amplitudes):
        sizes = jax.tree.map(lambda *std: jnp.sqrt(sum(s**2 for s in std)), *amplitudes)
        return Noise(sizes, kind)
    if not all(noise._per_coordinate(mu) for noise in noises):
        raise TypeError(
            "SumFlow: noises of which one moves several entries at once add where all "
            "are numbers or matrices per coordinate; else keep one noisy part."
        )
    place = _place(noises[0], mu)
    d = place(mu.state).shape[-1]
    roots = [_matrix(jnp.asarray(noise.amplitude, mu.dtype), d) for noise in noises]
    # R^T R is the sum of all B B^T.
    return Noise(jnp.linalg.qr(jnp.concatenate(roots, axis=1).T, mode="r").T, kind)


def _matrix(amplitude: Array, d: int) -> Array:
    if amplitude.ndim == 2:
        return amplitude
    return jnp.diag(jnp.broadcast_to(amplitude, (d,)))


def check_amplitude(owner: object, name: str, amplitude: ArrayLike) -> None:
    """Refuse what is no number, ``(d,)`` or ``(d, d)`` of noise.

    Raises:
        ValueError: it is not, is not finite, or a number below zero.
    """
    if jnp.ndim(amplitude) == 2:
        checks.shape(owner, name, amplitude, ("d", "d"))
        checks.finite(owner, name, amplitude)
        return
    if jnp.ndim(amplitude) > 0:
        checks.shape(owner, name, amplitude, ("d",))
    checks.non_negative(owner, name, amplitude)
