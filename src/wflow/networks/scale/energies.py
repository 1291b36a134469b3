"""Energies of layers: a loss of the effective matrix, and weight decay by roles."""

from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import (
    function,
    instance,
    non_negative,
    one_number,
    one_of,
    shape,
    to_real,
)
from wflow.energies import AbstractEnergy
from wflow.measures import Point, UnsupportedMeasureError

from .layers import ScaledLinear
from .roles import Overrides, roles
from .scales import ROLES, Role, real


class EffectiveLoss(AbstractEnergy):
    r"""A loss of the matrix that a layer with scale vectors amounts to.

    $F = \ell(M)$ for the effective matrix M of a ``ScaledLinear``, or M itself: one
    energy for the flow of the factors and for the reduced flow. On a ``Point`` whose
    value is a layer $M = D_r W D_g$, stacked over branches; otherwise the value.

    Attributes:
        loss: of the matrix ``(m, d)``, one number.

    Raises:
        TypeError: a loss that is no function, or gives anything but one number.
    """

    loss: Callable[[Float[Array, "m d"]], Float[Array, ""]]

    def __check_init__(self) -> None:
        function(self, "loss", self.loss, "the matrix")

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        del t
        return one_number(self, "loss", self.loss(_effective(self, mu)))


class LinearRegression(AbstractEnergy):
    r"""Least squares in the effective matrix of a layer.

    $F = \frac{1}{2n}\lVert X M^T - Y\rVert^2$, on what ``EffectiveLoss`` acts on.

    Attributes:
        inputs: X, of shape ``(n, d)``.
        targets: Y, of shape ``(n, m)``.

    Raises:
        ValueError: shapes that do not fit, arrays that are complex or not finite.
        TypeError: arrays of integers.
    """

    inputs: Float[Array, "n d"]
    targets: Float[Array, "n m"]

    def __init__(self, inputs: ArrayLike, targets: ArrayLike):
        """Take the data."""
        self.inputs = real("LinearRegression", "inputs", inputs)
        self.targets = real("LinearRegression", "targets", targets)
        shapes = self.inputs.shape, self.targets.shape
        if (
            {len(found) for found in shapes} != {2}
            or 0 in shapes[0]
            or shapes[0][0] != shapes[1][0]
        ):
            raise ValueError(
                "LinearRegression: expected inputs (n, d) and targets (n, m), found "
                f"{shapes[0]} and {shapes[1]}."
            )

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        del t
        matrix = _effective(self, mu)
        shape(self, "matrix", matrix, (self.targets.shape[1], self.inputs.shape[1]))
        residual = self.inputs @ matrix.T - self.targets
        return jnp.sum(residual**2) / (2 * self.inputs.shape[0])

    @property
    def least(self) -> Float[Array, ""]:
        """The minimum over all matrices, of data that are known (outside ``jit``)."""
        best, *_ = np.linalg.lstsq(self.inputs, self.targets)
        return self.value(Point(jnp.asarray(best.T)))


class Decay(AbstractEnergy):
    r"""Weight decay as part of the energy (coupled), with a rate for each role.

    $F = \sum_\rho \frac{\lambda_\rho}{2} \sum_{\theta\text{ of role }\rho}
    \lVert\theta\rVert^2$.

    With one rate for W and g each imbalance falls as $e^{-2\lambda t}$, and the minimum
    over factorizations is the group lasso $\ell(M) + \lambda\sum_j\lVert M_j\rVert$.

    Attributes:
        rates: a rate for each decayed role of ``roles``.
        role_overrides: as in ``roles``.

    Raises:
        ValueError: an unknown role or a negative rate.
    """

    rates: dict[Role, Float[Array, ""]]
    role_overrides: tuple[tuple[Role, Callable[[Any], Any]], ...] = eqx.field(
        static=True
    )

    def __init__(
        self,
        rates: Mapping[Role, ArrayLike],
        role_overrides: Overrides | None = None,
    ):
        """Decay those roles."""
        instance("Decay", "rates", rates, Mapping, "a mapping of roles to rates")
        self.rates = {
            role: to_real(rate, f"rates[{role!r}]") for role, rate in rates.items()
        }
        # Hashable, as what is static must be.
        self.role_overrides = tuple((role_overrides or {}).items())
        for role, rate in self.rates.items():
            one_of("Decay", "every key of rates to be", role, ROLES)
            shape("Decay", f"rates[{role!r}]", rate, ())
            non_negative("Decay", f"rates[{role!r}]", rate)

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        del t
        if not isinstance(mu, Point):
            raise UnsupportedMeasureError(self, mu, "Point")
        found = jax.tree.leaves(roles(mu.value, dict(self.role_overrides)))
        squares = [jnp.sum(leaf**2) for leaf in jax.tree.leaves(mu.state)]
        return sum(
            self.rates[role] * square / 2
            for role, square in zip(found, squares, strict=True)
            if role in self.rates
        ) + jnp.zeros((), mu.dtype)


def _effective(energy: AbstractEnergy, mu: Any) -> Float[Array, "m d"]:
    match mu:
        case Point(value=ScaledLinear() as layer):
            return layer.matrix()
        case Point(value=value) if eqx.is_array(value) and jnp.ndim(value) == 2:
            return value
    raise UnsupportedMeasureError(energy, mu, "a Point of a ScaledLinear or of (m, d)")
