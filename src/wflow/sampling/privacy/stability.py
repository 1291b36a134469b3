"""Two flows from one start, solved on a grid, beside the bounds on their distance."""

import dataclasses
from collections.abc import Callable, Sequence

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from wflow.checks import count, finite, instance, positive, shape, to_real
from wflow.measures import Grid
from wflow.sampling.density import check_density
from wflow.solvers import solve

from .accountant import PrivacyAccountant
from .bounds import duhamel_integral
from .conversions import number
from .mechanism import MAX_STEPS, check_on, kl_flow
from .ratio import grid_kl, log_ratio, oscillation, potential_source, refined


# Times of the Duhamel integral, dense near the start.
_NODES = 200


@dataclasses.dataclass(frozen=True, eq=False)
class Stability:
    r"""The log-ratio $r = \log(\rho_t/\rho'_t)$ of two flows, and its bounds.

    Attributes:
        times: at which the rest is given.
        osc: $\mathrm{osc}(r_t)$.
        sup: $\sup|r_t|$: the exact privacy loss.
        kl: $\mathrm{KL}(\rho_t\|\rho'_t)$.
        bounds: on ``osc``: by the computed source (not on walls), by its
            explicit bound, by a warm start, by gradients.
        kl_bounds: on ``kl``.
        accountant: made of this pair.
    """

    times: Float[np.ndarray, " T"]
    osc: Float[np.ndarray, " T"]
    sup: Float[np.ndarray, " T"]
    kl: Float[np.ndarray, " T"]
    bounds: dict[str, Float[np.ndarray, " T"]]
    kl_bounds: dict[str, Float[np.ndarray, " T"]]
    accountant: PrivacyAccountant

    @property
    def slack(self) -> float:
        """The least of bound minus exact value; negative where a bound fails."""
        gaps = [bound - self.osc for bound in self.bounds.values()]
        gaps += [bound - self.kl for bound in self.kl_bounds.values()]
        return float(np.min(gaps))


def stability(
    log_density: Callable[[Array], Array],
    neighbor: Callable[[Array], Array],
    initial: Grid,
    times: Sequence[float],
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    refine: int = 1,
    rtol: float | None = None,
) -> Stability:
    """Solve both flows from ``initial`` and compare them at ``times``.

    The log-ratio is right where densities stay well above the tolerance of the solver
    (1e-9 in float64): take a box on which both targets do. Suprema are over cell
    centers; with ``refine`` over so many points for each cell of a periodic axis, by
    trigonometric interpolation. ``rtol`` of the solver, by default that of ``solve``.

    Raises:
        TypeError: ``initial`` is no Grid.
        ValueError: times that are not positive and in order, a log-density that is no
            scalar, or another argument out of range.
    """
    instance("stability", "initial", initial, Grid, "a Grid")
    center = initial.centers.reshape(-1, initial.dim)[0]
    for name, target in (("log_density", log_density), ("neighbor", neighbor)):
        check_density("stability", name, target, center)
        check_on("stability", name, target, initial)
    for name, strength in (("alpha", alpha), ("beta", beta)):
        number("stability", name, strength, infinite=False)
    count("stability", "refine", refine)
    if rtol is not None:
        positive("stability", "rtol", rtol)
        shape("stability", "rtol", rtol, ())
    finite("stability", "times", to_real(times, "times"))
    saved = np.asarray(times, float)
    if saved.ndim != 1 or saved.size == 0 or not (np.diff(saved, prepend=0) > 0).all():
        raise ValueError(
            f"stability: expected times > 0 in order, found {saved.tolist()}."
        )
    nodes = np.union1d(saved, saved[-1] * np.linspace(0, 1, _NODES + 1)[1:] ** 2)
    controller = None if rtol is None else diffrax.PIDController(rtol, rtol / 100)
    first, second = (
        solve(
            kl_flow(target, alpha, beta),
            initial,
            0.0,
            saved[-1],
            times=nodes,
            stepsize_controller=controller,
            max_steps=MAX_STEPS,
        ).measures
        for target in (log_density, neighbor)
    )
    gap = initial.evaluate(lambda x: neighbor(x) - log_density(x))
    at = np.searchsorted(nodes, saved)

    def distances(mu: Grid, nu: Grid) -> tuple[Array, Array, Array, Array]:
        r = refined(log_ratio(mu, nu), initial, refine)
        f = refined(potential_source(gap, nu, alpha, beta), initial, refine)
        return oscillation(r), jnp.max(jnp.abs(r)), grid_kl(mu, nu), oscillation(f)

    osc, sup, kl, osc_f = (
        np.asarray(values, float)
        for values in jax.jit(jax.vmap(distances))(first, second)
    )
    accountant = PrivacyAccountant.on_grid(
        initial, log_density, neighbor, alpha=alpha, beta=beta, refine=refine
    )
    each = [accountant.bounds(t) for t in saved]
    kls = [accountant.kl_bounds(t) for t in saved]
    bounds = {
        "warm start": _column(each, "warm start"),
        "gradients": _column(each, "gradients"),
    }
    if "no-flux" not in initial.boundary:
        source = potential_source(gap, initial, alpha, beta)
        start = oscillation(refined(source, initial, refine))
        integral = duhamel_integral(
            np.concatenate([[0.0], nodes]), beta, np.concatenate([[start], osc_f])
        )
        bounds = {
            "source": integral[1:][at],
            "explicit source": _column(each, "source"),
            **bounds,
        }
    return Stability(
        saved,
        osc[at],
        sup[at],
        kl[at],
        bounds,
        {
            "relative entropy": _column(kls, "relative entropy"),
            "pure": _column(kls, "pure"),
        },
        accountant,
    )


def _column(rows: list[dict[str, float]], name: str) -> np.ndarray:
    return np.array([row[name] for row in rows])
