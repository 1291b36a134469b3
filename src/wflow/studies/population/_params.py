"""What every population task is told: the data, the law and its training."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import jax
from jaxtyping import PRNGKeyArray
from pydantic import Field, model_validator

from wflow import energies, flows, io, learning
from wflow.energies import AbstractEnergy
from wflow.flows import (
    AbstractContinuousFlow,
    GradientFlow,
    GrowthFlow,
    LagrangianFlow,
    NeuralRate,
)
from wflow.geometries import Wasserstein
from wflow.io import Keys
from wflow.learning import (
    Fit,
    FlowMatching,
    MassAndShape,
    Rollouts,
    Snapshots,
    fit,
)
from wflow.learning.objective import AbstractObjective
from wflow.learning.options import check_options
from wflow.learning.velocities import AbstractInitialVelocity
from wflow.populations import simulators
from wflow.populations._laws import restarted
from wflow.studies import (
    Count,
    Options,
    Part,
    Positive,
    Spec,
    Strict,
    StudyParams,
    build,
)
from wflow.studies._build import parameters_of


# What a run gives to ``Rollouts`` and ``fit`` itself.
_GIVEN = (
    *("flow", "snapshots", "objective", "key", "velocity", "dt0", "padding"),
    *("validation", "patience", "checkpoint_dir", "resume", "callbacks", "progress"),
)


def divided(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options of ``Rollouts``, and those of ``fit``."""
    own = parameters_of(Rollouts)
    rollouts = {name: value for name, value in options.items() if name in own}
    return rollouts, {k: value for k, value in options.items() if k not in own}


def _refuse(**options: Any) -> None:
    """Refuse options that no snapshots are needed to refuse."""
    rollouts, rest = divided(options)
    Rollouts(**rollouts)
    check_options(**rest)


TRAINING = Options(fit, Rollouts, needs=_GIVEN, check=_refuse)


class Clock(Strict):
    """Model time = (time - origin) / unit.

    Without an origin model time begins at the first snapshot.
    """

    origin: float | None = None
    unit: Positive = 1.0
    label: str = "time"


class Axes(Strict):
    """How the coordinates are shown; ``equal`` where they are physical lengths."""

    labels: list[str] | None = None
    equal: bool = False


class _Data(Strict):
    """Snapshots, and what is done with them before anything is learned.

    Attributes:
        standardize: learn in units in which the training snapshots are standard.
        shuffle: the rows of every snapshot, so that none says which point is which.
        tracked: whether rows, before they are shuffled, are the same individuals at all
            times: intervals of scores are then those of individuals. No law uses it.
            Of a file also the column that names them.
        masses: of the population at each snapshot, or as many as there are points.
        time: the clock of the model.
        axes: of the figures.
    """

    standardize: bool = False
    shuffle: bool = False
    tracked: bool | str = False
    masses: (
        Literal["counts"] | Annotated[list[Positive], Field(min_length=2)] | None
    ) = None
    time: Clock = Clock()
    axes: Axes = Axes()


class GapminderData(_Data):
    """The table of countries that the plotly package ships."""

    kind: Literal["gapminder"]
    standardize: bool = True
    shuffle: bool = True
    tracked: bool | str = True
    time: Clock = Clock(label="year", unit=5.0)
    axes: Axes = Axes(
        labels=["log10 of GDP per head (dollars)", "life expectancy (years)"]
    )


class FileData(_Data):
    """A .npz, .csv or .h5ad file.

    Attributes:
        path: of the file; ``needs`` says which one where it is left open.
        keys: where the file keeps what; see ``wflow.io.Keys``.
        max_bytes: most bytes of numbers that are read from it.
    """

    kind: Literal["file"]
    path: str | None = None
    needs: str = "a .npz, .csv or .h5ad file of snapshots"
    keys: Annotated[Spec, Part(io, of=Keys)] = {}
    max_bytes: Annotated[int, Field(ge=1)] = 2**31


