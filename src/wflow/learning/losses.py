"""How a rolled-out cloud is compared with a snapshot."""

import abc
import warnings
from typing import Literal, NamedTuple, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, PRNGKeyArray

from wflow import checks
from wflow.checks import real_field, to_real
from wflow.transport import sinkhorn_divergence

from .blur import median_blur
from .snapshots import Snapshots


class LossValue(NamedTuple):
    """A loss, and whether its own iterations reached their threshold."""

    value: Float[Array, ""]
    converged: Bool[Array, ""]


class AbstractLoss(eqx.Module):
    """A discrepancy of two weighted clouds; weight zero is padding.

    Weights sum to the masses of the two populations.
    """

    @abc.abstractmethod
    def prepared(self, snapshots: Snapshots, key: PRNGKeyArray) -> Self:
        """The same loss with what it takes from the training snapshots filled in."""

    @abc.abstractmethod
    def __call__(
        self,
        x: Float[Array, "n d"],
        weights_x: Float[Array, " n"],
        y: Float[Array, "m d"],
        weights_y: Float[Array, " m"],
    ) -> LossValue:
        """The discrepancy, under ``jit``."""


def _blur(blur: ArrayLike | str) -> Array | str:
    return blur if isinstance(blur, str) else to_real(blur, "blur")


# The least blur in units of the spread of all snapshots pooled.
_LEAST_BLUR = 1e-3


class Sinkhorn(AbstractLoss):
    r"""The debiased Sinkhorn divergence; see ``wflow.transport.sinkhorn_divergence``.

    It compares shapes: the weights of either cloud are normalized.

    ``blur="median"`` is half the median distance within a training snapshot (the median
    over snapshots), at least a thousandth of the spread of all of them pooled.

    Raises:
        ValueError: p not 1 or 2, blur or threshold not > 0, max_iterations < 1.
        TypeError: max_iterations that is not whole.
    """

    p: Literal[1, 2] = eqx.field(static=True, default=2)
    blur: Float[Array, ""] | str = eqx.field(converter=_blur, default="median")
    max_iterations: int = eqx.field(static=True, default=2000)
    threshold: Float[Array, ""] = eqx.field(
        converter=real_field("threshold"), default=1e-3
    )

    def __check_init__(self) -> None:
        checks.one_of(self, "p", self.p, (1, 2))
        if isinstance(self.blur, str):
            if self.blur != "median":
                raise ValueError(
                    f"Sinkhorn: expected blur > 0 or 'median', found {self.blur!r}."
                )
        else:
            checks.shape(self, "blur", self.blur, ())
            checks.positive(self, "blur", self.blur)
        checks.count(self, "max_iterations", self.max_iterations)
        checks.shape(self, "threshold", self.threshold, ())
        checks.positive(self, "threshold", self.threshold)

    def prepared(self, snapshots: Snapshots, key: PRNGKeyArray) -> Self:
        if not isinstance(self.blur, str):
            return self
        pooled = np.concatenate(snapshots.clouds)
        scale = float(np.sqrt(pooled.var(axis=0).sum()))
        least = _LEAST_BLUR * (scale if scale > 0 else 1)
        several = [cloud for cloud in snapshots.clouds if len(cloud) > 1]
        blur = least
        if several:
            blur = median_blur(several, key=key, low=least, high=float("inf"))
        if blur == least:
            warnings.warn(
                "Sinkhorn: the snapshots' points (nearly) coincide, so that the median "
                f"distance gives no blur; {blur:g} is used.",
                stacklevel=3,
            )
        return type(self)(self.p, blur, self.max_iterations, self.threshold)

    def __call__(
        self,
        x: Float[Array, "n d"],
        weights_x: Float[Array, " n"],
        y: Float[Array, "m d"],
        weights_y: Float[Array, " m"],
    ) -> LossValue:
        result = sinkhorn_divergence(
            x,
            y,
            weights_x=weights_x,
            weights_y=weights_y,
            blur=self.blur,
            p=self.p,
            max_iterations=self.max_iterations,
            threshold=self.threshold,
        )
        return LossValue(result.value, result.converged)


class MassAndShape(AbstractLoss):
    r"""``shape`` of the normalized clouds, $+\,c\,(\log M_x - \log M_y)^2$.

    M is the total mass, c the ``coefficient``: near the truth the penalty is c times
    the squared relative error of the mass.

    Raises:
        TypeError: a shape that is no loss.
        ValueError: coefficient not >= 0.
    """

    shape: AbstractLoss = Sinkhorn()
    coefficient: Float[Array, ""] = eqx.field(
        converter=real_field("coefficient"), default=1.0
    )

    def __check_init__(self) -> None:
        checks.instance(self, "shape", self.shape, AbstractLoss, "a loss")
        checks.shape(self, "coefficient", self.coefficient, ())
        checks.non_negative(self, "coefficient", self.coefficient)

    def prepared(self, snapshots: Snapshots, key: PRNGKeyArray) -> Self:
        return type(self)(self.shape.prepared(snapshots, key), self.coefficient)

    def __call__(
        self,
        x: Float[Array, "n d"],
        weights_x: Float[Array, " n"],
        y: Float[Array, "m d"],
        weights_y: Float[Array, " m"],
    ) -> LossValue:
        shape = self.shape(x, weights_x, y, weights_y)
        error = jnp.log(weights_x.sum()) - jnp.log(weights_y.sum())
        coefficient = self.coefficient.astype(error.dtype)
        return LossValue(shape.value + coefficient * error**2, shape.converged)
