"""Several fits of the same snapshots, whose forecasts differ by what is not known."""

import dataclasses
import inspect
import os
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import ArrayLike, Float, PRNGKeyArray

from wflow.checks import count, function, instance, one_of, random_key
from wflow.flows import AbstractContinuousFlow

from ._fit import fit, fitting
from .bands import Band, Prediction, Statistic, predict, reweighted
from .loop import Done, Request, driven
from .objective import AbstractObjective
from .result import Fit, Start
from .snapshots import Snapshots
from .together import driven_together


Resample = Literal["none", "points", "rows"]
_SNAPSHOTS = "snapshots.eqx"


@dataclasses.dataclass(frozen=True, eq=False)
class Ensemble:
    """Fits that differ in their random key, perhaps in the weights of the points.

    Attributes:
        members: the fits, each with the snapshots that it was fitted to.
        snapshots: the training snapshots, as given.

    Raises:
        TypeError: members that are no fits, or no snapshots.
        ValueError: no member.
    """

    members: tuple[Fit, ...]
    snapshots: Snapshots

    def __post_init__(self) -> None:
        instance(self, "members", self.members, (tuple, list), "a tuple of fits")
        for member in self.members:
            instance(self, "members", member, Fit, "a tuple of fits")
        if not self.members:
            raise ValueError("Ensemble: expected members, at least one, found none.")
        instance(self, "snapshots", self.snapshots, Snapshots, "Snapshots")

    def __len__(self) -> int:
        return len(self.members)

    def forecast(
        self,
        times: Float[ArrayLike, " T"],
        start: Start = "last_snapshot",
        *,
        substeps: int = 5,
        followed: bool = False,
    ) -> tuple[Snapshots, ...]:
        """The forecast of every member; see ``Fit.forecast``.

        Each starts at the cloud with its own weights: what n points say of the law that
        they are drawn from. ``followed``: the forecast is of those very points, and
        starts at the cloud as given.
        """
        members = self.members
        if followed:
            members = [
                dataclasses.replace(member, snapshots=self.snapshots)
                for member in members
            ]
        return tuple(
            member.forecast(times, start, substeps=substeps) for member in members
        )

    def band(
        self,
        statistic: Statistic,
        times: Float[ArrayLike, " T"],
        level: float = 0.9,
        *,
        sizes: int | Sequence[int] | None = None,
        start: Start = "last_snapshot",
        substeps: int = 5,
        followed: bool = False,
    ) -> Band:
        """The band of a statistic, a function of points ``(n, d)`` and weights.

        Of the law itself, or with ``sizes`` of its samples of so many points. What all
        members get wrong alike is not in it: see ``wflow.populations.backtest``.
        """
        found = self.predict(
            {"": statistic},
            times,
            sizes=sizes,
            start=start,
            substeps=substeps,
            followed=followed,
        )
        return found[""].band(level)

    def predict(
        self,
        statistics: dict[str, Statistic],
        times: Float[ArrayLike, " T"],
        *,
        sizes: int | Sequence[int] | None = None,
        start: Start = "last_snapshot",
        substeps: int = 5,
        followed: bool = False,
    ) -> dict[str, Prediction]:
        """The same for several statistics by name, from which bands of any level come.

        Raises:
            ValueError: ``sizes`` with ``followed``: points that are followed are no new
                sample.
        """
        one_of("predict", "followed", followed, (True, False))
        if followed and sizes is not None:
            raise ValueError("predict: points that are followed are no new sample.")
        clouds = self.forecast(times, start, substeps=substeps, followed=followed)
        return predict(clouds, statistics, sizes)

    def file_names(self) -> list[str]:
        """The names of the files that ``save`` writes."""
        return [*(_file(m) for m in range(len(self))), _SNAPSHOTS]

    def save(self, folder: str | os.PathLike) -> None:
        """Write every member into ``folder``, as ``Fit.save`` does."""
        _clear(Path(folder))
        for m, member in enumerate(self.members):
            member.save(Path(folder) / _file(m))
        whole = dataclasses.replace(
            self.members[0],
            snapshots=self.snapshots,
            velocities=(None,) * len(self.snapshots),
            history={},
        )
        whole.save(Path(folder) / _SNAPSHOTS)

    @classmethod
    def load(cls, folder: str | os.PathLike, flow: AbstractContinuousFlow) -> Self:
        """The ensemble that ``save`` wrote; ``flow`` is any of the same structure.

        Raises:
            ValueError: no members there, or of a flow of another structure.
        """
        paths = _paths(Path(folder))
        if len(paths) < 2:
            raise ValueError(f"{folder} holds no ensemble.")
        members = tuple(Fit.load(path, flow) for path in paths)
        return cls(members, Fit.load(Path(folder) / _SNAPSHOTS, flow).snapshots)


