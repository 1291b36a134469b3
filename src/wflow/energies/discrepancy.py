"""Energies that measure how far a measure is from a target."""

from collections.abc import Callable
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow import checks
from wflow.checks import real_field
from wflow.kernels import AbstractKernel, GaussianKernel
from wflow.kernels.embeddings import mixture_double_integral, mixture_embedding
from wflow.kernels.functions import pair_sum
from wflow.kernels.sums import matvec
from wflow.measures import (
    Gaussian,
    GaussianMixture,
    Grid,
    Particles,
    UnsupportedMeasureError,
    nearest_image,
)
from wflow.measures.particles import refuse_period
from wflow.measures.phase import Law
from wflow.measures.torus import common_period
from wflow.transport import sinkhorn_divergence

from .base import AbstractEnergy, atoms


def _as_mixture(law: Gaussian | GaussianMixture) -> GaussianMixture:
    if isinstance(law, GaussianMixture):
        return law
    return GaussianMixture(law.mean[None], law.cov[None], jnp.ones(1, law.mean.dtype))


class MMD(AbstractEnergy[Law]):
    r"""How far a measure is from a target, seen through a kernel.

    $F(\mu) = \frac12 \mathrm{MMD}_k^2(\mu, \nu)$, half the squared discrepancy.

    $\mathrm{MMD}_k^2 = \iint k\,d(\mu-\nu)\,d(\mu-\nu)$, diagonals included. The target
    is Particles, or a Gaussian or GaussianMixture in closed form with the Gaussian
    kernel; a Gaussian measure needs that form too.

    Raises:
        TypeError: the kernel is none, or not the Gaussian one where that is needed, or
            the target is another object.

    Reference: Arbel, Korba, Salim, Gretton, NeurIPS 2019, equation (1).
    """

    kernel: AbstractKernel
    target: Particles | Gaussian | GaussianMixture

    def __check_init__(self) -> None:
        checks.instance(self, "kernel", self.kernel, AbstractKernel, "a kernel")
        checks.instance(
            self,
            "target",
            self.target,
            Particles | Gaussian | GaussianMixture,
            "Particles, a Gaussian or a GaussianMixture",
        )
        if not isinstance(self.target, Particles) and not isinstance(
            self.kernel, GaussianKernel
        ):
            raise TypeError(
                "MMD: a target given as a density needs the Gaussian kernel, found "
                f"{type(self.kernel).__name__}."
            )

    @property
    def _smooth(self) -> GaussianKernel:
        """The kernel where the target is a density."""
        assert isinstance(self.kernel, GaussianKernel)  # see __check_init__
        return self.kernel

    def value(self, mu: Law, t: ArrayLike = 0.0) -> Float[Array, ""]:
        del t
        if isinstance(mu, Gaussian):
            return self._value_of_gaussian(mu)
        x, w = atoms(self, mu)
        period = self._period(mu)
        within = w @ matvec(self.kernel, x, x, w, period=period)
        match self.target:
            case Particles():
                y, v = self.target.atoms
                across = w @ matvec(self.kernel, x, y, v, period=period)
                target = v @ matvec(self.kernel, y, y, v, period=period)
            case _:
                mixture = _as_mixture(self.target)
                across = w @ mixture_embedding(self._smooth, mixture, x)
                target = mixture_double_integral(self._smooth, mixture, mixture)
        return (within - 2 * across + target) / 2

    def _period(self, mu: Particles | Grid) -> Array | None:
        if isinstance(self.target, Particles):
            return common_period(self, mu, self.target)
        refuse_period(self, mu)
        return None

    def first_variation(
        self, mu: Particles | Grid, points: Float[Array, "m d"], t: ArrayLike = 0.0
    ) -> Float[Array, " m"]:
        r"""The witness function $\int k(y, \cdot)\,d(\mu - \nu)$ at points y."""
        del t
        (x, w), period = atoms(self, mu), self._period(mu)
        match self.target:
            case Particles():
                target = matvec(self.kernel, points, *self.target.atoms, period=period)
            case _:
                target = mixture_embedding(
                    self._smooth, _as_mixture(self.target), points
                )
        return matvec(self.kernel, points, x, w, period=period) - target

    def _value_of_gaussian(self, mu: Gaussian) -> Float[Array, ""]:
        if isinstance(self.target, Particles) or not isinstance(
            self.kernel, GaussianKernel
        ):
            raise UnsupportedMeasureError(
                self,
                mu,
                "Particles and Grid, and on Gaussian when the target is a Gaussian or "
                "a mixture",
            )
        law, target = _as_mixture(mu), _as_mixture(self.target)
        terms = [
            mixture_double_integral(self.kernel, a, b)
            for a, b in ((law, law), (law, target), (target, target))
        ]
        return (terms[0] - 2 * terms[1] + terms[2]) / 2


