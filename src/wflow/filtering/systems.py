"""Systems that filters are tried on."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex, Float

from wflow import checks
from wflow.checks import real_field

from .transitions import AbstractMap


class Lorenz63(eqx.Module):
    r"""$\dot x = (\sigma (x_2 - x_1),\ x_1(\rho - x_3) - x_2,\ x_1 x_2 - \beta x_3)$.

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
    r"""$\dot x_i = (x_{i+1} - x_{i-2}) x_{i-1} - x_i + F$, indices cyclic.

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


class Linear(eqx.Module):
    r"""$x \mapsto A x$, a map or an observation operator; ``matrix`` is ``(p, d)``.

    Raises:
        ValueError: matrix is no finite matrix; at the call, a state of another length.
    """

    matrix: Float[Array, "p d"] = eqx.field(converter=real_field("matrix"))

    def __check_init__(self) -> None:
        checks.finite(self, "matrix", self.matrix)
        checks.shape(self, "matrix", self.matrix, ("p", "d"))
        for size in jnp.shape(getattr(self.matrix, "raw", self.matrix)):
            checks.count(self, "the sizes of matrix", size)

    def __call__(
        self, x: Float[Array, " d"], t: Float[ArrayLike, ""] = 0.0
    ) -> Float[Array, " p"]:
        """The product; it does not depend on the time."""
        del t
        checks.shape(self, "x", x, (self.matrix.shape[1],))
        return self.matrix.astype(x.dtype) @ x


class Components(eqx.Module):
    """The observation operator that reads components ``start``, ``start + every``, ...

    With the defaults all of them.

    Raises:
        ValueError: start or stop below 0, every below 1; at the call, a state that does
            not have these components.
        TypeError: one of them is no whole number.
    """

    start: int = eqx.field(static=True, default=0)
    every: int = eqx.field(static=True, default=1)
    stop: int | None = eqx.field(static=True, default=None)

    def __check_init__(self) -> None:
        checks.count(self, "start", self.start, 0)
        checks.count(self, "every", self.every)
        if self.stop is not None:
            checks.count(self, "stop", self.stop, self.start + 1)

    def __call__(self, x: Float[Array, " d"]) -> Float[Array, " p"]:
        """The components that are read."""
        checks.shape(self, "x", x, ("d",))
        last = self.start + 1 if self.stop is None else self.stop
        if last > x.shape[0]:
            raise ValueError(
                f"Components: expected x of at least {last} components, found "
                f"{x.shape[0]}."
            )
        return x[self.start : self.stop : self.every]


class KuramotoSivashinsky(AbstractMap):
    r"""$u_t = -u u_x - u_{xx} - u_{xxxx}$ on a circle, at equidistant points.

    Spectral in space, ``steps`` steps of length ``dt`` of ETDRK4 in time. The state is
    u at n points, n even; ``length`` is that of the circle.

    Reference: Kassam, Trefethen, SIAM J. Sci. Comput. 26 (2005), equations (26)-(29)
    and section 3 (contour integrals of radius 1, 32 points).

    Raises:
        ValueError: steps below 1, length or dt not above 0; at the call, n odd.
        TypeError: steps is no whole number.
    """

    length: Float[Array, ""] = eqx.field(
        converter=real_field("length"), default=32 * np.pi
    )
    dt: Float[Array, ""] = eqx.field(converter=real_field("dt"), default=0.25)
    steps: int = eqx.field(static=True, default=1)

    def __check_init__(self) -> None:
        checks.count(self, "steps", self.steps)
        for name in ("length", "dt"):
            checks.positive(self, name, getattr(self, name))
            checks.shape(self, name, getattr(self, name), ())

    @property
    def interval(self) -> Float[Array, ""]:
        """Time from one observation to the next."""
        return self.steps * self.dt

    def advance(
        self, x: Float[Array, " d"], t: Float[ArrayLike, ""]
    ) -> Float[Array, " d"]:
        del t
        checks.shape(self, "x", x, ("n",))
        n = x.shape[0]
        if n % 2:
            raise ValueError(
                f"KuramotoSivashinsky: expected x of n points, n even, found {n}."
            )
        # The odd derivative of the highest wave is zero at all points.
        k = 2 * jnp.pi / self.length.astype(x.dtype) * jnp.arange(n // 2 + 1)
        slope = -0.5j * k.at[-1].set(0)
        full, half, q, f1, f2, f3 = _etdrk4((k**2 - k**4), self.dt.astype(x.dtype))

        def nonlinear(v: Complex[Array, " m"]) -> Complex[Array, " m"]:
            return slope * jnp.fft.rfft(jnp.fft.irfft(v, n) ** 2)

        def step(v: Array, _: None) -> tuple[Array, None]:
            nv = nonlinear(v)
            a = half * v + q * nv
            na = nonlinear(a)
            b = half * v + q * na
            nb = nonlinear(b)
            nc = nonlinear(half * a + q * (2 * nb - nv))
            return full * v + f1 * nv + 2 * f2 * (na + nb) + f3 * nc, None

        body = jax.checkpoint(step, prevent_cse=False)
        v, _ = jax.lax.scan(body, jnp.fft.rfft(x), None, length=self.steps)
        return jnp.fft.irfft(v, n).astype(x.dtype)


def _etdrk4(linear: Float[Array, " m"], h: Float[Array, ""]) -> tuple[Array, ...]:
    """Coefficients of ETDRK4 for a diagonal linear part, by means over circles.

    The formulas cancel near 0; on a circle of radius 1 around h L they do not, and
    their mean there is their value at its centre. For real L the upper half is enough.
    """
    points = 16
    r = np.exp(1j * np.pi * (np.arange(1, points + 1) - 0.5) / points)
    dtype = jnp.result_type(linear, jnp.complex64)
    z = h * linear[:, None] + jnp.asarray(r, dtype)
    ez = jnp.exp(z)

    def mean(values: Array) -> Array:
        return h * jnp.mean(values.real, axis=1)

    return (
        jnp.exp(h * linear),
        jnp.exp(h * linear / 2),
        mean((jnp.exp(z / 2) - 1) / z),
        mean((-4 - z + ez * (4 - 3 * z + z**2)) / z**3),
        mean((2 + z + ez * (z - 2)) / z**3),
        mean((-4 - 3 * z - z**2 + ez * (4 - z)) / z**3),
    )