def fit_ensemble(
    make_flow: Callable[[PRNGKeyArray], AbstractContinuousFlow],
    snapshots: Snapshots,
    objective: AbstractObjective | None = None,
    *,
    members: int = 8,
    key: PRNGKeyArray,
    resample: Resample = "points",
    checkpoint_dir: str | os.PathLike | None = None,
    done: Callable[[int, Fit], Any] | None = None,
    mesh: Mesh | None = None,
    **options: Any,
) -> Ensemble:
    """Fit the same snapshots several times; one compiled program serves all members.

    Args:
        make_flow: the law of motion with fresh parameters, from a key; what it makes
            differs in arrays alone.
        snapshots: training snapshots.
        objective: what is lowered; ``Rollouts()`` by default.
        members: number of fits, two at least.
        key: random key.
        resample: ``"points"``: each member weighs the points of every snapshot anew, by
            ``reweighted``, as if the population were sampled again; ``"rows"``: row i
            of every snapshot is the same point, and points are weighed; ``"none"``: the
            members differ in their random key alone.
        checkpoint_dir: each member has a folder in it.
        done: called with the number of a member and its fit when it is made.
        mesh: devices that the members are spread over, each with the bits that it has
            alone; all go on by a chunk at a time. None trains one after the other.
        options: the others of ``fit``.

    Raises:
        TypeError: an argument of another kind, or an option that ``fit`` does not have.
        ValueError: fewer than two members, an unknown ``resample``, snapshots whose
            rows are spread over devices with a ``mesh``, or as ``fit``.
        TrainingError: as ``fit``; with a ``mesh`` after all other members are done.
    """
    function("fit_ensemble", "make_flow", make_flow, "a key")
    instance("fit_ensemble", "snapshots", snapshots, Snapshots, "Snapshots")
    count("fit_ensemble", "members", members, 2)
    one_of("fit_ensemble", "resample", resample, ("none", "points", "rows"))
    key = random_key("fit_ensemble", "key", key)
    if done is not None:
        function("fit_ensemble", "done", done, "the number of a member, a Fit")
    if mesh is not None:
        what = "a jax.sharding.Mesh or None"
        mesh = instance("fit_ensemble", "mesh", mesh, Mesh, what)
        mesh = Mesh(mesh.devices, mesh.axis_names)
        if snapshots.sharding is not None:
            raise ValueError(
                "fit_ensemble: expected snapshots whose rows are in one place with a "
                "mesh, which members are spread over; found rows over devices."
            )

    def training(m: int) -> Generator[Request, Done, Fit]:
        flow_key, fit_key, data_key = jax.random.split(jax.random.fold_in(key, m), 3)
        own = snapshots
        if resample != "none":
            rng = np.random.default_rng(np.asarray(jax.random.key_data(data_key)))
            own = reweighted(snapshots, rng, rows=resample == "rows")
        folder = checkpoint_dir and Path(checkpoint_dir) / member_folder(m)
        flow = make_flow(flow_key)
        what = "a function that makes a flow without jumps"
        instance("fit_ensemble", "make_flow", flow, AbstractContinuousFlow, what)
        more = {**options, "key": fit_key, "checkpoint_dir": folder}
        if mesh is not None and m > 0:
            more["progress"] = False  # there is room for one bar
        asked = inspect.signature(fit).bind(flow, own, objective, **more)
        asked.apply_defaults()
        return fitting(*asked.args, **asked.kwargs)

    fits: dict[int, Fit] = {}

    def ended(m: int, found: Fit) -> None:
        if done is not None:
            done(m, found)
        fits[m] = found

    if mesh is None:
        for m in range(members):
            ended(m, driven(training(m)))
    else:
        trainings = [training(m) for m in range(members)]
        driven_together("fit_ensemble", trainings, mesh, ended)
    return Ensemble(tuple(fits[m] for m in range(members)), snapshots)


def member_folder(m: int) -> str:
    """The name of the folder where member ``m`` keeps its checkpoint."""
    return f"member-{m}"


def _file(m: int) -> str:
    return f"member-{m:03d}.eqx"


def _paths(folder: Path) -> list[Path]:
    return sorted(folder.glob("member-*.eqx"))


def _clear(folder: Path) -> None:
    """Remove the members of a larger ensemble that was saved there before."""
    for path in _paths(folder):
        path.unlink()
