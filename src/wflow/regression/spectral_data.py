"""What estimators that shrink along singular vectors need of their data."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float

from wflow import checks
from wflow.checks import real_field, to_real


class SpectralData(eqx.Module):
    r"""Data of a least-squares problem along the axes of its curvature.

    Of $\frac12|y - X\theta|^2$. With $X = L\,\mathrm{diag}(\sqrt\mu)\,U^T$ and the
    reset point $\theta_R$ it holds $z = L^T(y - X\theta_R)$; a filter h has the
    coefficients $\theta_R + U(h/\sqrt\mu)\odot z$.

    Attributes:
        curvature: eigenvalues $\mu$ of $X^TX$, (k,); 0 where they are rounding.
        axes: U, (p, k).
        response: z, (k,).
        residual: $|y - X\theta_R|^2 - |z|^2$, what no coefficients explain.
        samples: n.
        spent: degrees of freedom used beforehand: 1 where X and y were centered.
        origin: $\theta_R$, (p,).
    """

    curvature: Float[Array, " k"] = eqx.field(converter=real_field("curvature"))
    axes: Float[Array, "p k"] = eqx.field(converter=real_field("axes"))
    response: Float[Array, " k"] = eqx.field(converter=real_field("response"))
    residual: Float[Array, ""] = eqx.field(converter=real_field("residual"))
    samples: Float[Array, ""] = eqx.field(converter=real_field("samples"))
    spent: Float[Array, ""] = eqx.field(converter=real_field("spent"))
    origin: Float[Array, " p"] = eqx.field(converter=real_field("origin"))

    def __check_init__(self) -> None:
        checks.shape(self, "curvature", self.curvature, ("k",))
        (k,) = self.curvature.shape
        checks.shape(self, "axes", self.axes, ("p", k))
        checks.shape(self, "response", self.response, (k,))
        checks.shape(self, "origin", self.origin, (self.axes.shape[0],))
        for name in ("residual", "samples", "spent"):
            checks.shape(self, name, getattr(self, name), ())
            checks.non_negative(self, name, getattr(self, name))
        checks.non_negative(self, "curvature", self.curvature)
        for name in ("axes", "response", "origin"):
            checks.finite(self, name, getattr(self, name))

    @classmethod
    def of(
        cls,
        X: Float[ArrayLike, "n p"],
        y: Float[ArrayLike, " n"],
        *,
        origin: Float[ArrayLike, " p"] | None = None,
        spent: ArrayLike = 0,
    ) -> Self:
        """From a design and a response, by its singular values.

        Raises:
            TypeError: an argument that is no array of numbers.
            ValueError: shapes that do not fit, or numbers that are not finite, no
                sample, or ``spent`` that is negative.
        """
        owner = "SpectralData"
        X = checks.at_least_single(to_real(X, "X"))
        y = checks.at_least_single(to_real(y, "y"))
        checks.shape(owner, "X", X, ("n", "p"))
        n, p = X.shape
        if X.size == 0:
            raise ValueError(
                f"{owner}: expected X of shape (n, p) with at least one sample and "
                f"one feature, found {X.shape}."
            )
        checks.shape(owner, "y", y, (n,))
        start = jnp.zeros(p, X.dtype) if origin is None else to_real(origin, "origin")
        checks.shape(owner, "origin", start, (p,))
        spent = to_real(spent, "spent")
        checks.shape(owner, "spent", spent, ())
        for name, values in (("X", X), ("y", y), ("origin", start)):
            checks.finite(owner, name, values)
        return cls._along(_decomposed(X), y - X @ start, start, n, spent)

    @classmethod
    def of_outputs(
        cls,
        X: Float[Array, "n p"],
        Y: Float[Array, "n m"],
        *,
        samples: ArrayLike,
        spent: ArrayLike,
    ) -> list[Self]:
        """One for each column of Y, by the singular values of X, found once."""
        axes, origin = _decomposed(X), jnp.zeros(X.shape[1], X.dtype)
        return [cls._along(axes, y, origin, samples, spent) for y in Y.T]

    @classmethod
    def _along(
        cls,
        axes: "_Axes",
        away: Float[Array, " n"],
        origin: Float[Array, " p"],
        samples: ArrayLike,
        spent: ArrayLike,
    ) -> Self:
        z = jnp.where(axes.moving, axes.left.T @ away, 0.0)
        return cls(
            curvature=jnp.where(axes.moving, axes.singular, 0.0) ** 2,
            axes=axes.right.T,
            response=z,
            residual=jnp.sum((away - axes.left @ z) ** 2),
            samples=jnp.asarray(samples, away.dtype),
            spent=jnp.asarray(spent, away.dtype),
            origin=origin,
        )

    @classmethod
    def pooled(cls, outputs: Sequence[Self]) -> Self:
        """One whose scores are the sums of those of several, of the same X."""
        first = outputs[0]
        if len(outputs) == 1:
            return first
        return dataclasses.replace(
            first,
            response=jnp.sqrt(sum(one.response**2 for one in outputs)),
            residual=sum(one.residual for one in outputs),
        )

    @property
    def displacement(self) -> Float[Array, " k"]:
        r"""Least squares from the reset point, along the axes; 0 in null directions.

        $U^T(\theta_{LS} - \theta_R) = z/\sqrt\mu$.
        """
        return self._over_singular(self.response)

    def _over_singular(self, numerator: Float[Array, " k"]) -> Float[Array, " k"]:
        null = self.curvature == 0
        return jnp.where(
            null, 0.0, numerator / jnp.sqrt(jnp.where(null, 1.0, self.curvature))
        )

    def coefficients(self, shrinkage: Float[Array, " k"]) -> Float[Array, " p"]:
        r"""Coefficients under a shrinkage.

        $\theta_R + U\,h\odot U^T(\theta_{LS} - \theta_R)$.
        """
        return self.origin + self.axes @ (shrinkage * self.displacement)

    def padded(self, k: int) -> Self:
        """The same without axes, and with null directions up to ``k`` in all.

        Scores depend on neither, and share their compiled programs so.
        """
        lacking = (0, k - self.curvature.shape[0])
        return type(self)(
            jnp.pad(self.curvature, lacking),
            jnp.zeros((0, k), self.curvature.dtype),
            jnp.pad(self.response, lacking),
            self.residual,
            self.samples,
            self.spent,
            jnp.zeros(0, self.curvature.dtype),
        )


class _Axes(NamedTuple):
    """Singular vectors and values, and which of these are no rounding."""

    left: Float[Array, "n k"]
    singular: Float[Array, " k"]
    right: Float[Array, "k p"]
    moving: Bool[Array, " k"]


def _decomposed(X: Float[Array, "n p"]) -> _Axes:
    left, singular, right = jnp.linalg.svd(X, full_matrices=False)
    rounding = max(X.shape) * jnp.finfo(X.dtype).eps
    cutoff = rounding * jnp.max(singular, initial=0.0)
    return _Axes(left, singular, right, singular > cutoff)
