"""Training without integration: the flow's velocity meets that of known paths."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from wflow.checks import count, finite, instance, one_of, shape, to_numpy, within
from wflow.flows import AbstractContinuousFlow

from ._simulate import depends_on_time
from .couplings import (
    AbstractCoupling,
    EntropicOT,
    ExactOT,
    WassersteinFisherRao,
)
from .looks import look
from .matching_loss import MatchingTraining, Pool, Units
from .matching_parts import (
    amplitude,
    changes_weights,
    growing,
    is_second_order,
    moving,
    natural_length,
    start,
)
from .matching_paths import (
    AbstractPath,
    BrownianBridge,
    SmoothPath,
    TravelingDirac,
)
from .objective import AbstractObjective, AbstractTrainingLoss
from .pairs import Coupling, Plan, drawn, plan_between
from .path_choice import chosen_path
from .snapshots import Snapshots
from .stacks import parts
from .stored import in_file
from .velocities import Given
from .velocity_fields import VelocityNetwork


# Pairs that are drawn of an interval: many times what a cloud of some hundred has.
_PAIRS = 8192
# Points of a cloud of more than that which are looked at at a time, and how many of
# them are coupled at once: plans of 20 snapshots then take seconds.
_SEEN, _COUPLED = 2048, 512
# Share of the steps on paths of the law itself, where the snapshots determine them.
_OWN = 0.8


class FlowMatching(AbstractObjective):
    r"""Train a law without solving it, on paths drawn between the snapshots.

    $E_t\,E\,|u(\mu_t, t)(X_t) - \dot X_t|^2$ over paths between paired points.

    Optimal plans pair the points of neighboring snapshots, paths known in closed form
    lead from one to the other, and the flow's velocity u is regressed on theirs:
    nothing is integrated. Of all laws u the best one moves the interpolated population
    as the paths do. On ``Particles`` the rate of the positions meets the velocity of
    the path and that of the log-weights its growth; on a ``Phase`` the rate of the
    velocities meets the acceleration, at the place and velocity of the path. The points
    of one time are the measure that the flow sees. Each error is counted in units of
    the mean square of what it should meet: 1 is the loss of a law that does nothing.

    Paths between snapshots are off where the law bends them faster than the snapshots
    follow each other. A law that depends on time follows them all the same. One that
    does not is asked for more than it can do, and so in the last steps its paths are
    its own: it takes the pairs along, as it is by then, and what is missing at the end
    of the interval is added at even pace. The right law is then right exactly, at the
    price of some evaluations more; nothing is differentiated through these paths. Those
    of a law with noise stay bridges.

    Where snapshots carry velocities v, u, points are paired by $|x + \frac h2 v - (y -
    \frac h2 u)|^2$. A law of second order on snapshots that carry none starts with a
    velocity field that is matched to the same paths beside it.

    A flow with noise, of a strength that is known, additive and on ``Particles``, meets
    the velocity plus the score of a ``BrownianBridge`` times half its variance.

    Args:
        coupling: ``ExactOT()``, ``EntropicOT(epsilon)``, ``UnbalancedOT(penalty)``,
            ``WassersteinFisherRao(length)``, or a function of clouds ``(n, d)`` and
            ``(m, d)`` and their masses ``(n,)`` and ``(m,)`` that gives those of all
            pairs, ``(n, m)``. None is ``WassersteinFisherRao()`` where the flow has
            growth and the snapshots' masses differ, the plan of the Schroedinger bridge
            where the path is one, and else ``ExactOT()``.
        path: ``StraightPath()``, ``SplinePath()``, ``SmoothPath()``,
            ``BrownianBridge(sigma)``, ``TravelingDirac(length)``. ``"auto"`` is a
            bridge with the flow's noise; the cubic with the velocities that all
            snapshots carry; ``TravelingDirac()`` where masses differ; and else a line
            or a spline, whichever meets each inner snapshot better through the others.
        target: ``"velocity"`` or ``"acceleration"``; None is the acceleration where the
            flow acts on a ``Phase`` and, if it also acts on ``Particles``, the
            snapshots carry velocities.
        batch: points of a step.
        moments: times of a step, each with the same share of the batch.
        block: points of a cloud that are coupled at once, at most; larger clouds are
            split at random. Of clouds of more than 8,192 points, or in a file, 2,048
            are drawn and coupled in blocks of at most 512, others after every 500
            steps.
        held: share of the points whose pairs are kept for validation: ``fit`` returns
            the best parameters by the error on them, those at the start among them.
        own: share of the steps, the last ones, whose paths are those of the law itself;
            None is 0.8, and 0 for a law that depends on time, since nothing but the
            given paths says where it is between the snapshots.
        padding: number of snapshots that programs are compiled for, if these are fewer:
            fits to some of several snapshots then share one.
        growth: rates per time of the points of every snapshot, as far as they are
            known, ``(n_k,)`` each: from counts of dividing cells, say. What counts is
            how they differ, since masses say how all grow together. What is paired is
            then what the rates leave of a snapshot, and a flow with growth meets them.

    Raises:
        TypeError: an argument of another kind.
        ValueError: an argument out of range, a batch that moments do not divide, or, in
            a training, growth that does not fit the snapshots.

    Reference: Lipman et al., ICLR 2023, equation (9); Tong et al., TMLR 2024, section
    3; Neklyudov et al., ICML 2024 (Wasserstein Lagrangian flows).
    """

    coupling: AbstractCoupling | Coupling | None = None
    path: AbstractPath | Literal["auto"] = "auto"
    target: Literal["velocity", "acceleration"] | None = eqx.field(
        static=True, default=None
    )
    batch: int = eqx.field(static=True, default=256)
    moments: int = eqx.field(static=True, default=16)
    block: int = eqx.field(static=True, default=2000)
    held: float = eqx.field(static=True, default=0.1)
    own: float | None = eqx.field(static=True, default=None)
    padding: int | None = eqx.field(static=True, default=None)
    growth: Sequence[Float[np.ndarray, " n"]] | None = None

    def __check_init__(self) -> None:
        if self.growth is not None:
            what = "rates for each snapshot"
            instance(self, "growth", self.growth, (list, tuple), what)
            for rates in self.growth:
                finite(self, "growth", to_numpy(rates, "growth"))
        if self.coupling is not None and not callable(self.coupling):
            what = "a coupling, a function or None"
            instance(self, "coupling", self.coupling, AbstractCoupling, what)
        if isinstance(self.path, str):
            one_of(self, "path", self.path, ("auto",))
        else:
            instance(self, "path", self.path, AbstractPath, "a path or 'auto'")
        one_of(self, "target", self.target, ("velocity", "acceleration", None))
        for name in ("batch", "moments", "block"):
            count(self, name, getattr(self, name))
        count(self, "padding", 1 if self.padding is None else self.padding)
        if self.batch % self.moments:
            raise ValueError(
                f"FlowMatching: expected batch to be a multiple of moments, "
                f"{self.moments}, found {self.batch}."
            )
        shape(self, "held", self.held, ())
        within(self, "held", self.held, 0, 1, closed="low")
        if self.own is not None:
            shape(self, "own", self.own, ())
            within(self, "own", self.own, 0, 1)

    def prepare(
        self,
        flow: AbstractContinuousFlow,
        snapshots: Snapshots,
        *,
        key: PRNGKeyArray,
    ) -> MatchingTraining:
        if len(snapshots) < 2:
            raise ValueError("FlowMatching: expected at least two snapshots, found 1.")
        devices = 1 if snapshots.sharding is None else parts(snapshots.sharding)
        if self.moments % devices:
            raise ValueError(
                "FlowMatching: expected moments, which are spread over devices, to be "
                f"a multiple of {devices}, found {self.moments}."
            )
        rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
        dtype = jax.dtypes.canonicalize_dtype(snapshots.dtype)
        snapshots, kept, rates = self._seen(snapshots, rng, key)
        kinetic = is_second_order(flow, snapshots, self.target)
        grows = changes_weights(flow, snapshots, kinetic)
        if not grows:
            snapshots = _shapes(snapshots)
        coupling, path = self._parts(flow, snapshots, kinetic, rng)
        plans = self._plans(coupling, snapshots, kept, rates, rng)
        train, held = self._pools(snapshots, plans, path, kept, rng, key, dtype)
        network = None
        if kinetic and not moving(snapshots):
            network = VelocityNetwork(snapshots, width=64, key=key)
        return MatchingTraining(
            path,
            train,
            held,
            Units.of(train, path, kinetic),
            network,
            self.batch // self.moments,
            self.moments,
            kinetic,
            grows,
            self._own(flow, snapshots, path, kinetic),
            snapshots.sharding,
        )

    def renewed(
        self,
        loss: AbstractTrainingLoss,
        flow: AbstractContinuousFlow,
        snapshots: Snapshots,
        *,
        key: PRNGKeyArray,
        number: int,
    ) -> AbstractTrainingLoss | None:
        if not isinstance(loss, MatchingTraining) or not _large(snapshots):
            return None
        own = jax.random.fold_in(key, number)
        rng = np.random.default_rng(np.asarray(jax.random.key_data(own)))
        dtype = jax.dtypes.canonicalize_dtype(snapshots.dtype)
        seen, kept, rates = self._seen(snapshots, rng, key)
        if not loss.grows:
            seen = _shapes(seen)
        coupling, path = self._parts(flow, seen, loss.kinetic, rng, loss.path)
        plans = self._plans(coupling, seen, kept, rates, rng)
        pool, _ = self._pools(seen, plans, path, kept, rng, own, dtype)
        return eqx.tree_at(lambda loss: loss.pool, loss, pool)

    def _seen(
        self, snapshots: Snapshots, rng: np.random.Generator, key: PRNGKeyArray
    ) -> tuple[
        Snapshots, list[np.ndarray] | None, Sequence[Float[np.ndarray, " n"] | None]
    ]:
        """What is looked at of large clouds, and which of it is kept for validation.

        All of smaller ones. And the growth that is known of it.
        """
        rates = self._rates(snapshots)
        if not _large(snapshots):
            return snapshots, None, rates
        seen, rows = look(snapshots, _SEEN, rng)
        # Of every point of the clouds, so that it is the same in every look.
        fixed = np.random.default_rng([*np.asarray(jax.random.key_data(key)).ravel()])
        kept = [fixed.random(n) < self.held for n in snapshots.sizes]
        kept = [points[row] for points, row in zip(kept, rows, strict=True)]
        known = zip(rates, rows, strict=True)
        return seen, kept, [rate if rate is None else rate[row] for rate, row in known]

    def _plans(
        self,
        coupling: Callable[[int], Coupling],
        snapshots: Snapshots,
        kept: list[np.ndarray] | None,
        rates: Sequence[Float[np.ndarray, " n"] | None],
        rng: np.random.Generator,
    ) -> list[Plan]:
        """The plan of each interval."""
        block = self.block if kept is None else min(self.block, _COUPLED)
        return [
            plan_between(coupling(k), snapshots, k, k + 1, block, rng, rates[k])
            for k in range(len(snapshots) - 1)
        ]

    def _rates(self, snapshots: Snapshots) -> Sequence[np.ndarray | None]:
        """The growth that is known of each snapshot's points."""
        if self.growth is None:
            return [None] * len(snapshots)
        found = [np.shape(rates) for rates in self.growth]
        if found != [(size,) for size in snapshots.sizes]:
            raise ValueError(
                "FlowMatching: expected growth for each point of snapshots of "
                f"{', '.join(map(str, snapshots.sizes))} points, found shapes "
                f"{', '.join(map(str, found))}."
            )
        return [np.asarray(rates, np.float64) for rates in self.growth]

    def _own(
        self,
        flow: AbstractContinuousFlow,
        snapshots: Snapshots,
        path: AbstractPath,
        kinetic: bool,
    ) -> float:
        """The share of the steps whose paths are the flow's own."""
        if isinstance(path, BrownianBridge):
            return 0.0
        if self.own is not None:
            return self.own
        ends = snapshots.times[[0, -1]]
        timed = depends_on_time(flow, start(snapshots, kinetic), ends)
        return 0.0 if timed else _OWN

    def _parts(
        self,
        flow: AbstractContinuousFlow,
        snapshots: Snapshots,
        kinetic: bool,
        rng: np.random.Generator,
        settled: AbstractPath | None = None,
    ) -> tuple[Callable[[int], Coupling], AbstractPath]:
        """The coupling of each interval, and the path, ``settled`` where one is."""
        coupling, path = self.coupling, self.path if settled is None else settled
        sigma = amplitude(flow, snapshots, kinetic)
        # Where growth is known, shapes are left to be compared.
        told = growing(snapshots) and self.growth is None
        if coupling is None and told:
            coupling = WassersteinFisherRao()
        if path == "auto":
            if sigma is not None:
                path = BrownianBridge(sigma)
            elif moving(snapshots):
                path = SmoothPath(Given())
            elif told:
                path = TravelingDirac()
            else:
                path = chosen_path(snapshots, coupling or ExactOT(), rng)
        length = None
        if isinstance(coupling, WassersteinFisherRao):
            if coupling.length is None:
                if self.path == "auto" and isinstance(path, TravelingDirac):
                    length = path.length
                if length is None:
                    length = natural_length(flow, snapshots, self.block, rng)
                coupling = WassersteinFisherRao(length)
            length = coupling.length
        if isinstance(path, TravelingDirac) and path.length is None:
            if length is None:
                length = natural_length(flow, snapshots, self.block, rng)
            path = TravelingDirac(length)
        bridge = isinstance(path, BrownianBridge)
        if sigma is not None and not bridge:
            raise ValueError(
                "FlowMatching: expected path BrownianBridge(sigma) or 'auto', whose "
                f"score a flow with noise meets, found {type(path).__name__}."
            )
        if coupling is None and bridge:
            squares = 2 * float(path.sigma) ** 2 * np.diff(snapshots.times)
            return lambda k: EntropicOT(float(squares[k])), path
        whole = ExactOT() if coupling is None else coupling
        return lambda k: whole, path

    def _pools(
        self,
        snapshots: Snapshots,
        plans: list[Plan],
        path: AbstractPath,
        kept: list[np.ndarray] | None,
        rng: np.random.Generator,
        key: PRNGKeyArray,
        dtype: Any,
    ) -> tuple[Pool, Pool | None]:
        """Pairs to train on, and those that start at the points kept for validation."""
        size = max(_PAIRS, max(snapshots.sizes))
        if kept is None:
            kept = [rng.random(n) < self.held for n in snapshots.sizes]
        apart = [kept[k][plan.i] for k, plan in enumerate(plans)]

        def pool(size: int, among: list[np.ndarray]) -> Pool:
            pairs = [
                drawn(snapshots, plans, k, size, rng, rows)
                for k, rows in enumerate(among)
            ]
            return Pool.of(pairs, path, key, dtype, (self.padding or 1) - 1)

        if not all(0 < rows.sum() < len(rows) for rows in apart):
            return pool(size, [np.ones(len(plan.i), bool) for plan in plans]), None
        return pool(size, [~rows for rows in apart]), pool(size // 8, apart)


def _large(snapshots: Snapshots) -> bool:
    """Whether only some of the points are looked at at a time."""
    return in_file(snapshots.clouds) or max(snapshots.sizes) > _PAIRS


def _shapes(snapshots: Snapshots) -> Snapshots:
    """The snapshots without their masses: a law without growth compares shapes."""
    return Snapshots(
        snapshots.times,
        snapshots.clouds,
        snapshots.velocities,
        snapshots.weights,
        sharding=snapshots.sharding,
    )
