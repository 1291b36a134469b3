"""Population risks through the inner products of neurons, known in closed form."""

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import instance, known, non_negative, real_field, shape
from wflow.measures import Particles, UnsupportedMeasureError

from .risks import AbstractRisk


# Rounding of a unit vector in single precision.
_UNIT = 1e-4


class AbstractKernelRisk(AbstractRisk):
    r"""A risk with known $k(w, v) = E_x[\sigma(w, x)\,\sigma(v, x)]$, and a teacher.

    $\|f_\mu - f_\nu\|^2 = \iint k\,d(\mu-\nu)\,d(\mu-\nu)$, a squared discrepancy.
    """

    @abc.abstractmethod
    def gram(
        self, x: Float[Array, "n p"], y: Float[Array, "m p"]
    ) -> Float[Array, "n m"]:
        """Kernel matrix $k(x_i, y_j)$."""

    @abc.abstractmethod
    def target(self) -> Particles:
        """The neurons to be learned."""

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        del t
        return self.gap(mu, self.target()) / 2

    def gap(self, mu: Any, nu: Any) -> Float[Array, ""]:
        for law in (mu, nu):
            if not isinstance(law, Particles):
                raise UnsupportedMeasureError(self, law, "Particles")
        dim = self.target().dim
        for name, law in (("mu", mu), ("nu", nu)):
            if law.dim != dim:
                raise ValueError(
                    f"{type(self).__name__}: expected {name} of dimension {dim}, that "
                    f"of the teacher, found {law.dim}."
                )
        across = mu.w @ self.gram(mu.x, nu.x) @ nu.w
        within = mu.w @ self.gram(mu.x, mu.x) @ mu.w
        return within - 2 * across + nu.w @ self.gram(nu.x, nu.x) @ nu.w


class SingleIndexRisk(AbstractKernelRisk):
    r"""Risk of neurons on a sphere that look for the one direction of their teacher.

    Neurons $\sum_k c_k \mathrm{He}_k(w\cdot x)/\sqrt{k!}$, one of them the teacher.
    With $q(s) = \sum_k c_k^2 s^k$: $\|f_\rho\|^2 = \iint q(v\cdot w)\,d\rho\,d\rho$.
    Neurons enter through $w/|w|$, so that the Wasserstein flow is tangent and keeps
    unit neurons on the sphere.

    Attributes:
        powers: $c_k^2$ for k = 0, 1, ..., ``(K,)``.
        direction: the teacher's, ``(d,)``, of unit length.

    Raises:
        ValueError: powers that are negative or no list, or a direction of another shape
            or of another length than one.

    Reference: Glasgow, Wu, Bruna, arXiv:2504.13110 (the setting).
    """

    powers: Float[Array, " K"] = eqx.field(converter=real_field("powers"))
    direction: Float[Array, " d"] = eqx.field(converter=real_field("direction"))

    def __check_init__(self) -> None:
        shape(self, "powers", self.powers, ("K",))
        non_negative(self, "powers", self.powers)
        if not self.powers.size:
            raise ValueError("SingleIndexRisk: expected powers, found none.")
        shape(self, "direction", self.direction, ("d",))
        direction = known(self.direction)
        if direction is not None:
            length = float(np.linalg.norm(direction))
            if not abs(length - 1) < _UNIT:
                raise ValueError(
                    "SingleIndexRisk: expected direction of length 1, found length "
                    f"{length:.6g}."
                )

    @property
    def sampling_variance(self) -> Float[Array, ""]:
        r"""Error of m uniform draws at the start, times m.

        $m\,E\|f_{\rho^m} - f_\rho\|^2 = q(1) - E\,q(s)$; s is the overlap of two draws:
        $E s^k = E s^{k-2}\,(k-1)/(d+k-2)$ for even k, 0 for odd.
        """
        d, moment = self.direction.shape[0], 1.0
        total, mean = jnp.zeros((2,), self.powers.dtype)
        for k, power in enumerate(self.powers):
            if k > 0 and k % 2 == 0:
                moment *= (k - 1) / (d + k - 2)
            total, mean = total + power, mean + power * (1 - k % 2) * moment
        return total - mean

    def gram(
        self, x: Float[Array, "n d"], y: Float[Array, "m d"]
    ) -> Float[Array, "n m"]:
        x, y = (v / jnp.linalg.norm(v, axis=1, keepdims=True) for v in (x, y))
        return jnp.polyval(self.powers[::-1], x @ y.T)

    def target(self) -> Particles:
        return Particles.from_samples(self.direction[None])


class ErfRisk(AbstractKernelRisk):
    r"""Neurons $a\,\mathrm{erf}(b\cdot x/\sqrt2)$, $w = (a, b)$, inputs N(0, I).

    $k(w, v) = \frac{2 a a'}{\pi}\arcsin\frac{b\cdot b'}{\sqrt{(1+|b|^2)(1+|b'|^2)}}$.

    Attributes:
        teacher: neurons ``(k, 1 + d)``, their outputs added by weight.

    Raises:
        TypeError: a teacher that is not Particles.
        ValueError: neurons without inputs.

    Reference: Saad, Solla, Physical Review E 52 (1995), equation (6) and appendix A.
    """

    teacher: Particles

    def __check_init__(self) -> None:
        instance(self, "teacher", self.teacher, Particles, "Particles")
        if self.teacher.dim < 2:
            raise ValueError(
                "ErfRisk: expected teacher of neurons (a, b) with an output and at "
                f"least one input, found dimension {self.teacher.dim}."
            )

    def target(self) -> Particles:
        return self.teacher

    def gram(
        self, x: Float[Array, "n p"], y: Float[Array, "m p"]
    ) -> Float[Array, "n m"]:
        bx, by = (
            v[:, 1:] / jnp.sqrt(1 + jnp.sum(v[:, 1:] ** 2, axis=1, keepdims=True))
            for v in (x, y)
        )
        return x[:, :1] * y[:, 0] * jnp.arcsin(bx @ by.T) * (2 / jnp.pi)
