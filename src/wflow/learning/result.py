"""What a fit returns."""

import dataclasses
import os
import warnings
from typing import Any, Literal, Self

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float, PRNGKeyArray

from wflow.checks import cast, count, instance, one_of, positive, shape
from wflow.flows import AbstractContinuousFlow, GrowthFlow
from wflow.flows.sums import split_growth
from wflow.measures import Particles
from wflow.parameters.learnable import unwrap

from . import checkpoint
from ._simulate import carried, embeds_time, held, simulate
from .baselines import Cloud
from .clock import read_times, shown
from .kinds import is_kinetic
from .report import Report, score
from .snapshots import Snapshots
from .velocities import Velocities
from .velocity_fields import VelocityNetwork, corrected


# What the header of a saved fit holds in any version.
_HEADER = {
    *("times", "sizes", "dim", "dtype", "weighted", "masses", "given", "velocities"),
    *("history", "step", "consistent"),
}

Start = Literal["last_snapshot", "initial"]


@dataclasses.dataclass(frozen=True, eq=False)
class Fit:
    """A fitted law of motion, and what it was fitted to.

    Attributes:
        flow: the law, with the averaged parameters.
        snapshots: the training snapshots.
        velocities: for each of them the velocities that it starts with, or None: it
            then takes them from a rollout of the model from the first snapshot. A law
            of first order has none.
        history: arrays by name; one entry a step: ``step``, ``loss``, ``grad_norm``,
            what the law writes down of itself (``friction``, ``temperature``) and the
            objective of the step, for rollouts ``horizon``, ``start`` (snapshot) and
            ``converged`` (of the loss); one entry an evaluation: ``validation_step``,
            ``validation_w1`` (``validation_loss`` by the objective's own data).
        step: the time step of training, which forecasts divide; None leaves the steps
            of forecasts to ``solve``.
        consistent: the leapfrog's form; see ``wflow.flows.leapfrog.leapfrog_step``.
        seconds_per_step: training time of a step without compiling; nan after ``load``.
        compile_seconds: time to trace and compile the training; nan after ``load``.
        correction: the network that ``Corrected`` trained, part of the velocities.

    Raises:
        TypeError: the flow is none without jumps, or no snapshots.
        ValueError: velocities that do not fit the snapshots, or step <= 0.

    Examples:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> import wflow as wf
        >>> x = jnp.linspace(-1, 1, 8)[:, None]
        >>> shots = wf.Snapshots([0.0, 1.0], [x, x + 1])
        >>> law = wf.VelocityFlow(lambda x, t: 0 * x)  # stands still
        >>> persistence = wf.learning.Fit(law, shots, (None, None), {}, step=0.1)
        >>> later = persistence.forecast([2.0])
        >>> print(later.times, later[0].mean().round(3))
        [2.] 1.0
    """

    flow: AbstractContinuousFlow
    snapshots: Snapshots
    velocities: Velocities
    history: dict[str, np.ndarray]
    step: float | None = None
    consistent: bool = True
    seconds_per_step: float = float("nan")
    compile_seconds: float = float("nan")
    correction: VelocityNetwork | None = None

    def __post_init__(self) -> None:
        what = "a flow without jumps"
        instance(self, "flow", self.flow, AbstractContinuousFlow, what)
        instance(self, "snapshots", self.snapshots, Snapshots, "Snapshots")
        instance(self, "velocities", self.velocities, (tuple, list), "a tuple")
        if len(self.velocities) != len(self.snapshots):
            raise ValueError(
                f"Fit: expected velocities with an entry for each of the "
                f"{len(self.snapshots)} snapshots, found {len(self.velocities)}."
            )
        for k, v in enumerate(self.velocities):
            if v is not None:
                shape(self, f"velocities {k}", v, self.snapshots[k].shape)
        instance(self, "history", self.history, dict, "a dictionary of arrays")
        one_of(self, "consistent", self.consistent, (True, False))
        if self.step is not None:
            shape(self, "step", self.step, ())
            positive(self, "step", self.step)

    @property
    def friction(self) -> float:
        """The friction, per time, of a law that has one.

        Raises:
            AttributeError: it has none.
        """
        return float(unwrap(self.mechanics).friction)

    @property
    def mechanics(self) -> Any:
        """The flow without its growth."""
        return split_growth(self.flow)[0]

    @property
    def growth(self) -> GrowthFlow | None:
        """The growth of the flow, if it has any."""
        return split_growth(self.flow)[1]

    @property
    def initial_velocity(self) -> Float[np.ndarray, "n d"]:
        """Velocities of the first snapshot: given, estimated or learned."""
        velocity = self.velocities[0]
        if velocity is None:
            raise ValueError("Fit: the first snapshot has no velocities.")
        return velocity

    @property
    def kinetic(self) -> bool:
        """Whether the law moves points with velocities."""
        law = Particles.from_samples(jnp.asarray(self.snapshots[0]))
        known = any(velocity is not None for velocity in self.velocities)
        return is_kinetic(self.flow, law, known)

    def start(self, k: int) -> Snapshots:
        """Training snapshot ``k`` alone, with the velocities that it starts with."""
        total = len(self.snapshots)
        if not isinstance(k, int | np.integer) or not -total <= k < total:
            raise ValueError(f"start: expected k below {total}, found {k!r}.")
        k = range(total)[k]
        alone = self.snapshots.take([k])
        velocity = self.velocities[k]
        if not self.kinetic:
            return Snapshots(
                alone.times, alone.clouds, None, alone.weights, alone.masses
            )
        if velocity is None:
            if k == 0:
                raise ValueError("Fit: the first snapshot has no velocities.")
            velocity = carried(
                self.flow, self.start(0), alone, self.step, consistent=self.consistent
            )
        return Snapshots(
            alone.times, alone.clouds, [velocity], alone.weights, alone.masses
        )

    def restarted(self, snapshots: Snapshots, velocities: Velocities) -> Self:
        """The same law on other snapshots, which start with these velocities.

        Those of the rule that the fit had: the ``correction`` is added to them.
        """
        velocities = corrected(self.correction, snapshots, velocities)
        return dataclasses.replace(self, snapshots=snapshots, velocities=velocities)

    def forecast(
        self,
        times: Float[ArrayLike, " T"],
        start: Start = "last_snapshot",
        *,
        substeps: int = 5,
        key: PRNGKeyArray | None = None,
    ) -> Snapshots:
        """Clouds and velocities at ``times``, by the fitted law.

        Where the law changes weights the clouds are weighted, and have masses.

        From the ``"last_snapshot"``, or from the ``"initial"`` one as in training. The
        last snapshot starts with its given velocities, or their estimate where the fit
        estimated them (optimal transport from the snapshot before, DICE). Where the
        fit's start velocities were learned or zero, and where no velocities are given,
        a rollout from the first snapshot brings its velocities along.

        A network that knows the time stays, after the last snapshot, as it was there.

        Args:
            times: increasing, from the start's time on.
            start: which snapshot to start from.
            substeps: steps of the forecast in one step of training.
            key: of the noise of a law that has any; by default always the same.

        Raises:
            TypeError: times that are no numbers, or substeps that is not whole.
            ValueError: an unknown start, or times before it or not increasing; more
                than a million steps.
            SolveError: the cloud left the reals.
        """
        k = self._start_index(start)
        return self._simulate(k, times, substeps, key)

    def interpolate(self, time: float, *, substeps: int = 5) -> Snapshots:
        """The cloud at ``time``, restarted at the last training snapshot before it."""
        return self._simulate(self.snapshots.before(time), [time], substeps)

    def report(
        self,
        test: Snapshots | None = None,
        *,
        baselines: bool = True,
        start: Start = "last_snapshot",
        substeps: int = 5,
        tracked: bool = False,
    ) -> Report:
        r"""Exact $W_1$ to the snapshots of ``test``, beside what needs no model.

        A ``"last_snapshot"`` start is, for each test time, the last training snapshot
        before it; an ``"initial"`` start is one rollout through all test times. The
        baselines start where the model does. Without ``test``: the training snapshots
        themselves, by one rollout from the first.

        With ``tracked`` rows, the same individuals at all times, intervals are those of
        other individuals: what chance does to one of them it does at all times. No
        score uses which row is which.

        Raises:
            ValueError: snapshots of another dimension or before the first one, or
                tracked ones of different sizes.
        """
        one_of("report", "tracked", tracked, (True, False))
        if test is not None:
            instance("report", "test", test, Snapshots, "Snapshots")
            if test.dim != self.snapshots.dim:
                raise ValueError(
                    f"report: expected test of dimension {self.snapshots.dim}, that of "
                    f"the training snapshots, found {test.dim}."
                )
        if test is None:
            test = self.snapshots.take(range(1, len(self.snapshots)))
            title, start = "Training snapshots, from the first", "initial"
        elif start == "initial":
            title = "From the first snapshot"
        else:
            title = "From the last training snapshot before"
        self._start_index(start)
        if start == "initial":
            starts = [0] * len(test)
        else:
            starts = [self.snapshots.before(float(time)) for time in test.times]
        predicted: list[Cloud] = []
        masses: list[float] = []
        for k in dict.fromkeys(starts):
            times = [time for time, j in zip(test.times, starts, strict=True) if j == k]
            clouds = self._simulate(k, times, substeps)
            predicted += [(x, clouds.weight(j)) for j, x in enumerate(clouds)]
            masses += [clouds.mass(j) for j in range(len(clouds))]
        if not baselines:
            return score(title, predicted, test, masses=masses)
        return score(title, predicted, test, self.snapshots, starts, masses, tracked)

    def _start_index(self, start: str) -> int:
        one_of("Fit", "start", start, ("last_snapshot", "initial"))
        return len(self.snapshots) - 1 if start == "last_snapshot" else 0

    def _simulate(
        self,
        k: int,
        times: ArrayLike,
        substeps: int,
        key: PRNGKeyArray | None = None,
    ) -> Snapshots:
        count("Fit", "substeps", substeps)
        last = self.snapshots.times[-1]
        times = read_times("Fit", "times", times)
        flow = self.flow
        if times[-1] > last and embeds_time(flow):
            warnings.warn(
                f"the flow depends on time and was trained up to {shown(last)}: "
                "beyond, it stays as it was then.",
                stacklevel=3,
            )
            flow = held(flow, float(last))
        return simulate(
            flow,
            self.start(k),
            times,
            None if self.step is None else self.step / substeps,
            consistent=self.consistent,
            key=key,
            padding=max(self.snapshots.sizes),
        )

    def save(self, path: str | os.PathLike) -> None:
        """Write the fit to ``path``, its timings apart: the same fit, the same bits."""
        header = {
            "kind": "fit",
            "times": self.snapshots.times.tolist(),
            "sizes": self.snapshots.sizes,
            "dim": self.snapshots.dim,
            "dtype": str(self.snapshots.dtype),
            "weighted": self.snapshots.weights is not None,
            "masses": None
            if self.snapshots.masses is None
            else self.snapshots.masses.tolist(),
            "given": [self.snapshots.velocity(k) is not None for k in self._indices],
            "velocities": [velocity is not None for velocity in self.velocities],
            "history": {
                name: [str(row.dtype), len(row)] for name, row in self.history.items()
            },
            "step": self.step,
            "consistent": self.consistent,
            "correction": None
            if self.correction is None
            else {
                "width": self.correction.mlp.width_size,
                "depth": self.correction.mlp.depth,
            },
        }
        checkpoint.write(path, header, self._arrays())

    @classmethod
    def load(cls, path: str | os.PathLike, flow: AbstractContinuousFlow) -> Self:
        """The fit that ``save`` wrote; ``flow`` is any flow of the same structure.

        Raises:
            ValueError: not such a file, or of a flow of another structure.
        """
        header = checkpoint.read_header(path)
        if header.get("kind") != "fit":
            raise ValueError(f"{path} is not a saved fit.")
        lost = _HEADER - header.keys()
        if lost:
            raise ValueError(f"{path} is not whole: its header lacks {min(lost)}.")
        dtype, d = np.dtype(header["dtype"]), header["dim"]

        def rows(present: list[bool]) -> list[np.ndarray | None]:
            return [
                np.ones((n, d), dtype) if is_there else None
                for n, is_there in zip(header["sizes"], present, strict=True)
            ]

        everywhere = [True] * len(header["sizes"])
        weights = [np.ones(n, dtype) for n in header["sizes"]]
        snapshots = Snapshots(
            header["times"],
            rows(everywhere),
            rows(header["given"]),
            weights if header["weighted"] else None,
        )
        history = {
            name: np.zeros(length, kind)
            for name, (kind, length) in header["history"].items()
        }
        # Files from before there was one lack the entry.
        size, correction = header.get("correction"), None
        if size is not None:
            correction = VelocityNetwork(snapshots, **size, key=jax.random.key(0))
        like = cls(
            cast(flow, dtype),
            snapshots,
            tuple(rows(header["velocities"])),
            history,
            header["step"],
            header["consistent"],
            correction=cast(correction, dtype),
        )
        flow, clouds, given, weights, velocities, history, correction = checkpoint.read(
            path, like._arrays()
        )
        snapshots = Snapshots(header["times"], clouds, given, weights, header["masses"])
        return dataclasses.replace(
            like,
            flow=flow,
            snapshots=snapshots,
            velocities=velocities,
            history=history,
            correction=correction,
        )

    @property
    def _indices(self) -> range:
        return range(len(self.snapshots))

    def _arrays(self) -> tuple:
        return (
            self.flow,
            self.snapshots.clouds,
            self.snapshots.velocities,
            self.snapshots.weights,
            self.velocities,
            self.history,
            self.correction,
        )
