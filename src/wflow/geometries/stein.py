"""The kernel-averaged Wasserstein geometry."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from wflow import checks
from wflow.kernels import AbstractKernel
from wflow.kernels.sums import matvec, matvec_and_slope
from wflow.measures import Particles, UnsupportedMeasureError
from wflow.measures.base import Differential, State
from wflow.measures.particles import refuse_period

from .base import AbstractGeometry


class Stein(AbstractGeometry[Particles]):
    r"""Transport by forces that are averaged over neighbors with a kernel.

    $\dot x_i = -\int k(x_i, y)\,\nabla\frac{\delta F}{\delta\mu}(y)\,d\mu(y)$.

    An implicit entropy with coefficient $\tau$ is integrated by parts,
    $+\tau\int\nabla_y k(x_i, y)\,d\mu(y)$: with ``KLDivergence`` this is Stein
    variational gradient descent. The kernel must be translation invariant; a rule that
    makes one from the positions ``(n, d)``, such as ``MedianGaussian()``, is asked at
    every step.

    Raises:
        TypeError: the kernel is neither a kernel nor a rule that makes one.
        ValueError: when evaluated, a rule for particles with a period.

    Reference: Liu, NeurIPS 2017, equation (5); Duncan, Nuesken, Szpruch,
    arXiv:1912.00894.

    Examples:
        >>> import jax.numpy as jnp
        >>> import wflow as wf
        >>> target = wf.KLDivergence(lambda x: -x @ x / 2)
        >>> svgd = wf.GradientFlow(target, wf.Stein(wf.kernels.GaussianKernel(1.0)))
        >>> cloud = wf.Particles.from_samples(jnp.linspace(2, 4, 8)[:, None])
        >>> bool(jnp.all(svgd.velocity(cloud)[0] < 0))  # all towards the target
        True
    """

    kernel: AbstractKernel | Callable[[Float[Array, "n d"]], AbstractKernel]

    def __check_init__(self) -> None:
        if not isinstance(self.kernel, AbstractKernel):
            if not callable(self.kernel):
                what = "a kernel or a rule for one"
                checks.instance(self, "kernel", self.kernel, AbstractKernel, what)
            checks.function(self, "kernel", self.kernel, "the positions")

    def _kernel(self, mu: Particles) -> AbstractKernel:
        if isinstance(self.kernel, AbstractKernel):
            return self.kernel
        refuse_period("Stein with a rule for its kernel", mu)
        kernel = self.kernel(mu.x)
        checks.instance(self, "the rule's kernel", kernel, AbstractKernel, "a kernel")
        return kernel

    def velocity(self, mu: Particles, differential: Differential) -> State:
        if not isinstance(mu, Particles):
            raise UnsupportedMeasureError(self, mu, "Particles")
        velocity = self._field(mu, differential, mu.x)
        return velocity, jnp.zeros_like(mu.logw)

    def velocity_at(
        self,
        mu: Particles,
        differential: Differential,
        points: Float[Array, "m d"],
        covectors: Float[Array, "m d"],
    ) -> Float[Array, "m d"]:
        del covectors  # only forces on the particles make this field
        return self._field(mu, differential, points)

    def _field(self, mu: Particles, differential: Differential, points: Array) -> Array:
        kernel = self._kernel(mu)
        dx, period = differential.x, mu.period
        if differential.entropy is None:
            return -matvec(kernel, points, mu.x, dx, period=period)
        pulled, slope = matvec_and_slope(kernel, points, mu.x, dx, mu.w, period=period)
        # grad_y k = -grad_x k for a translation-invariant kernel.
        return -pulled - differential.entropy * slope

    def dissipation(
        self, mu: Particles, differential: Differential
    ) -> Float[Array, ""]:
        if not isinstance(mu, Particles):
            raise UnsupportedMeasureError(self, mu, "Particles")
        dx = self.explicit(differential).x
        kernel = self._kernel(mu)
        return jnp.sum(dx * matvec(kernel, mu.x, mu.x, dx, period=mu.period))
