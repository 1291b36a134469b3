"""Functions of two points whose sum over all pairs costs less than all pairs."""

import abc

import equinox as eqx
from jaxtyping import Array, ArrayLike, Float

from wflow import checks


class AbstractPairSum(eqx.Module):
    r"""A function of two points that has a short way to its sum over all pairs.

    $\sum_{ij} w_i w_j W(x_i, x_j)$, as a rule by an approximation of W. As the ``pair``
    of an ``Interaction`` it takes that way; a pair of one's own may, too.
    """

    @abc.abstractmethod
    def __call__(
        self, x: Float[Array, " d"], y: Float[Array, " d"]
    ) -> Float[Array, ""]:
        """W at two points."""

    @abc.abstractmethod
    def double_sum(
        self,
        x: Float[Array, "n d"],
        w: Float[Array, " n"],
        period: Float[ArrayLike, "..."] | None = None,
    ) -> Float[Array, ""]:
        r"""$\sum_{ij} w_i w_j W(x_i, x_j)$, every point with itself too.

        Args:
            x: points, ``(n, d)``.
            w: their weights, ``(n,)``.
            period: of a torus, a length or one per axis, infinite where an axis does
                not come round; None is flat space.

        Raises:
            ValueError: they do not fit each other or the approximation.
        """

    @abc.abstractmethod
    def diagonal(self, x: Float[Array, "n d"]) -> Float[Array, " n"]:
        """W of every point with itself, as ``double_sum`` has it."""


def weighted_points(
    owner: object, x: ArrayLike, w: ArrayLike, most: int | None = None
) -> tuple[Float[Array, "n d"], Float[Array, " n"]]:
    """Points and their weights as arrays that fit each other.

    Raises:
        ValueError: they do not, or have more than ``most`` coordinates.
    """
    x, w = checks.to_real(x, "x"), checks.to_real(w, "w")
    high = x.ndim == 2 and most is not None and x.shape[1] > most
    if x.ndim != 2 or w.shape != x.shape[:1] or high:
        low = "" if most is None else f" with d up to {most}"
        raise ValueError(
            f"{type(owner).__name__}: expected x (n, d){low} and w (n,), found "
            f"{x.shape} and {w.shape}."
        )
    return x, w


def refuse_torus(owner: object, period: ArrayLike | None) -> None:
    """Refuse a period, which the features of an approximation do not have.

    Raises:
        ValueError: there is one.
    """
    if period is not None:
        raise ValueError(
            f"{type(owner).__name__}: expected points of flat space, since its features"
            " do not close on a torus, found a period."
        )
