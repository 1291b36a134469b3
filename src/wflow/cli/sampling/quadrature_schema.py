"""The config of a comparison of quadratures and samplers."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from wflow.studies._params import Strict, StudyParams, closest

from .methods import MeanShiftConfig, MethodConfig
from .targets import Start, Target


Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
# Names of rows; they end up in the names of metrics.
Name = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]

DRAWS = "iid"
REWEIGHTED = "_reweighted"


class Box(Strict):
    """From ``low`` to ``high`` on every axis."""

    low: float
    high: float

    @model_validator(mode="after")
    def _checked(self) -> "Box":
        if not self.low < self.high:
            raise ValueError("low: expected low < high.")
        return self


class Reweighting(Strict):
    """Optimal weights, by the target's own law, for nodes that others found.

    Attributes:
        nodes: names of methods; ``iid`` are independent draws.
        bandwidth: of the Gaussian kernel.
        ridge: on the diagonal of its matrix.
    """

    nodes: Annotated[list[Name], Field(min_length=1)]
    bandwidth: Positive
    ridge: Positive = 1e-8


class QuadratureConfig(StudyParams):
    """Nodes and weights of several methods for one target, and how well they integrate.

    Attributes:
        target: in closed form.
        initial: where particles start.
        particles: their numbers, each a run of its own.
        repeats: runs of every method, from starts of their own; medians are reported.
        bandwidth: of the Gaussian kernel of the discrepancies.
        box: mean-shift particles are clamped to it after every step.
        methods: by name; independent draws from the target come by themselves.
        reweighted: nodes that get optimal weights besides.
    """

    task: Literal["sampling_quadrature"]
    target: Target
    initial: Start
    particles: Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=1)]
    repeats: Count = 9
    bandwidth: Positive
    box: Box | None = None
    methods: Annotated[dict[Name, MethodConfig], Field(min_length=1)]
    reweighted: Reweighting | None = None

    @model_validator(mode="after")
    def _checked(self) -> "QuadratureConfig":
        if sorted(set(self.particles)) != self.particles:
            raise ValueError("particles: expected increasing numbers.")
        mean = getattr(self.initial, "mean", None)
        if mean is not None and len(mean) != self.target.dim:
            raise ValueError(
                f"initial.mean: expected {self.target.dim} numbers, as the target has "
                f"dimensions, found {len(mean)}."
            )
        taken = [n for n in self.methods if n == DRAWS or n.endswith(REWEIGHTED)]
        if taken:
            raise ValueError(
                f"methods.{taken[0]}: this name is given to rows that come by "
                "themselves; take another."
            )
        if not self.quadratures:
            raise ValueError("methods: expected at least one of kind msip.")
        known = [DRAWS, *(n for n in self.methods if n not in self.quadratures)]
        for name in self.reweighted.nodes if self.reweighted else []:
            if name not in known:
                nearest = closest(name, known)
                hint = f" Did you mean {nearest}?" if nearest else ""
                raise ValueError(
                    f"reweighted.nodes: expected names among {', '.join(known)}, found "
                    f"{name!r}.{hint}"
                )
        return self

    @property
    def quadratures(self) -> list[str]:
        """Names of the methods that are mean shifts; the first one matters most."""
        return [
            name
            for name, method in self.methods.items()
            if isinstance(method, MeanShiftConfig)
        ]

    @property
    def rows(self) -> list[str]:
        """Names of everything that is compared, in order."""
        nodes = [] if self.reweighted is None else self.reweighted.nodes
        return [*self.methods, DRAWS, *(name + REWEIGHTED for name in nodes)]
