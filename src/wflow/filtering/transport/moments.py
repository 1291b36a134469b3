"""The flow under a polynomial kernel: two moments, and Kalman's update as its end."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow import checks
from wflow.checks import real_field
from wflow.energies import AbstractEnergy
from wflow.filtering.base import check_number
from wflow.flows import GradientFlow
from wflow.geometries import Euclidean
from wflow.measures import Point, UnsupportedMeasureError

from .base import AbstractTransport
from .coupling import passengers
from .pairs import Standardized
from .scales import check_array
from .starts import started


class MomentMismatch(AbstractEnergy):
    r"""How far an affine map is from giving a joint law its first two moments.

    $F(A, B) = \frac12 |A A^\top + B B^\top - 1|^2 + |B - C|^2$ of affine maps
    $x \mapsto A x + B y$: half the squared discrepancy under the kernel
    $(1 + u \cdot u')^2$ of the transported joint law, in whitened coordinates with
    cross-covariance C (but for the means, which are zero). Its Euclidean gradient flow
    on ``Point((A, B))`` is the conditional flow of the maps,

    $A' = -2 D_1 A$, $B' = -2(D_1 B + D_2)$ with $D_1 = A A^\top + B B^\top - 1$ and
    $D_2 = B - C$, which ends from A = 1, B = 0 in $B = C$, $A = (1 - C C^\top)^{1/2}$:
    the Kalman update with the symmetric square root. Close to perfect correlation it is
    stiff.

    Attributes:
        cross: C, ``(d, p)``.

    Raises:
        ValueError: cross is no finite matrix; in ``value``, a point of another shape.

    The limit is that of a symmetric square-root filter.
    """

    cross: Float[Array, "d p"] = eqx.field(converter=real_field("cross"))

    def __check_init__(self) -> None:
        check_array(self, "cross", ("d", "p"))

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        del t
        if not isinstance(mu, Point):
            raise UnsupportedMeasureError(self, mu, "Point((A, B))")
        a, b = mu.value
        d, p = self.cross.shape
        checks.shape(self, "A", a, (d, d))
        checks.shape(self, "B", b, (d, p))
        own = a @ a.T + b @ b.T - jnp.eye(a.shape[0], dtype=a.dtype)
        return jnp.sum(own**2) / 2 + jnp.sum((b - self.cross) ** 2)


def moment_flow(cross: Float[ArrayLike, "d p"]) -> tuple[GradientFlow, Point]:
    """The flow of ``MomentMismatch``, and the identity map, where it starts.

    Raises:
        ValueError: cross is no finite matrix.
    """
    energy = MomentMismatch(cross)
    d = energy.cross.shape[0]
    start = jnp.eye(d, dtype=energy.cross.dtype), jnp.zeros_like(energy.cross)
    return GradientFlow(energy, Euclidean()), Point(start)


class MomentTransport(AbstractTransport):
    r"""The quickest transport: an affine map that gets the first two moments right.

    The end of the moment flow, $x_i \leftarrow A x_i + B y^*$: an ensemble Kalman
    update without simulated noise in the members, with the sampled covariance of
    simulated observations; for nearly Gaussian laws.

    Attributes:
        inflation: of the forecast, about its mean.

    Raises:
        ValueError: inflation out of range; in the analysis, too few members to whiten
            the state.
    """

    inflation: Float[Array, ""] = eqx.field(
        converter=real_field("inflation"), default=1.0
    )

    def __check_init__(self) -> None:
        check_number(self, "inflation", self.inflation)

    def transport(self, pairs: Standardized, key: PRNGKeyArray) -> Float[Array, "n d"]:
        del key
        return started("square_root", pairs, passengers(pairs))
