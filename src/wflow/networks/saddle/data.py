"""Samples of a small ReLU network: labels and the products of the inputs."""

from typing import Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float

from wflow.checks import finite, known, positive, real_field, shape, to_real


# Largest cosine between inputs that still count as orthogonal, by precision.
_COSINE = {4: 1e-5, 8: 1e-8}


class ReLUData(eqx.Module):
    r"""The samples as a ReLU network of two layers sees them: labels and angles.

    Labels $y_k$ and $G_{kl} = x_k\cdot x_l$, for the loss
    $\frac{1}{2N}\sum_k (y_k - f(x_k))^2$.

    Attributes:
        y: labels, none zero.
        gram: $|x_k|^2$ of orthogonal inputs, ``(n,)``, or the whole matrix ``(n, n)``.
        normalizer: N; it only scales time.

    Raises:
        ValueError: no samples, a label that is zero, nan or infinite, an input of
            length zero, shapes that do not fit, or a normalizer that is not positive.

    Reference: Boursier, Pillaud-Vivien, Flammarion, arXiv:2206.00939.
    """

    y: Float[Array, " n"] = eqx.field(converter=real_field("y"))
    gram: Float[Array, " *shape"] = eqx.field(converter=real_field("gram"))
    normalizer: Float[Array, ""] = eqx.field(converter=real_field("normalizer"))

    @classmethod
    def orthogonal(
        cls,
        y: Float[ArrayLike, " n"],
        norms: Float[ArrayLike, " n"] | None = None,
        normalizer: ArrayLike | None = None,
    ) -> Self:
        """Orthogonal inputs of lengths ``norms`` (1 by default); N is n by default."""
        y = to_real(y, "y")
        shape("ReLUData", "y", y, ("n",))
        norms = jnp.ones_like(y) if norms is None else to_real(norms, "norms")
        shape("ReLUData", "norms", norms, y.shape)
        positive("ReLUData", "norms", norms)
        return cls(y, norms**2, _count(y) if normalizer is None else normalizer)

    @classmethod
    def from_inputs(
        cls,
        x: Float[ArrayLike, "n d"],
        y: Float[ArrayLike, " n"],
        normalizer: ArrayLike | None = None,
    ) -> Self:
        """Any inputs of at least as many dimensions as samples.

        They may fail to be orthogonal: the flow runs on them, the limit process does
        not.

        Raises:
            ValueError: more samples than dimensions, or an input with nan or infinity.
        """
        x, y = to_real(x, "x"), to_real(y, "y")
        if x.ndim != 2 or x.shape[:1] != y.shape:
            raise ValueError(
                "ReLUData: expected x of shape (n, d) and y of shape (n,), found "
                f"{x.shape} and {y.shape}."
            )
        if x.shape[0] > x.shape[1]:
            raise ValueError(
                f"ReLUData: {x.shape[0]} inputs in {x.shape[1]} dimensions cannot be "
                "orthogonal; expected n <= d."
            )
        finite("ReLUData", "x", x)
        gram = x @ x.T
        normalizer = _count(y) if normalizer is None else normalizer
        data = cls(y, gram, normalizer)
        if known(gram) is None:
            return data
        worst = data.worst_pair()
        if abs(worst[2]) > _COSINE[x.dtype.itemsize]:
            return data
        return cls(y, jnp.diag(gram), normalizer)

    def __check_init__(self) -> None:
        n = self.y.shape[0] if self.y.ndim == 1 else 0
        if n == 0 or self.gram.shape not in ((n,), (n, n)):
            raise ValueError(
                "ReLUData: expected y of shape (n,) with n >= 1 and gram of shape (n,) "
                f"or (n, n), found {self.y.shape} and {self.gram.shape}."
            )
        shape(self, "normalizer", self.normalizer, ())
        positive(self, "normalizer", self.normalizer)
        y, squares = known(self.y), known(self.squared_norms)
        if y is None or squares is None:
            return
        for bad, what in (
            (~np.isfinite(y), "is not finite"),
            (y == 0, "is zero: its sign, which says what may fit it, is undefined"),
        ):
            if bad.any():
                k = int(np.argmax(bad))
                raise ValueError(f"ReLUData: label y[{k}] = {y[k]} {what}.")
        finite(self, "gram", self.gram)
        if not (squares > 0).all() or not np.isfinite(squares).all():
            k = int(np.argmin(np.where(np.isfinite(squares), squares, -1)))
            raise ValueError(
                f"ReLUData: expected gram of inputs of finite length > 0, found input "
                f"{k} with squared length {squares[k]}."
            )

    @property
    def n(self) -> int:
        """Number of samples."""
        return self.y.shape[0]

    @property
    def squared_norms(self) -> Float[Array, " n"]:
        """Squared lengths of the inputs, $|x_k|^2$."""
        return self.gram if self.gram.ndim == 1 else jnp.diagonal(self.gram)

    def signed(self, signs: Array) -> Bool[Array, "m n"]:
        """Which samples have the sign of which neuron."""
        return signs[:, None] * self.y > 0

    def apply_gram(self, rows: Float[Array, "m n"]) -> Float[Array, "m n"]:
        """Rows times the Gram matrix."""
        return rows * self.gram if self.gram.ndim == 1 else rows @ self.gram

    def worst_pair(self) -> tuple[int, int, float]:
        """The two inputs that are farthest from orthogonal, and their cosine."""
        if self.gram.ndim == 1 or self.n == 1:
            return 0, 0, 0.0
        lengths = np.sqrt(np.asarray(self.squared_norms))
        cosines = np.asarray(self.gram) / np.outer(lengths, lengths)
        np.fill_diagonal(cosines, 0)
        k, l = np.unravel_index(np.argmax(np.abs(cosines)), cosines.shape)
        return int(k), int(l), float(cosines[k, l])

    def require_orthogonal(self, owner: str) -> None:
        """Refuse inputs that are not orthogonal.

        Raises:
            ValueError: it names the worst pair and its cosine.
        """
        if self.gram.ndim == 1:
            return
        found = ""
        if known(self.gram) is not None:
            k, l, cosine = self.worst_pair()
            found = f": inputs {k} and {l} have the cosine {cosine:.3g}"
        raise ValueError(f"{owner}: expected orthogonal inputs{found}.")

    def loss(self, residual: Float[Array, " n"]) -> Float[Array, ""]:
        r"""The loss $\frac{1}{2N}\sum_k r_k^2$ of residuals."""
        return jnp.sum(residual**2) / (2 * self.normalizer)


def _count(y: Array) -> Float[Array, ""]:
    return jnp.asarray(max(y.size, 1), y.dtype)


def positive_part(x: Array) -> Array:
    """``max(x, 0)`` with slope 0 at 0: a unit that is off stays off."""
    return jax.nn.relu(x)
