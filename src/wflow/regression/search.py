"""The mean time between resets at which a score is least."""

from collections.abc import Callable
from typing import Any, Protocol, Self, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import optimistix as optx
from jaxtyping import Array, ArrayLike, Float

from wflow import checks


# Means that are tried before the search: a score may have several minima.
_POINTS = 65
# How far the search goes beyond the inverse curvatures, and how wide it is at most.
_BELOW, _ABOVE, _WIDEST = 1e-3, 1e4, 1e16


class SpectralFilter(Protocol):
    """What averages a gradient flow over its age: a renewal law, or a comparator."""

    def filter(self, mu: ArrayLike) -> Array:
        """The share h(mu) of the least-squares solution that is kept."""
        ...

    def filter_ratio(self, mu: ArrayLike) -> Array:
        """The quotient h(mu) / mu, and the mean age at zero."""
        ...

    def age_laplace(self, s: ArrayLike) -> Array:
        """Laplace transform of the age."""
        ...

    def with_mean(self, mean: ArrayLike) -> Self:
        """The same shape on another scale."""
        ...


Law = TypeVar("Law", bound=SpectralFilter)


def check_filter(owner: str, name: str, law: Any) -> None:
    """Refuse what is no ``SpectralFilter``.

    Raises:
        TypeError: it lacks one of the methods.
    """
    methods = ("filter", "filter_ratio", "age_laplace", "with_mean")
    if isinstance(law, type) or not all(hasattr(law, method) for method in methods):
        found = law.__name__ if isinstance(law, type) else type(law).__name__
        raise TypeError(
            f"{owner}: expected {name} to be a renewal law or another spectral filter, "
            f"found {'the class ' if isinstance(law, type) else ''}{found}."
        )


def best_mean(
    score: Callable[[Law], Float[Array, ""]], law: Law, curvature: Float[Array, " p"]
) -> tuple[Law, Float[Array, ""]]:
    r"""The mean of a law at which a score is least, and that score.

    $\arg\min_\tau$ ``score(law.with_mean(tau))``. The best of a grid over the inverse
    of the positive ``curvature`` is improved in $\log\tau$ by BFGS (Optimistix) with
    the derivative by autodiff. Differentiable in what ``score`` (a pytree) and ``law``
    hold, by the implicit function theorem. Where the grid ends in its best value there
    is no interior minimum, and the end is returned: no or full shrinkage was best.
    Scores are not looked at: where one is nan, so is the least.

    Args:
        score: a number of a law.
        law: whose mean is searched for.
        curvature: eigenvalues that the grid is made for, (p,).

    Raises:
        TypeError: a score that is no function, or a law that is no filter.
        ValueError: curvatures that are not (p,), negative or not finite, or a score
            that is not one number.
    """
    owner = "best_mean"
    checks.function(owner, "score", score, "a law")
    check_filter(owner, "law", law)
    curvature = checks.at_least_single(checks.to_real(curvature, "curvature"))
    checks.shape(owner, "curvature", curvature, ("p",))
    checks.non_negative(owner, "curvature", curvature)
    return _best_mean(score, law, curvature)


@eqx.filter_jit
def _best_mean(
    score: Callable[[Law], Float[Array, ""]], law: Law, curvature: Float[Array, " p"]
) -> tuple[Law, Float[Array, ""]]:
    positive = curvature > 0
    largest = jnp.max(jnp.where(positive, curvature, 0.0))
    # Without any curvature nothing moves, and every mean is as good.
    largest = jax.lax.stop_gradient(jnp.where(largest > 0, largest, 1.0))
    least = jnp.min(jnp.where(positive, curvature, largest))
    least = jax.lax.stop_gradient(least)
    low = jnp.log(_BELOW / largest)
    high = jnp.log(_ABOVE / jnp.maximum(least, largest / _WIDEST))
    grid = low + (high - low) * jnp.linspace(0, 1, _POINTS, dtype=curvature.dtype)

    def of_log(s: Array) -> Float[Array, ""]:
        # Flat beyond the grid, so that the search comes to rest there.
        found = score(law.with_mean(jnp.exp(jnp.clip(s, low, high))))
        return checks.one_number("best_mean", "score", found)

    scores = jax.lax.stop_gradient(jax.lax.map(of_log, grid))
    first = jnp.argmin(scores)
    scale = jnp.maximum(jnp.abs(scores[first]), jnp.finfo(grid.dtype).tiny)
    tolerance = float(jnp.finfo(grid.dtype).eps) ** 0.6
    found = optx.minimise(
        lambda s, args: of_log(s) / scale,
        optx.BFGS(rtol=tolerance, atol=tolerance),
        grid[first],
        adjoint=optx.ImplicitAdjoint(lx.AutoLinearSolver(well_posed=False)),
        max_steps=100,
        throw=False,
    ).value
    inside = (first > 0) & (first < _POINTS - 1)
    s = jnp.where(inside, jnp.clip(found, low, high), grid[first])
    best = law.with_mean(jnp.exp(s))
    return best, score(best)
