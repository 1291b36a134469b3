"""Population risks through the inner products of neurons, known in closed form."""

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import real_field
from wflow.measures import Particles, UnsupportedMeasureError

from .risks import AbstractRisk


class AbstractKernelRisk(AbstractRisk):
    r"""A risk with known $k(w, v) = E_x[\sigma(w, x)\,\sigma(v, x)]$, and a teacher.

    $\|f_\mu - f_\nu\|^2 = \iint k\,d(\mu-\nu)\,d(\mu-\nu)$, a squared discrepancy.
    """

    @abc.abstractmethod
    def gram(
        self, x: Float[Array, "n p"], y: Float[Array, "m p"]
    ) -> Float[Array, "n m"]:
        r"""$k(x_i, y_j)$."""

    @abc.abstractmethod
    def target(self) -> Particles:
        """The neurons to be learnt."""

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        del t
        return self.gap(mu, self.target()) / 2

    def gap(self, mu: Any, nu: Any) -> Float[Array, ""]:
        for law in (mu, nu):
            if not isinstance(law, Particles):
                raise UnsupportedMeasureError(self, law, "Particles")
        across = mu.w @ self.gram(mu.x, nu.x) @ nu.w
        within = mu.w @ self.gram(mu.x, mu.x) @ mu.w
        return within - 2 * across + nu.w @ self.gram(nu.x, nu.x) @ nu.w


class SingleIndexRisk(AbstractKernelRisk):
    r"""Neurons $\sum_k c_k \mathrm{He}_k(w\cdot x)/\sqrt{k!}$ on the sphere, one of
    them the teacher.

    With $q(s) = \sum_k c_k^2 s^k$: $\|f_\rho\|^2 = \iint q(v\cdot w)\,d\rho\,d\rho$.
    Neurons enter through $w/|w|$, so that the Wasserstein flow is tangent and keeps
    unit neurons on the sphere.

    Attributes:
        powers: $c_k^2$ for k = 0, 1, ..., ``(K,)``.
        direction: the teacher's, ``(d,)``, of unit length.

    Reference: Glasgow, Wu, Bruna, arXiv:2504.13110 (the setting).
    """

    powers: Float[Array, " K"] = eqx.field(converter=real_field("powers"))
    direction: Float[Array, " d"] = eqx.field(converter=real_field("direction"))

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

    Reference: Saad, Solla, Physical Review E 52 (1995), equation (6) and appendix A.
    """

    teacher: Particles

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
