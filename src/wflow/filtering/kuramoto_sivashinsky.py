"""The equation of Kuramoto and Sivashinsky, chaos in space and time."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex, Float

from wflow import checks
from wflow.checks import real_field

from .base import check_number
from .transitions import AbstractMap


class KuramotoSivashinsky(AbstractMap):
    """A flame front on a circle that becomes chaotic: a model of many dimensions.

    $u_t = -u u_x - u_{xx} - u_{xxxx}$, at equidistant points; spectral in space, with
    steps of ETDRK4 in time. The state is u at n points, n even, ``(n,)``.

    Attributes:
        length: of the circle.
        dt: length of a step in time.
        steps: number of steps between two observations.

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
            check_number(self, name, getattr(self, name))

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
    their mean there is their value at its center. For real L the upper half is enough.
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
