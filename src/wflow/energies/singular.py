"""Pair interactions that are singular where points meet, without their diagonal."""

import abc
import math
from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow import checks
from wflow.checks import real_field
from wflow.measures import Grid, Particles, Phase
from wflow.measures.base import Differential
from wflow.measures.particles import refuse_period

from .base import AbstractEnergy, Scaled
from .interaction import Interaction


def _squared_distance(x: Float[Array, " d"], y: Float[Array, " d"]) -> Array:
    return jnp.sum((x - y) ** 2)


def _log(x: Float[Array, " d"], y: Float[Array, " d"]) -> Float[Array, ""]:
    return -jnp.log(_squared_distance(x, y)) / 2


def _check_strength(owner: object, strength: Array) -> None:
    checks.shape(owner, "strength", strength, ())
    checks.finite(owner, "strength", strength)


class _AbstractSingular(AbstractEnergy[Particles | Grid]):
    """An energy of pairs without their diagonal, and a strength."""

    strength: eqx.AbstractVar[Float[Array, ""]]

    @abc.abstractmethod
    def _pair(self) -> Callable[[Array, Array], Array]:
        """What two points that are apart have, of strength one."""

    def _whole(self, mu: Particles | Grid | Phase) -> Scaled:
        del mu
        return self.strength * Interaction(self._pair(), diagonal=False)

    def value(self, mu: Particles | Grid, t: ArrayLike = 0.0) -> Float[Array, ""]:
        return self._whole(mu).value(mu, t)

    def differential(
        self, mu: Particles | Grid | Phase, t: ArrayLike = 0.0
    ) -> Differential:
        return self._whole(mu).differential(mu, t)


class LogInteraction(_AbstractSingular):
    r"""Logarithmic repulsion, as of eigenvalues and of vortices.

    $F(\mu) = -\frac{A}{2} \iint_{x \ne y} \log|x - y|\,d\mu\,d\mu$.

    Repels where the strength A > 0, as eigenvalues and vortices do. No atom meets
    itself: on a Grid the energy within a cell is left out.

    Raises:
        ValueError: a strength that is not one finite number.

    Reference: Serfaty, arXiv:1709.04089, section 1.
    """

    strength: Float[Array, ""] = eqx.field(
        converter=real_field("strength"), default=1.0
    )

    def __check_init__(self) -> None:
        _check_strength(self, self.strength)

    def _pair(self) -> Callable[[Array, Array], Array]:
        return _log


class RieszInteraction(_AbstractSingular):
    r"""Repulsion by an inverse power of the distance.

    $F(\mu) = \frac{A}{2s} \iint_{x \ne y} |x - y|^{-s}\,d\mu\,d\mu$, $s > 0$.

    Repels with the force $A r^{-s-1}$ where the strength A > 0. No atom meets itself:
    on a Grid the energy within a cell is left out.

    Attributes:
        exponent: s.
        strength: A.

    Raises:
        ValueError: an exponent that is not one finite number above zero, or a strength
            that is not one finite number.

    Reference: Serfaty, arXiv:1709.04089, section 1 (there without 1/s).
    """

    exponent: Float[Array, ""] = eqx.field(converter=real_field("exponent"))
    strength: Float[Array, ""] = eqx.field(
        converter=real_field("strength"), default=1.0
    )

    def __check_init__(self) -> None:
        checks.shape(self, "exponent", self.exponent, ())
        checks.positive(self, "exponent", self.exponent)
        _check_strength(self, self.strength)

    def _pair(self) -> Callable[[Array, Array], Array]:
        s = self.exponent
        return lambda x, y: _squared_distance(x, y) ** (-s / 2) / s


class CoulombInteraction(_AbstractSingular):
    r"""Repulsion of charges, or gravity, in any dimension.

    $F(\mu) = \frac{A}{2} \iint_{x \ne y} g(x - y)\,d\mu\,d\mu$.

    With $-\Delta g = \delta$ in the dimension of the points: g is $-|x|/2$ on the line,
    $-\frac{1}{2\pi}\log|x|$ in the plane and $|x|^{2-d} / ((d-2)|S^{d-1}|)$ above.
    Repels where the strength A > 0; A < 0 is gravity, and in the plane the attraction
    of Keller and Segel. No atom meets itself: on a Grid the energy within a cell is
    left out.

    Raises:
        ValueError: a strength that is not one finite number; when evaluated, a measure
            with a period, where that g is another function.

    Reference: Serfaty, arXiv:1709.04089, section 1 (there without the constants).
    """

    strength: Float[Array, ""] = eqx.field(
        converter=real_field("strength"), default=1.0
    )

    def __check_init__(self) -> None:
        _check_strength(self, self.strength)

    def _whole(self, mu: Particles | Grid | Phase) -> Scaled:
        refuse_period(self, mu)
        return super()._whole(mu)

    def _pair(self) -> Callable[[Array, Array], Array]:
        return _coulomb


def _coulomb(x: Float[Array, " d"], y: Float[Array, " d"]) -> Float[Array, ""]:
    d, r2 = len(x), _squared_distance(x, y)
    if d == 1:
        return -jnp.sqrt(r2) / 2
    if d == 2:
        return _log(x, y) / (2 * math.pi)
    sphere = 2 * math.pi ** (d / 2) / math.gamma(d / 2)
    return r2 ** (1 - d / 2) / ((d - 2) * sphere)
