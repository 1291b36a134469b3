"""What a filter found, and its scores against the truth."""

from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from wflow import checks
from wflow.checks import to_real
from wflow.measures import Gaussian, Particles
from wflow.solvers.results import SolveError

from . import metrics
from .averages import Average, time_average
from .labeled import dataset
from .online import FilterState


if TYPE_CHECKING:
    import xarray

    from .fields import Fields


class FilterResult(eqx.Module):
    """The course of a filter over its cycles; nan from a cycle that failed on.

    Attributes:
        times: of the observations, ``(T,)``.
        mean: of the analyses, ``(T, d)``.
        variance: of every component in the analyses, ``(T, d)``.
        log_evidence: of every observation given those before, ``(T,)``; nan where the
            method has no estimate.
        ess: effective sample sizes of the analyses, ``(T,)``; nan of other laws than
            Particles.
        measures: the analyses, with a leading axis of cycles; None if not saved.
        forecast_finite: whether the forecast was finite, ``(T,)``.
        finite: whether forecast and analysis were, ``(T,)``.
        state: from which the filter can go on.
        name: of the method.
    """

    times: Float[Array, " T"]
    mean: Float[Array, "T d"]
    variance: Float[Array, "T d"]
    log_evidence: Float[Array, " T"]
    ess: Float[Array, " T"]
    measures: Any
    forecast_finite: Bool[Array, " T"]
    finite: Bool[Array, " T"]
    state: FilterState
    name: str = eqx.field(static=True)

    @property
    def failed(self) -> Int[Array, ""]:
        """Number of the cycle that ended in nan or infinity, from 0; -1 for none."""
        return jnp.where(jnp.all(self.finite), -1, jnp.argmin(self.finite))

    @property
    def message(self) -> str:
        """How it ended, in a sentence."""
        k = int(self.failed)
        if k < 0:
            return f"{self.name}: all {len(self.times)} cycles were finite."
        half = "analysis" if bool(self.forecast_finite[k]) else "forecast"
        return (
            f"{self.name}: the {half} of cycle {k} (time {float(self.times[k]):.6g}) "
            f"became nan or infinite; the {k} cycles before it are kept."
        )

    @property
    def std(self) -> Float[Array, "T d"]:
        """Standard deviation of every component."""
        return jnp.sqrt(self.variance)

    @property
    def spread(self) -> Float[Array, " T"]:
        r"""Spread of the analyses, the error that the filter itself expects.

        $\sqrt{\frac1d\sum_j \mathrm{Var}_j}$.
        """
        return jnp.sqrt(jnp.mean(self.variance, axis=-1))

    @property
    def ensembles(self) -> Float[Array, "T n d"]:
        """Members of the analyses.

        Raises:
            ValueError: they were not saved.
            TypeError: the law is no ensemble.
        """
        return self._particles().x

    def rmse(self, truth: Float[ArrayLike, "T d"]) -> Float[Array, " T"]:
        """Root mean square error of the analysis mean over components, every cycle.

        Raises:
            ValueError: truth of another shape.
        """
        return metrics.rmse(self.mean, self._checked(truth))

    def crps(self, truth: Float[ArrayLike, "T d"]) -> Float[Array, "T d"]:
        """Continuous ranked probability score by cycle and component.

        That of the sample; of a Gaussian law that of the normal distribution, of a Grid
        that of its cells.
        """
        truth = self._checked(truth)
        if isinstance(self.measures, Gaussian):
            return metrics.gaussian_crps(self.mean, self.std, truth)
        return _crps(*self._samples(truth))

    def covered(
        self, truth: Float[ArrayLike, "T d"], level: float = 0.9
    ) -> Bool[Array, "T d"]:
        """Whether the truth lay in the central interval; see ``metrics.covered``.

        In a cycle that did not end, it did not.

        Raises:
            ValueError: truth of another shape or not finite, or a level outside [0, 1].
        """
        metrics.check_level("FilterResult.covered", level)
        checks.finite("FilterResult.covered", "truth", truth)
        if isinstance(self.measures, Gaussian):
            reach = jax.scipy.special.ndtri((1 + level) / 2) * self.std
            return jnp.abs(self._checked(truth) - self.mean) <= reach
        return _covered(*self._samples(self._checked(truth)), level)

    def coverage(
        self, truth: Float[ArrayLike, "T d"], level: float = 0.9
    ) -> Float[Array, ""]:
        """Share of the truth in the central interval, over all cycles that ended."""
        counts = self.covered(truth, level) & self.finite[:, None]
        ended = jnp.maximum(jnp.sum(self.finite), 1)
        return jnp.sum(counts) / (ended * counts.shape[1])

    def rank_histogram(
        self, truth: Float[ArrayLike, "T d"], bins: int | None = None
    ) -> Int[Array, " bins"]:
        """How often the truth had each rank; see ``metrics.rank_histogram``.

        Entries of truth that are nan are not counted.
        """
        members = self._particles().x.shape[1]
        return metrics.rank_histogram(self.levels(truth), members, bins)

    def levels(self, truth: Float[ArrayLike, "T d"]) -> Float[Array, "T d"]:
        """Share of the ensemble below the truth; see ``metrics.level_of``.

        In a cycle that did not end it is nan.
        """
        self._particles()
        levels = _levels(*self._samples(self._checked(truth)))
        return jnp.where(self.finite[:, None], levels, jnp.nan)

    def averages(
        self,
        truth: Float[ArrayLike, "T d"],
        burn_in: int = 0,
        level: float = 0.95,
    ) -> dict[str, Average]:
        """Scores over the cycles after the burn-in, with confidence intervals.

        Of ``rmse`` and ``spread``, and where laws were kept ``crps`` and ``coverage``
        of the central 90 %; nan where a cycle that counts failed. See
        ``wflow.filtering.averages.time_average`` for the intervals, which know that
        cycles are correlated.

        Raises:
            ValueError: truth of another shape, no cycle that counts, or a level outside
                [0, 1].
        """
        series = {"rmse": self.rmse(truth), "spread": self.spread}
        if self.measures is not None:
            series["crps"] = jnp.mean(self.crps(truth), axis=1)
            inside = jnp.mean(self.covered(truth), axis=1)
            series["coverage"] = jnp.where(self.finite, inside, jnp.nan)
        return {
            name: time_average(values, burn_in, level)
            for name, values in series.items()
        }

    def to_xarray(
        self,
        truth: Float[ArrayLike, "T d"] | None = None,
        fields: "Fields | None" = None,
    ) -> "xarray.Dataset":
        """The course as labeled arrays over time, member and component.

        ``mean``, ``std``, ``spread``, ``log_evidence``, ``ess``, ``finite``, of
        Particles ``ensemble`` and ``log_weight``; with a truth ``truth`` and ``rmse``.
        Write it with ``to_netcdf`` or ``to_zarr``.

        Args:
            truth: states that were true, ``(T, d)``.
            fields: variables and axes of the state, in place of components: ``mean``
                becomes ``mean_u``, ``mean_v``.

        Raises:
            ValueError: truth of another shape, or fields of another size.
            ModuleNotFoundError: xarray is not installed (the extra ``xarray``).
        """
        return dataset(self, truth, fields)

    def _samples(self, truth: Array) -> tuple[Array, Array, Array]:
        """Points, masses and truth, with a leading axis of cycles."""
        if self.measures is None:
            raise ValueError("filter: the laws were not kept; use filter(save=True).")
        return *_atoms(self.measures), truth

    def _particles(self) -> Particles:
        if self.measures is None:
            raise ValueError("filter: the laws were not kept; use filter(save=True).")
        if not isinstance(self.measures, Particles):
            raise TypeError(
                f"filter: the law is a {type(self.measures).__name__}, no ensemble."
            )
        return self.measures

    def _checked(self, truth: Float[ArrayLike, "T d"]) -> Float[Array, "T d"]:
        truth = to_real(truth, "truth").astype(self.mean.dtype)
        if truth.shape != self.mean.shape:
            raise ValueError(
                f"expected truth of shape {self.mean.shape}, one row for each cycle, "
                f"found {truth.shape}."
            )
        return truth


