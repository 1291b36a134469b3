"""The discrepancy to a target that is known by its mean embedding."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import finite, instance, real_field, shape
from wflow.energies import AbstractEnergy
from wflow.kernels import GaussianKernel
from wflow.kernels.sums import matvec
from wflow.measures import Particles, UnsupportedMeasureError
from wflow.measures.particles import refuse_period

from .embeddings import AbstractEmbedding
from .reduced import check_kernel


class EmbeddedDiscrepancy(AbstractEnergy):
    r"""How far particles are from a target whose kernel mean embedding is known.

    $F(\mu) = \frac12\iint k\,d\mu\,d\mu - \frac1Z\int v_0\,d\mu$.

    Half the squared discrepancy to the target of an embedding, less its constant
    $\frac12\iint k\,d\pi\,d\pi$. Unlike the mean-shift flow it needs the target's
    ``log_normalizer`` $\log Z$ (0 for a normalized density).

    Raises:
        TypeError: the kernel is not ``GaussianKernel``, or there is no embedding.
        ValueError: a bandwidth that is not positive.

    Reference: Belhadji, Sharp, Marzouk, arXiv:2502.10600.
    """

    embedding: AbstractEmbedding
    kernel: GaussianKernel
    log_normalizer: Float[Array, ""] = eqx.field(
        converter=real_field("log_normalizer"), default=0.0
    )

    def __check_init__(self) -> None:
        instance(self, "embedding", self.embedding, AbstractEmbedding, "an embedding")
        check_kernel(self, "kernel", self.kernel)
        shape(self, "log_normalizer", self.log_normalizer, ())
        finite(self, "log_normalizer", self.log_normalizer)

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        del t
        if not isinstance(mu, Particles):
            raise UnsupportedMeasureError(self, mu, "Particles")
        refuse_period(self, mu)
        x, w = mu.atoms
        log_v0, _ = self.embedding(self.kernel, x)
        log_z = jnp.asarray(self.log_normalizer, mu.dtype)
        within = w @ matvec(self.kernel, x, x, w)
        return within / 2 - w @ jnp.exp(log_v0 - log_z)
