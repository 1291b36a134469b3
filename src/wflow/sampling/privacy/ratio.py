"""The log-ratio of two densities on one grid, and what is read off it."""

import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float

from wflow.checks import instance, non_negative, shape, to_real
from wflow.measures import Grid


def log_ratio(mu: Grid, nu: Grid) -> Float[Array, "*cells"]:
    r"""Privacy loss at every place: the log-ratio of two densities.

    $r = \log(\rho/\rho')$ of the normalized densities: the privacy loss.

    Infinite where one of them vanishes alone, zero where both do.

    Raises:
        TypeError: a measure that is not a Grid.
        ValueError: the grids are not the same.
    """
    for name, measure in (("mu", mu), ("nu", nu)):
        instance("log_ratio", name, measure, Grid, "a Grid")
    mine, other = _domain(mu), _domain(nu)
    if mine != other:
        raise ValueError(
            "log_ratio: expected mu and nu on the same domain, found "
            f"{mine} and {other}."
        )
    a, b = mu.density / mu.mass, nu.density / nu.mass
    neither = (a == 0) & (b == 0)
    return jnp.where(neither, 0.0, jnp.log(a) - jnp.log(jnp.where(neither, 1.0, b)))


def oscillation(f: Float[Array, "..."]) -> Float[Array, ""]:
    r"""Difference between the highest and the lowest value.

    $\mathrm{osc}(f) = \sup f - \inf f$, at least sup of $|r|$ for a log-ratio r.

    Raises:
        ValueError: there are no values.
    """
    f = to_real(f, "f")
    if f.size == 0:
        raise ValueError(f"oscillation: expected values f, found shape {f.shape}.")
    return jnp.max(f) - jnp.min(f)


def grid_kl(mu: Grid, nu: Grid) -> Float[Array, ""]:
    r"""Kullback-Leibler divergence of two laws on a grid.

    $\mathrm{KL}(\rho\|\rho')$ of the normalized densities.
    """
    r = log_ratio(mu, nu)
    p = mu.density / mu.mass
    return jnp.sum(jnp.where(p > 0, p * r, 0.0)) * mu.cell_volume


def potential_source(
    delta: Float[Array, "*cells"], nu: Grid, alpha: float, beta: float
) -> Float[Array, "*cells"]:
    r"""The source that drives the log-ratio of two flows.

    $f = \alpha(\Delta\delta + \nabla\log\rho'\cdot\nabla\delta) - \beta\delta$.

    What drives the log-ratio apart, by differences across the faces of the cells.

    Raises:
        TypeError: ``nu`` is no Grid.
        ValueError: ``delta`` has no value for each cell, or a strength is negative.
    """
    instance("potential_source", "nu", nu, Grid, "a Grid")
    delta = to_real(delta, "delta")
    shape("potential_source", "delta", delta, nu.density.shape)
    for name, strength in (("alpha", alpha), ("beta", beta)):
        shape("potential_source", name, strength, ())
        non_negative("potential_source", name, strength)
    change = jnp.zeros_like(delta)
    logs = jnp.log(nu.density)
    for axis in range(nu.dim):
        slope = nu.face_gradient(delta, axis)
        change = change + nu.divergence(slope, axis)
        products = slope * nu.face_gradient(logs, axis)
        if nu.boundary[axis] == "periodic":
            change = change + (products + jnp.roll(products, 1, axis)) / 2
        else:
            widths = [(0, 0)] * nu.dim
            widths[axis] = (1, 1)
            padded = jnp.pad(products, widths)
            n = delta.shape[axis]
            before = jnp.take(padded, jnp.arange(n), axis)
            behind = jnp.take(padded, jnp.arange(1, n + 1), axis)
            change = change + (before + behind) / 2
    return alpha * change - beta * delta


def refined(
    f: Float[Array, "*cells"], grid: Grid, factor: int
) -> Float[Array, "*points"]:
    """Cell values by trigonometric interpolation, ``factor`` times as many.

    Along periodic axes; the others keep their cells. At the points of
    ``refined_points``.
    """
    if factor == 1:
        return f
    for axis, (n, kind) in enumerate(zip(f.shape, grid.boundary, strict=True)):
        if kind == "periodic":
            modes = jnp.fft.rfft(f, axis=axis)
            if n % 2 == 0:  # the highest mode is a cosine: half of it is of either sign
                last = [slice(None)] * f.ndim
                last[axis] = slice(n // 2, None)
                modes = modes.at[tuple(last)].multiply(0.5)
            f = factor * jnp.fft.irfft(modes, factor * n, axis=axis)
    return f


def refined_points(grid: Grid, factor: int) -> Float[Array, "points d"]:
    """Cell centers, and ``factor - 1`` points after each along periodic axes."""
    axes = [
        grid.lower[k]
        + grid.spacing[k] * (jnp.arange(m * n, dtype=grid.dtype) / m + 0.5)
        for k, n in enumerate(grid.density.shape)
        for m in (factor if grid.boundary[k] == "periodic" else 1,)
    ]
    return jnp.stack(jnp.meshgrid(*axes, indexing="ij"), -1).reshape(-1, grid.dim)


def gradient_norm(f: Float[Array, "*cells"], grid: Grid) -> Float[Array, ""]:
    r"""Largest slope, $\sup|\nabla f|$, by difference quotients along every axis."""
    slopes = [
        jnp.max(jnp.abs(grid.face_gradient(f, axis)), initial=0.0)
        for axis in range(grid.dim)
    ]
    return jnp.sqrt(sum(slope**2 for slope in slopes))


def _domain(grid: Grid) -> tuple:
    sides = (grid.lower, grid.upper)
    if any(isinstance(side, Tracer) for side in sides):
        return grid.density.shape, grid.boundary
    return grid.density.shape, grid.boundary, *(tuple(s.tolist()) for s in sides)