class KernelSteinDiscrepancy(AbstractEnergy[Particles | Grid]):
    r"""How far a measure is from a density known up to a factor.

    $F(\mu) = \frac12 \iint u_\pi(x, y)\,d\mu(x)\,d\mu(y)$, half the squared KSD.

    $u_\pi = s(x)\cdot s(y)\,k + s(x)\cdot\nabla_y k + s(y)\cdot\nabla_x k
    + \nabla_x\cdot\nabla_y k$ with the score $s = \nabla\log\pi$; the target's
    normalizer is not needed. The kernel must be twice differentiable (Gaussian, inverse
    multiquadric, Matern 5/2).

    Raises:
        TypeError: the kernel is none, or ``log_density`` no function.
        ValueError: when evaluated, a log-density that is not one real number.

    Reference: Liu, Lee, Jordan, ICML 2016, theorem 3.6.
    """

    kernel: AbstractKernel
    log_density: Callable[[Array], Array]

    def __check_init__(self) -> None:
        checks.instance(self, "kernel", self.kernel, AbstractKernel, "a kernel")
        checks.function(self, "log_density", self.log_density, "x")

    def value(self, mu: Particles | Grid, t: ArrayLike = 0.0) -> Float[Array, ""]:
        del t
        x, w = atoms(self, mu)

        def log_density(x: Array) -> Float[Array, ""]:
            return checks.one_number(self, "log_density", self.log_density(x))

        score = jax.vmap(jax.grad(log_density))(x)
        k = self.kernel
        grad_x, grad_y = jax.grad(k, 0), jax.grad(k, 1)

        def stein(a: Array, b: Array) -> Array:
            (xa, sa), (xb, sb) = jnp.split(a, 2), jnp.split(b, 2)
            xb = nearest_image(xa, xb, mu.period)
            trace = jnp.trace(jax.jacfwd(grad_x, 1)(xa, xb))
            first = sa @ grad_y(xa, xb) + sb @ grad_x(xa, xb)
            return (sa @ sb) * k(xa, xb) + first + trace

        points = jnp.concatenate([x, score], axis=1)
        return pair_sum(stein, points, w, points, w) / 2


class SinkhornDivergence(AbstractEnergy[Particles | Grid]):
    r"""How far a measure is from target particles, by smoothed transport.

    $F(\mu) = S_b(\mu, \nu)$, the debiased Sinkhorn divergence to particles.

    ``blur`` b is a length; with ``p=2`` the ground cost is $|x-y|^2/2$ (so that
    $S_b \to W_2^2/2$ as b goes to 0), with ``p=1`` it is $|x-y|$. Masses are
    normalized. Outside ``jit`` a value that has not converged is warned of.

    Raises:
        TypeError: a target that is not Particles.
        ValueError: blur not > 0, or p not 1 or 2.

    Reference: Feydy et al., AISTATS 2019, equation (3).
    """

    target: Particles
    blur: Float[Array, ""] = eqx.field(converter=real_field("blur"))
    p: Literal[1, 2] = eqx.field(static=True, default=2)

    def __check_init__(self) -> None:
        checks.instance(self, "target", self.target, Particles, "Particles")
        checks.shape(self, "blur", self.blur, ())
        checks.positive(self, "blur", self.blur)
        checks.one_of(self, "p", self.p, (1, 2))

    def value(self, mu: Particles | Grid, t: ArrayLike = 0.0) -> Float[Array, ""]:
        del t
        x, w = atoms(self, mu)
        return sinkhorn_divergence(
            x,
            self.target.x,
            weights_x=w,
            weights_y=self.target.w,
            blur=self.blur,
            p=self.p,
            period=common_period(self, mu, self.target),
        ).value