@eqx.filter_jit
def _atoms(measures: Any) -> tuple[Array, Array]:
    return jax.vmap(lambda mu: mu.atoms)(measures)


@eqx.filter_jit
def _crps(x: Array, weights: Array, truth: Array) -> Float[Array, "T d"]:
    return jax.vmap(metrics.crps)(x, truth, weights)


@eqx.filter_jit
def _levels(x: Array, weights: Array, truth: Array) -> Float[Array, "T d"]:
    return jax.vmap(metrics.level_of)(x, truth, weights)


@eqx.filter_jit
def _covered(
    x: Array, weights: Array, truth: Array, level: float
) -> Bool[Array, "T d"]:
    one = lambda x, truth, weights: metrics.covered(x, truth, weights, level)
    return jax.vmap(one)(x, truth, weights)


class FilterError(SolveError):
    """A cycle of a filter ended in nan or infinity; ``result`` holds those before."""

    def __init__(self, result: FilterResult):
        super().__init__(result.message)
        self.result = result


def check_ended(result: FilterResult, throw: bool) -> FilterResult:
    """The result, unless a cycle failed and ``throw``.

    Raises:
        FilterError: a cycle failed.
    """
    concrete = not any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(result))
    if throw and concrete and int(result.failed) >= 0:
        raise FilterError(result)
    return result