class SimulatedData(_Data):
    """A function of ``wflow.populations.simulators`` with its arguments."""

    kind: Literal["simulator"]
    simulate: Annotated[Spec, Part(simulators, of=Snapshots, needs=["key", "dim"])]

    @property
    def dim(self) -> int:
        """Of the space, where the simulator moves particles in any."""
        return len(self.simulate.get("mean", (0, 0)))


class Evaluation(Strict):
    """How forecasts are integrated: steps per training interval."""

    substeps: Count = 5


class PopulationParams(StudyParams):
    """What every population task needs.

    Attributes:
        data: the snapshots.
        energy: a class of ``wflow.energies``, or a list of them that is their sum.
        friction: per model time, a number or ``{learn: where it starts}``.
        force_scaling: see ``wflow.flows.LagrangianFlow``.
        growth: births less deaths, a ``NeuralRate``, if the population grows.
        velocity: the rule for the velocities that rollouts start with.
        fit: the options of ``wflow.learning.fit`` and ``Rollouts``.
        evaluation: how forecasts are integrated.
    """

    data: Annotated[
        GapminderData | FileData | SimulatedData, Field(discriminator="kind")
    ]
    energy: Annotated[
        Spec | list[Spec], Part(energies, of=AbstractEnergy, needs=["dim", "key"])
    ]
    friction: Any = {"learn": 0.1}
    force_scaling: Literal["inertial", "unified"] = "unified"
    growth: Annotated[
        Spec | None, Part(flows, of=NeuralRate, needs=["dim", "key"], optional=True)
    ] = None
    velocity: Annotated[Spec, Part(learning, of=AbstractInitialVelocity)] = {
        "kind": "Displacement"
    }
    fit: Annotated[Spec, TRAINING]
    evaluation: Evaluation = Evaluation()

    @property
    def second_order(self) -> bool:
        """Whether the law has inertia, as far as no snapshots are needed to tell."""
        return True

    @model_validator(mode="after")
    def _whole(self) -> "PopulationParams":
        self.refuse()
        return self

    def refuse(self) -> None:
        """Refuse what no snapshots are needed to refuse.

        Raises:
            ValueError: a value that the classes of the law do not take.
        """
        if not _holds_arrays(self.energy):
            # Numbers fit every dimension: what the classes refuse is said at once.
            self.law(2, jax.random.key(0))
        loss = self.options().get("loss")
        if self.growth is not None and not isinstance(loss, MassAndShape | None):
            raise ValueError(
                "fit.loss: expected MassAndShape, which sees the growth of the mass, "
                f"found {type(loss).__name__}."
            )

    def law(
        self, dim: int, key: PRNGKeyArray, *, inertia: bool | None = None
    ) -> AbstractContinuousFlow:
        """The law of motion on R^dim with fresh parameters.

        Without ``inertia``, by default that of the parameters, the gradient flow of the
        energy.
        """
        if inertia is None:
            inertia = self.second_order
        mechanics = {
            "kind": "LagrangianFlow",
            "energy": self.energy,
            "friction": self.friction,
            "force_scaling": self.force_scaling,
        }
        flow = build(mechanics, flows, LagrangianFlow, dim=dim, key=key)
        if not inertia:
            flow = GradientFlow(flow.energy, Wasserstein())
        if self.growth is None:
            return flow
        # Another key than the energy's, which is the same without growth.
        key = jax.random.fold_in(key, 1)
        return flow + GrowthFlow(
            build(self.growth, flows, NeuralRate, "growth", dim=dim, key=key)
        )

    def train(
        self,
        snapshots: Snapshots,
        key: PRNGKeyArray,
        gap: float,
        *,
        padding: int | None = None,
        **more: Any,
    ) -> Fit:
        """The law fitted to ``snapshots``; ``more`` are arguments of ``fit``."""
        flow_key, fit_key = jax.random.split(key)
        objective, options = self.training(gap, padding)
        flow = self.law(snapshots.dim, flow_key)
        return fit(flow, snapshots, objective, key=fit_key, **more, **options)

    def training(
        self, gap: float, padding: int | None = None
    ) -> tuple[AbstractObjective, dict[str, Any]]:
        """The objective, and the options of ``fit``."""
        rollouts, options = divided(self.options())
        velocity = self.start_velocity()
        made = Rollouts(velocity=velocity, dt0=gap, padding=padding, **rollouts)
        return made, options

    def start_velocity(self) -> AbstractInitialVelocity:
        """The rule for the velocities that rollouts start with."""
        return build(self.velocity, learning, AbstractInitialVelocity, "velocity")

    def restarted(self, fitted: Fit, snapshots: Snapshots) -> Fit:
        """The law of ``fitted`` on other snapshots, with velocities by the rule."""
        rule = self.start_velocity()
        return fitted.restarted(snapshots, rule(snapshots, jax.random.key(self.seed)))

    def options(self) -> dict[str, Any]:
        """Arguments of ``wflow.learning.fit`` and ``Rollouts``."""
        return TRAINING.read(self.fit, "fit")


