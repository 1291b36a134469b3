"""What a run of the flow costs in privacy, as a function of its length."""

import dataclasses
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Self

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from wflow.checks import count, instance
from wflow.measures import Gaussian, Grid, Particles, UnsupportedMeasureError
from wflow.sampling.density import check_density

from .bounds import (
    both,
    drift_term,
    gradient_bound,
    kl_bound,
    lower_bound,
    source_bound,
    warm_start_bound,
)
from .certificate import (
    GRID,
    MEAN_FIELD,
    Certificate,
    UnboundedPrivacyWarning,
    UncertifiedReleaseError,
)
from .conversions import (
    delta_from_kl,
    delta_from_pure,
    divergence_budget,
    draw_count,
    epsilon_from_kl,
    epsilon_from_pure,
    kl_from_pure,
    number,
    renyi_from_pure,
)
from .potentials import bounded, budget_of, crossing, derivatives, potential_of
from .ratio import gradient_norm, oscillation, refined, refined_points


# Times at which the guarantee is looked at before a root is polished, in units of the
# longest of the relaxation times.
_TIMES = np.geomspace(1e-9, 1e4, 800)


@dataclasses.dataclass(frozen=True)
class PrivacyAccountant:
    r"""What one draw from a sampler costs in privacy, at every time of its run.

    The sampler is the flow of the Kullback-Leibler divergence to $e^{-V}$, run to a
    time t. $\delta = V - V'$ for two neighboring data sets, $h_0 = \log(\rho_0/\pi)$
    and $h'_0$ at the common start. Each quantity holds for every pair of neighbors;
    what is not known is +inf, and bounds that need it then give nothing. None of them
    may be read off the one data set at hand: a guarantee that depends on the data tells
    of it.

    Attributes:
        osc_delta: $\mathrm{osc}(\delta) = \sup\delta - \inf\delta$.
        grad_delta: $\sup|\nabla\delta|$.
        osc_h0: $\mathrm{osc}(h_0)$ and $\mathrm{osc}(h'_0)$; one number is both.
        grad_h0: $\sup|\nabla h'_0|$.
        hess_lower: lower bound of the Hessian of V', of either sign.
        osc_source: $\mathrm{osc}(\alpha(\Delta\delta - \nabla V'\cdot\nabla\delta)
            - \beta\delta)$, on a domain without walls. Needless at alpha = 0.
        log_sobolev: log-Sobolev constant of $\rho'_s$ at all s, where one is known.
        alpha: transport.
        beta: reaction.

    Raises:
        ValueError: a negative quantity or strength, nan, or both strengths zero.
    """

    osc_delta: float = math.inf
    grad_delta: float = math.inf
    osc_h0: float | tuple[float, float] = math.inf
    grad_h0: float = math.inf
    hess_lower: float = -math.inf
    osc_source: float = math.inf
    log_sobolev: float | None = None
    alpha: float = 1.0
    beta: float = 1.0

    def __post_init__(self) -> None:
        owner = "PrivacyAccountant"
        for name in ("osc_delta", "grad_delta", "grad_h0", "osc_source"):
            self._set(name, number(owner, name, getattr(self, name)))
        self._set("osc_h0", both(owner, "osc_h0", self.osc_h0))
        for name in ("alpha", "beta"):
            strength = number(owner, name, getattr(self, name), infinite=False)
            self._set(name, strength)
        if self.alpha == 0 and self.beta == 0:
            raise ValueError("PrivacyAccountant: alpha and beta are both zero.")
        self._set("hess_lower", lower_bound(owner, "hess_lower", self.hess_lower))
        if self.log_sobolev is not None:
            self._set("log_sobolev", number(owner, "log_sobolev", self.log_sobolev))

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    @classmethod
    def on_grid(
        cls,
        initial: Grid,
        log_density: Callable[[Array], Array],
        neighbor: Callable[[Array], Array],
        *,
        alpha: float = 1.0,
        beta: float = 1.0,
        refine: int = 1,
    ) -> Self:
        """The quantities of one pair of neighbors, from a start on a grid.

        Suprema are over cell centers, with derivatives of the log-densities by autodiff
        and of the start by differences. Walls leave ``osc_source`` infinite. ``refine``
        takes so many points for each cell of a periodic axis, the start's logarithm
        by trigonometric interpolation: for a smooth start.

        Raises:
            TypeError: ``initial`` is no Grid.
            ValueError: a log-density that is nan or +inf in a cell or no scalar, or a
                strength or ``refine`` out of range.
        """
        owner = "PrivacyAccountant.on_grid"
        instance(owner, "initial", initial, Grid, "a Grid")
        count(owner, "refine", refine)
        for name, strength in (("alpha", alpha), ("beta", beta)):
            number(owner, name, strength, infinite=False)
        for name, function in (("log_density", log_density), ("neighbor", neighbor)):
            check_density(
                owner, name, function, initial.centers.reshape(-1, initial.dim)[0]
            )
        x = refined_points(initial, refine)
        v, w = (
            potential_of(name, function, x)
            for name, function in (
                ("log_density", log_density),
                ("neighbor", neighbor),
            )
        )
        slope, generator, lowest = derivatives(log_density, neighbor, x)
        delta = jnp.where(jnp.isinf(v) & jnp.isinf(w), jnp.inf, v - w)
        start = jnp.log(initial.density / initial.mass)
        logs = refined(start, initial, refine).reshape(-1)
        cells = initial.centers.reshape(-1, initial.dim)
        own = start - jax.vmap(neighbor)(cells).reshape(start.shape)
        walls = "no-flux" in initial.boundary
        source = oscillation(alpha * generator - beta * delta)
        return cls(
            osc_delta=bounded(oscillation(delta)),
            grad_delta=bounded(jnp.max(jnp.linalg.norm(slope, axis=1))),
            osc_h0=(bounded(oscillation(logs + v)), bounded(oscillation(logs + w))),
            grad_h0=bounded(gradient_norm(own, initial)),
            hess_lower=-bounded(-lowest),
            osc_source=math.inf if walls else bounded(source),
            alpha=alpha,
            beta=beta,
        )

    @classmethod
    def worst(cls, accountants: Sequence["PrivacyAccountant"]) -> Self:
        """The quantities that hold for all of several pairs of neighbors.

        Raises:
            ValueError: no accountants, or of different strengths.
        """
        accountants = list(accountants)
        for one in accountants:
            instance(
                "PrivacyAccountant.worst",
                "accountants",
                one,
                PrivacyAccountant,
                "PrivacyAccountants",
            )
        strengths = {(one.alpha, one.beta) for one in accountants}
        if len(strengths) != 1:
            raise ValueError(
                "PrivacyAccountant.worst: expected accountants of one alpha and beta, "
                f"found {sorted(strengths)}."
            )
        constants = [one.log_sobolev for one in accountants]
        pairs = zip(*(one.osc_h0 for one in accountants), strict=True)
        return cls(
            **{
                name: max(getattr(one, name) for one in accountants)
                for name in ("osc_delta", "grad_delta", "grad_h0", "osc_source")
            },
            osc_h0=tuple(max(pair) for pair in pairs),
            hess_lower=min(one.hess_lower for one in accountants),
            log_sobolev=None if None in constants else min(constants),
            alpha=accountants[0].alpha,
            beta=accountants[0].beta,
        )

    @property
    def unbounded(self) -> tuple[str, ...]:
        """Names of the quantities that are infinite or not given, and do act."""
        named = {
            "osc_delta": self.osc_delta,
            "grad_delta": self.grad_delta if self.alpha else 0.0,
            "osc_h0": max(self.osc_h0),
            "grad_h0": self.grad_h0 if self.alpha else 0.0,
            "hess_lower": self.hess_lower if self.alpha else 0.0,
            "osc_source": self.osc_source if self.alpha else 0.0,
        }
        return tuple(name for name, value in named.items() if math.isinf(value))

    def bounds(self, t: float) -> dict[str, float]:
        r"""Every bound on $\mathrm{osc}(r_t)$, itself a bound on $\sup|r_t|$.

        By the source, by the warm start, by the gradients; see ``bounds.py``.
        """
        t = self._time(t)
        if t == 0:
            return dict.fromkeys(("source", "warm start", "gradients"), 0.0)
        source = self.osc_source if self.alpha else self.beta * self.osc_delta
        drift = drift_term(
            t, self.alpha, self.beta, self.grad_delta, self.grad_h0, self.hess_lower
        )
        return {
            "source": source_bound(t, self.beta, source, drift),
            "warm start": warm_start_bound(t, self.beta, self.osc_delta, self.osc_h0),
            "gradients": gradient_bound(t, self.beta, self.osc_delta, drift),
        }

    def kl_bounds(self, t: float) -> dict[str, float]:
        r"""Every bound on $\mathrm{KL}(\rho_t\|\rho'_t)$, in both directions.

        By gradients, by a log-Sobolev constant if there is one, by pure privacy.
        """
        t = self._time(t)
        arguments = (t, self.alpha, self.beta, self.osc_delta, self.grad_delta)
        found = {"relative entropy": kl_bound(*arguments, max(self.osc_h0))}
        if self.log_sobolev is not None:
            found["log-Sobolev"] = kl_bound(
                *arguments, max(self.osc_h0), self.log_sobolev
            )
        return {**found, "pure": kl_from_pure(self._pure(t))}

    def pure(self, t: float, *, draws: int = 1) -> float:
        r"""Pure privacy $\epsilon$ of ``draws`` independent runs, +inf if unknown.

        Warns:
            UnboundedPrivacyWarning: it is infinite; the warning names the quantities.
        """
        return self._told("pure", draw_count("pure", draws) * self._pure(self._time(t)))

    def renyi(self, t: float, order: float, *, draws: int = 1) -> float:
        r"""Renyi divergence of order a > 1, from the pure guarantee; warns as pure."""
        value = renyi_from_pure(self._pure(self._time(t)), order)
        return self._told("renyi", draw_count("renyi", draws) * value)

    def kl(self, t: float, *, draws: int = 1) -> float:
        """Bound on KL, the least of ``kl_bounds``; warns as pure."""
        return self._told("kl", draw_count("kl", draws) * self._kl(self._time(t)))

    def delta(self, t: float, epsilon: float, *, draws: int = 1) -> float:
        r"""The least $\delta$ at ``epsilon``: from KL, or from the pure guarantee."""
        t, draws = self._time(t), draw_count("delta", draws)
        pure, kl = self._pure(t), self._kl(t)
        return min(
            delta_from_pure(pure, epsilon, draws=draws),
            delta_from_kl(draws * kl, epsilon),
        )

    def approximate(self, t: float, delta: float, *, draws: int = 1) -> float:
        r"""The least $\epsilon$ at ``delta``; warns as pure."""
        return self._told("approximate", self._approximate(t, delta, draws)[0])

    def certificate(
        self,
        t: float,
        *,
        delta: float = 0.0,
        draws: int = 1,
        measure: object = None,
    ) -> Certificate:
        """The guarantee of releasing ``draws`` draws from the law at ``t``.

        ``measure``: what the draws come from; None is the exact law.

        Raises:
            UncertifiedReleaseError: several particles of one run.
            UnsupportedMeasureError: a measure that is not of this flow.
        """
        draws = draw_count("certificate", draws)
        match measure:
            case Particles():
                if draws > 1:
                    raise UncertifiedReleaseError(
                        f"certificate: {draws} of {measure.n} particles of one run "
                        "interact and are not independent draws. Release one, or run "
                        "once for each."
                    )
                scope = MEAN_FIELD
            case Grid():
                scope = GRID
            case Gaussian() | None:
                scope = MEAN_FIELD
            case _:
                raise UnsupportedMeasureError(
                    self, measure, "Particles, Grid and Gaussian"
                )
        epsilon, bound = self._approximate(t, delta, draws)
        return Certificate(
            epsilon, float(delta), float(t), draws, bound, self.unbounded, scope
        )

    def time_for(
        self,
        epsilon: float,
        delta: float = 0.0,
        *,
        draws: int = 1,
        late: bool = False,
    ) -> float:
        r"""The longest run that is $(\epsilon, \delta)$ private at all times up to it.

        +inf where every run is. Early stopping buys privacy with accuracy; but a long
        run forgets its start and tends to the privacy of the targets, so with
        ``late=True`` it is the time from which on every run is private, +inf where
        none is known.
        """
        epsilon = number("time_for", "epsilon", epsilon)
        draws = draw_count("time_for", draws)
        kl_budget = divergence_budget(epsilon, delta) / draws
        if delta == 1 or math.isinf(epsilon):
            return 0.0 if late else math.inf
        pure_budget = budget_of(epsilon, delta, draws)

        def gap(t: float) -> float:
            """Positive where the guarantee fails; continuous, bounded."""
            gaps = (self._pure(t) - pure_budget, self._kl(t) - kl_budget)
            return float(np.clip(min(gaps), -1.0, 1.0))

        rates = [rate for rate in (self.alpha, self.beta) if rate > 0]
        times = _TIMES / min(rates)
        fails = np.array([gap(t) > 0 for t in times])
        if not fails.any():
            return 0.0 if late else math.inf
        if late:
            last = int(np.flatnonzero(fails)[-1])
            if last == len(times) - 1:
                return math.inf
            return crossing(gap, times[last], times[last + 1], late)
        first = int(np.flatnonzero(fails)[0])
        return crossing(gap, times[first - 1] if first else 0.0, times[first], late)

    def _approximate(self, t: float, delta: float, draws: int) -> tuple[float, str]:
        """The least epsilon and the bound that gave it."""
        t, draws = self._time(t), draw_count("approximate", draws)
        bounds = self.bounds(t)
        name = min(bounds, key=bounds.__getitem__)
        pure = epsilon_from_pure(bounds[name], delta, draws=draws)
        kls = self.kl_bounds(t)
        kls.pop("pure")  # loses against the pure guarantee itself
        route = min(kls, key=kls.__getitem__)
        converted = epsilon_from_kl(draws * kls[route], delta)
        return (converted, route) if converted < pure else (pure, name)

    def _pure(self, t: float) -> float:
        return min(self.bounds(t).values())

    def _kl(self, t: float) -> float:
        return min(self.kl_bounds(t).values())

    @staticmethod
    def _time(t: float) -> float:
        return number("PrivacyAccountant", "t", t, infinite=False)

    def _told(self, name: str, value: float) -> float:
        if math.isinf(value):
            warnings.warn(
                f"PrivacyAccountant.{name}: no finite guarantee; infinite or not "
                f"given: {', '.join(self.unbounded) or 'none (overflow)'}.",
                UnboundedPrivacyWarning,
                stacklevel=3,
            )
        return value
