"""The systems of Lorenz, on which filters are tried."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow import checks
from wflow.checks import real_field


class Lorenz63(eqx.Module):
    r"""Lorenz's three equations of convection, the smallest chaotic model of a weather.

    $\dot x = (\sigma (x_2 - x_1),\ x_1(\rho - x_3) - x_2,\ x_1 x_2 - \beta x_3)$, the
    drift at a state ``(3,)``.

    Attributes:
        sigma: Prandtl number.
        rho: Rayleigh number over its critical value.
        beta: of the geometry of the rolls.

    Raises:
        ValueError: a parameter is no finite number; at the call, a state of another
            shape than (3,).

    Reference: Lorenz, J. Atmos. Sci. 20 (1963), equations (25)-(27).
    """

    sigma: Float[Array, ""] = eqx.field(converter=real_field("sigma"), default=10.0)
    rho: Float[Array, ""] = eqx.field(converter=real_field("rho"), default=28.0)
    beta: Float[Array, ""] = eqx.field(converter=real_field("beta"), default=8 / 3)

    def __check_init__(self) -> None:
        for name in ("sigma", "rho", "beta"):
            checks.finite(self, name, getattr(self, name))
            checks.shape(self, name, getattr(self, name), ())

    def __call__(
        self, x: Float[Array, "3"], t: Float[ArrayLike, ""] = 0.0
    ) -> Float[Array, "3"]:
        """The drift at ``x``; it does not depend on the time."""
        del t
        checks.shape(self, "x", x, (3,))
        a, b, c = x[0], x[1], x[2]
        return jnp.stack(
            [self.sigma * (b - a), a * (self.rho - c) - b, a * b - self.beta * c]
        )


class Lorenz96(eqx.Module):
    r"""Lorenz's circle of weather stations, the usual chaotic test model of filters.

    $\dot x_i = (x_{i+1} - x_{i-2}) x_{i-1} - x_i + F$, indices cyclic: the drift at a
    state ``(d,)``, in which a unit of time is five days.

    Raises:
        ValueError: forcing is no finite number; at the call, a state that is no vector.

    Reference: Lorenz, ECMWF Seminar on Predictability (1996), equation (1).
    """

    forcing: Float[Array, ""] = eqx.field(converter=real_field("forcing"), default=8.0)

    def __check_init__(self) -> None:
        checks.finite(self, "forcing", self.forcing)
        checks.shape(self, "forcing", self.forcing, ())

    def __call__(
        self, x: Float[Array, " d"], t: Float[ArrayLike, ""] = 0.0
    ) -> Float[Array, " d"]:
        """The drift at ``x``; it does not depend on the time."""
        del t
        checks.shape(self, "x", x, ("d",))
        before, twice, behind = (jnp.roll(x, shift) for shift in (1, 2, -1))
        return (behind - twice) * before - x + self.forcing