class MatchedParams(PopulationParams):
    """What a task needs whose laws rollouts train, or an objective that matches.

    Attributes:
        objective: a ``FlowMatching`` that trains in the place of rollouts; ``fit`` then
            has no options of rollouts, and ``velocity`` is not used.
        inertia: whether the law is of second order; without, it is the gradient flow of
            the energy.
    """

    objective: Annotated[
        Spec | None, Part(learning, of=FlowMatching, optional=True)
    ] = None
    inertia: bool | Literal["auto"] = True

    def refuse(self) -> None:
        super().refuse()
        says = type(self).has_inertia is not MatchedParams.has_inertia
        if self.inertia == "auto" and not says:
            raise ValueError("inertia: expected true or false, found auto.")
        if self.objective is None:
            if self.inertia is not True:
                raise ValueError(
                    "inertia: expected true without an objective, since rollouts start "
                    f"with velocities, found {self.inertia}."
                )
        elif found := divided(self.options())[0]:
            raise ValueError(
                f"fit.{min(found)}: expected no option of Rollouts beside an objective."
            )

    def matching(self, snapshots: Snapshots | None = None) -> FlowMatching:
        """The objective that matches, for these snapshots."""
        del snapshots
        return build(self.objective, learning, FlowMatching, "objective")

    def training(
        self, gap: float, padding: int | None = None
    ) -> tuple[AbstractObjective, dict[str, Any]]:
        if self.objective is None:
            return super().training(gap, padding)
        return self.matching(), self.options()

    @property
    def second_order(self) -> bool:
        return self.inertia is not False

    def has_inertia(
        self, snapshots: Snapshots, objective: FlowMatching | None = None
    ) -> bool:
        """Whether the law that these are fitted with is of second order.

        ``objective`` is that of these snapshots, where it is known.
        """
        del snapshots, objective
        return self.second_order

    def law_for(
        self,
        train: Snapshots,
        key: PRNGKeyArray,
        objective: FlowMatching | None = None,
    ) -> AbstractContinuousFlow:
        """The law that ``train`` is fitted with, with fresh parameters."""
        return self.law(train.dim, key, inertia=self.has_inertia(train, objective))

    def train(
        self,
        snapshots: Snapshots,
        key: PRNGKeyArray,
        gap: float,
        *,
        padding: int | None = None,
        **more: Any,
    ) -> Fit:
        if self.objective is None:
            return super().train(snapshots, key, gap, padding=padding, **more)
        flow_key, fit_key = jax.random.split(key)
        objective, options = self.matching(snapshots), {**more, **self.options()}
        flow = self.law_for(snapshots, flow_key, objective)
        return fit(flow, snapshots, objective, key=fit_key, **options)

    def restarted(self, fitted: Fit, snapshots: Snapshots) -> Fit:
        if self.objective is None:
            return super().restarted(fitted, snapshots)
        return restarted(fitted, snapshots)


def _holds_arrays(spec: Any) -> bool:
    """Whether some argument is a list of numbers, which has a dimension."""
    if isinstance(spec, dict):
        return any(_holds_arrays(value) for value in spec.values())
    if isinstance(spec, Sequence) and not isinstance(spec, str):
        return any(isinstance(x, int | float) or _holds_arrays(x) for x in spec)
    return False
